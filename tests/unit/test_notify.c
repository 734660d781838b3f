/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "notify.h"
#include "scratch.h"

static char dir[SCRATCH_PATH];
static int server = -1;

/* Takes the place of the real one: the watchdog's second passes at once. */
static int64_t now_ms = 5000;

int64_t clock_mono_ms(void)
{
	return now_ms;
}

/* Listens on @path as systemd does; '@' = abstract. */
static void listen_on(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	assert_true(len < sizeof(addr.sun_path));
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(server >= 0);
	assert_int_equal(
	        bind(server, (struct sockaddr *)&addr,
	                (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	                            len)),
	        0);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
}

static int setup(void **state)
{
	(void)state;
	scratch_make(dir, "notify");
	(void)unsetenv("NOTIFY_SOCKET");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	util_closep(&server);
	(void)unsetenv("NOTIFY_SOCKET");
	scratch_remove(dir);
	return 0;
}

/* Datagrams on a Unix socket are there when send(2) returns. */
static void assert_got(const char *text)
{
	char buf[4096] = "";
	ssize_t n = recv(server, buf, sizeof(buf) - 1, 0);

	assert_true(n > 0);
	assert_string_equal(buf, text);
	assert_int_equal(n, strlen(text));
}

static void assert_got_nothing(void)
{
	char buf[16];

	assert_int_equal(recv(server, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void talk(void)
{
	notify_ready();
	assert_got("READY=1");
	notify_status("Copying: 43 %");
	assert_got("STATUS=Copying: 43 %");
	notify_stopping();
	assert_got("STOPPING=1");
	assert_got_nothing();
}

static void in_the_file_system(void **state)
{
	(void)state;
	listen_on(scratch_path(dir, "sock"));
	talk();
}

static void abstract(void **state)
{
	char name[64];

	(void)state;
	(void)snprintf(name, sizeof(name), "@asbackup-test-%d", (int)getpid());
	listen_on(name);
	talk();
}

/* A line of its own would be another assignment. */
static void hostile_status(void **state)
{
	(void)state;
	listen_on(scratch_path(dir, "sock"));
	notify_status("file\nMAINPID=1\033[0m");
	assert_got("STATUS=file\\nMAINPID=1\\x1B[0m");
}

static void watchdog_at_most_once_a_second(void **state)
{
	(void)state;
	listen_on(scratch_path(dir, "sock"));
	now_ms += 1000;
	notify_watchdog();
	assert_got("WATCHDOG=1");
	now_ms += 999;
	notify_watchdog();
	assert_got_nothing();
	now_ms += 1;
	notify_watchdog();
	assert_got("WATCHDOG=1");
}

static void nobody_listens(void **state)
{
	char path[300];

	(void)state;
	notify_ready();
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	notify_ready();
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	notify_ready();
	assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
	notify_ready();
	assert_int_equal(
	        setenv("NOTIFY_SOCKET", scratch_path(dir, "no"), 1), 0);
	notify_ready();
}

/* A manager that does not read may not stop the copy. */
static void full_queue(void **state)
{
	(void)state;
	listen_on(scratch_path(dir, "sock"));
	for (int i = 0; i < 5000; i++)
		notify_status("again and again");
	assert_got("STATUS=again and again");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(in_the_file_system),
	        T(abstract),
	        T(hostile_status),
	        T(watchdog_at_most_once_a_second),
	        T(nobody_listens),
	        T(full_queue),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "loop.h"
#include "str.h"
#include "core/reach.h"
#include "own_mounts.h"
#include "scratch.h"

static bool has_own_net;

#define NEED_OWN_NET()                                                         \
	do {                                                                   \
		if (!has_own_net) {                                            \
			print_message("needs root and a network namespace\n"); \
			skip();                                                \
		}                                                              \
	} while (0)

/* A host that is reached, or not. */
struct trip {
	struct loop loop;
	struct reach *reach;
	struct reach_result result;
	int calls;
	bool frees; /* in the handler */
};

static void on_done(const struct reach_result *result, void *arg)
{
	struct trip *t = arg;

	t->result = *result;
	t->calls++;
	if (t->frees) {
		reach_free(t->reach);
		t->reach = NULL;
	}
}

static void begin(struct trip *t, const char *host, unsigned port, int limit)
{
	struct err err = ERR_INIT;

	*t = (struct trip){.loop = LOOP_INIT};
	assert_int_equal(reach_start(&t->reach, &t->loop, host, port, limit,
	                         on_done, t, &err),
	        0);
	assert_int_equal(t->calls, 0);
}

static void finish(struct trip *t)
{
	reach_free(t->reach);
	/* Nothing of it is left to call. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_step(&t->loop, 1), 0);
	for (size_t i = 0; i < t->loop.len; i++)
		assert_null(t->loop.sources[i]);
	loop_done(&t->loop);
}

static void go(struct trip *t, const char *host, unsigned port, int limit)
{
	int64_t end = clock_mono_ms() + limit + 20000;

	begin(t, host, port, limit);
	while (t->calls == 0) {
		assert_true(clock_mono_ms() < end);
		assert_int_equal(loop_step(&t->loop, 1000), 0);
	}
	finish(t);
	assert_int_equal(t->calls, 1);
}

/* A listener; *@port may say which. */
static int listen_on(const char *address, unsigned *port, int backlog)
{
	struct sockaddr_in a = {
	        .sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, address, &a.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

#define FILLERS 4

/* Nobody takes its connections, so what comes now gets no answer: also the last
 * of these did not. */
static void fill(const char *address, unsigned port, int fds[FILLERS])
{
	struct sockaddr_in a = {
	        .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct pollfd p = {.events = POLLOUT};
	int answered = 1;

	assert_int_equal(inet_pton(AF_INET, address, &a.sin_addr), 1);
	for (int i = 0; i < FILLERS; i++) {
		fds[i] = socket(
		        AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		(void)connect(fds[i], (struct sockaddr *)&a, sizeof a);
		p.fd = fds[i];
		answered = poll(&p, 1, 20);
	}
	assert_int_equal(answered, 0);
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static void test_connected(void **state)
{
	unsigned port = 0;
	int listener = listen_on("127.0.0.1", &port, 5), flags;
	struct trip t;

	(void)state;
	go(&t, "127.0.0.1", port, 5000);
	assert_true(t.result.fd >= 0);
	assert_string_equal(t.result.address, "127.0.0.1");
	flags = fcntl(t.result.fd, F_GETFL);
	assert_true(flags & O_NONBLOCK);
	assert_true(fcntl(t.result.fd, F_GETFD) & FD_CLOEXEC);
	close(t.result.fd);
	/* By name: ::1, when that comes first, is refused. */
	go(&t, "localhost", port, 5000);
	assert_true(t.result.fd >= 0);
	assert_string_equal(t.result.address, "127.0.0.1");
	close(t.result.fd);
	close(listener);
}

static void test_refused(void **state)
{
	unsigned port = 0;
	struct trip t;

	(void)state;
	close(listen_on("127.0.0.1", &port, 1));
	go(&t, "127.0.0.1", port, 5000);
	assert_int_equal(t.result.fd, -ECONNREFUSED);
	assert_int_equal(t.result.err.code, -ECONNREFUSED);
	assert_int_equal(t.result.ping, REACH_PING_ANSWERED);
	assert_string_equal(t.result.address, "127.0.0.1");
	assert_true(t.result.err.action[0] != '\0');
}

static void test_black_hole(void **state)
{
	unsigned port = 0;
	int listener = listen_on("127.0.0.1", &port, 0), fds[FILLERS];
	int64_t before;
	struct trip t;

	(void)state;
	fill("127.0.0.1", port, fds);
	before = clock_mono_ms();
	go(&t, "127.0.0.1", port, 400);
	assert_int_equal(t.result.fd, -ETIMEDOUT);
	assert_true(clock_mono_ms() - before >= 400);
	assert_true(clock_mono_ms() - before < 10000);
	close_all(fds, FILLERS);
	close(listener);
}

static void test_no_address(void **state)
{
	struct trip t;

	(void)state;
	go(&t, "999.1.1.1", 22, 5000);
	assert_int_equal(t.result.fd, -EHOSTUNREACH);
	assert_int_equal(t.result.err.code, -EHOSTUNREACH);
	assert_string_equal(t.result.address, "");
}

/* A black hole behind the first address costs a quarter of a second. */
static void test_addresses(void **state)
{
	char dir[SCRATCH_PATH];
	unsigned port = 0;
	int hole, good, fds[FILLERS];
	int64_t before;
	struct trip t;

	(void)state;
	if (!own_mounts())
		skip();
	scratch_make(dir, "reach");
	scratch_write(dir, "hosts", "127.0.0.2 two\n127.0.0.3 two\n");
	assert_int_equal(mount(scratch_path(dir, "hosts"), "/etc/hosts", NULL,
	                         MS_BIND, NULL),
	        0);
	/* Whichever comes first. */
	for (int i = 0; i < 2; i++) {
		const char *first = i ? "127.0.0.2" : "127.0.0.3";
		const char *other = i ? "127.0.0.3" : "127.0.0.2";

		port = 0;
		hole = listen_on(first, &port, 0);
		good = listen_on(other, &port, 5);
		fill(first, port, fds);
		before = clock_mono_ms();
		go(&t, "two", port, 20000);
		assert_true(t.result.fd >= 0);
		assert_string_equal(t.result.address, other);
		assert_true(clock_mono_ms() - before < 10000);
		close(t.result.fd);
		close_all(fds, FILLERS);
		close(good);
		/* Refused there: the hole is waited for. */
		fill(first, port, fds);
		go(&t, "two", port, 600);
		assert_int_equal(t.result.fd, -ETIMEDOUT);
		close_all(fds, FILLERS);
		close(hole);
	}
	assert_int_equal(umount("/etc/hosts"), 0);
	scratch_remove(dir);
}

/* One that fails at once, and no other one. */
static void test_no_route(void **state)
{
	struct trip t;

	(void)state;
	NEED_OWN_NET();
	go(&t, "192.0.2.1", 22, 5000);
	assert_int_equal(t.result.fd, -ENETUNREACH);
	assert_int_equal(t.result.err.code, -ENETUNREACH);
	assert_int_equal(t.result.ping, REACH_PING_UNKNOWN);
	assert_string_equal(t.result.address, "192.0.2.1");
}

/* --- ping -------------------------------------------------------------------
 */

static void set_ipv4(const char *name, const char *value)
{
	_cleanup_free_ char *path = str_printf("/proc/sys/net/ipv4/%s", name);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), strlen(value));
}

/* Of a host that takes no connection: is it there at all? */
static void test_ping(void **state)
{
	static const struct {
		const char *groups; /* who may ask */
		const char *ignore;
		enum reach_ping ping;
	} cases[] = {
	        {"0 0", "0", REACH_PING_ANSWERED},
	        {"0 0", "1", REACH_PING_SILENT},
	        {"1 0", "0", REACH_PING_UNKNOWN},
	};
	unsigned port = 0;
	int listener, fds[FILLERS];

	(void)state;
	NEED_OWN_NET();
	listener = listen_on("127.0.0.1", &port, 0);
	fill("127.0.0.1", port, fds);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct trip t;

		set_ipv4("ping_group_range", cases[i].groups);
		set_ipv4("icmp_echo_ignore_all", cases[i].ignore);
		go(&t, "127.0.0.1", port, 300);
		assert_int_equal(t.result.fd, -ETIMEDOUT);
		assert_int_equal(t.result.ping, cases[i].ping);
		assert_string_equal(t.result.address, "127.0.0.1");
	}
	close_all(fds, FILLERS);
	close(listener);
}

/* The name server takes the question and never answers. */
static void test_silent_resolver(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
	char dir[SCRATCH_PATH];
	struct trip t;
	int fd;

	(void)state;
	if (!own_mounts())
		skip();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, "127.0.0.53", &a.sin_addr), 1);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		close(fd);
		print_message("127.0.0.53 is somebody's name server\n");
		skip();
	}
	scratch_make(dir, "reach");
	scratch_write(dir, "resolv.conf",
	        "nameserver 127.0.0.53\n"
	        "options attempts:1 timeout:2\n");
	assert_int_equal(mount(scratch_path(dir, "resolv.conf"),
	                         "/etc/resolv.conf", NULL, MS_BIND, NULL),
	        0);
	go(&t, "host.example", 22, 300);
	assert_int_equal(t.result.fd, -ETIMEDOUT);
	assert_non_null(strstr(t.result.err.message, "name server"));
	assert_string_equal(t.result.address, "");
	assert_int_equal(umount("/etc/resolv.conf"), 0);
	close(fd);
	scratch_remove(dir);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_freed(void **state)
{
	unsigned port = 0;
	int listener = listen_on("127.0.0.1", &port, 0), fds[FILLERS];
	int before;
	struct trip t;

	(void)state;
	/* In the handler. */
	begin(&t, "127.0.0.1", port, 5000);
	t.frees = true;
	while (t.calls == 0)
		assert_int_equal(loop_step(&t.loop, 1000), 0);
	assert_null(t.reach);
	close(t.result.fd);
	finish(&t);
	/* Before anything was known, and while it waits for the answer. */
	fill("127.0.0.1", port, fds);
	before = count_fds();
	for (int i = 0; i < 20; i++) {
		begin(&t, "127.0.0.1", port, 5000);
		for (int k = 0; k < i % 4; k++)
			assert_int_equal(loop_step(&t.loop, 20), 0);
		assert_int_equal(t.calls, 0);
		finish(&t);
		assert_int_equal(t.calls, 0);
	}
	/* The resolver's threads may close theirs a little later. */
	for (int i = 0; i < 500 && count_fds() != before; i++)
		usleep(10000);
	assert_int_equal(count_fds(), before);
	close_all(fds, FILLERS);
	close(listener);
	reach_free(NULL);
}

/* Nothing but the loopback device. */
static bool own_net(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	_cleanup_close_ int fd = -1;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	return true;
}

/* Before the resolver has a thread: that would stay where it is. */
static int setup(void **state)
{
	(void)state;
	(void)own_mounts();
	has_own_net = own_net();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_connected),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_black_hole),
	        cmocka_unit_test(test_no_address),
	        cmocka_unit_test(test_addresses),
	        cmocka_unit_test(test_no_route),
	        cmocka_unit_test(test_ping),
	        cmocka_unit_test(test_silent_resolver),
	        cmocka_unit_test(test_freed),
	};

	return cmocka_run_group_tests_name("reach", tests, setup, NULL);
}

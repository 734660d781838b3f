/* SPDX-License-Identifier: MIT */
/*
 * Processes that not even SIGKILL ends.  The disk that does not answer is a
 * FUSE file system whose server, this test, reads a request and says nothing:
 * the caller is then in uninterruptible sleep (state D), as with a dead disk.
 * Needs root and /dev/fuse; the mount is in a namespace of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proc.h"

#define LONG_MS 60000

static char dir[] = "/tmp/test_hang.XXXXXX";
static int server = -1;

/* --- the file system ------------------------------------------------------ */

static uint32_t take_request(uint64_t *ret_unique)
{
	static char request[FUSE_MIN_READ_BUFFER * 32];
	struct fuse_in_header in;
	ssize_t n = read(server, request, sizeof(request));

	if (n < (ssize_t)sizeof(in))
		return 0;
	memcpy(&in, request, sizeof(in));
	*ret_unique = in.unique;
	return in.opcode;
}

static void answer_init(uint64_t unique)
{
	struct {
		struct fuse_out_header head;
		struct fuse_init_out init;
	} out = {
	        .head = {.len = sizeof(out), .unique = unique},
	        .init = {.major = FUSE_KERNEL_VERSION,
	                .minor = FUSE_KERNEL_MINOR_VERSION,
	                .max_write = 4096},
	};

	assert_int_equal(write(server, &out, sizeof(out)), sizeof(out));
}

static bool disk_plug_in(void)
{
	char options[96];
	uint64_t unique = 0;

	server = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (server < 0)
		return false;
	(void)snprintf(options, sizeof(options),
	        "fd=%d,rootmode=40000,user_id=0,group_id=0", server);
	if (mount("hang", dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		(void)close(server);
		return false;
	}
	assert_int_equal(take_request(&unique), FUSE_INIT);
	answer_init(unique);
	return true;
}

/* Everybody who waits gets ENOTCONN, and a killed process can end. */
static void disk_pull_out(pid_t pid)
{
	int status;

	(void)umount2(dir, MNT_DETACH);
	assert_int_equal(close(server), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* Swallows the requests that are there; true once there was one. */
static bool swallow(void)
{
	struct pollfd p = {.fd = server, .events = POLLIN};
	uint64_t unique;

	return poll(&p, 1, 0) == 1 && take_request(&unique) != 0;
}

/* --- tests ---------------------------------------------------------------- */

static pid_t hung_pid;

static int on_run_tick(pid_t pid, void *arg)
{
	(void)arg;
	hung_pid = pid;
	return swallow();
}

static void test_run(void **state)
{
	char program[] = "/usr/bin/stat";
	char *argv[] = {program, dir, NULL};
	struct proc_result res;
	struct err err = ERR_INIT;
	char text[256];
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "stat", .argv = argv,
	        .on_tick = on_run_tick, .tick_ms = 10, .timeout_ms = LONG_MS,
	        .grace_ms = 50, .give_up_ms = 100};

	(void)state;
	if (geteuid() != 0 || !disk_plug_in())
		skip();
	assert_int_equal(proc_run(&spec, &res, &err), 0);
	assert_true(res.hung);
	assert_true(res.cancelled);
	assert_int_equal(res.exit_code, -1);
	assert_int_equal(res.signal, 0);
	assert_int_equal(res.pid, hung_pid);
	assert_non_null(strstr(proc_describe(text, sizeof(text), &res),
	        "did not end although it was killed"));
	disk_pull_out(hung_pid);
}

static int stat_disk(void *arg, void *reply, struct err *err)
{
	struct stat st;
	pid_t pid = getpid();

	/* As long as we held a copy of it, pulling the disk out would not help
	 * us: we would wait for ourselves. */
	(void)close(server);
	/* The parent wants to know whom to wait for. */
	(void)reply;
	(void)err;
	(void)!write(*(int *)arg, &pid, sizeof(pid));
	return stat(dir, &st) < 0 ? -errno : 0;
}

static int on_task_tick(void *arg)
{
	(void)arg;
	return swallow();
}

static void test_task(void **state)
{
	int p[2];
	pid_t pid = -1;
	bool hung = false;
	struct err err = ERR_INIT;
	struct proc_task task = {.name = "probe",
	        .fn = stat_disk,
	        .arg = &p[1],
	        .on_tick = on_task_tick,
	        .tick_ms = 10,
	        .timeout_ms = LONG_MS,
	        .ret_hung = &hung};

	(void)state;
	if (geteuid() != 0 || !disk_plug_in())
		skip();
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(proc_task(&task, &err), -ECANCELED);
	assert_true(hung);
	assert_non_null(strstr(err.meaning, "does not answer"));
	assert_int_equal(read(p[0], &pid, sizeof(pid)), sizeof(pid));
	disk_pull_out(pid);
	(void)close(p[0]);
	(void)close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_run),
	        cmocka_unit_test(test_task),
	};

	if (!mkdtemp(dir))
		return 1;
	if (geteuid() == 0 &&
	        (unshare(CLONE_NEWNS) < 0 ||
	                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		perror("a mount namespace of our own");

	int failed =
	        cmocka_run_group_tests_name("proc_hang", tests, NULL, NULL);

	(void)rmdir(dir);
	return failed;
}

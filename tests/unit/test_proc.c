/* SPDX-License-Identifier: MIT */
/* proc_run(): starting, what the program gets, and its output. */
#include "proc_parts.h"

static char dir[] = "/tmp/test_proc.XXXXXX";

/* --- starting ------------------------------------------------------------- */

static void test_missing_program(void **state)
{
	char *const *argv = VECTOR("/nonexistent/prog");
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "prog", .argv = argv};
	int before = count_fds();

	(void)state;
	assert_int_equal(run_fails(&spec, "/nonexistent/prog"), -ENOENT);
	spec.pid_namespace = true;
	assert_int_equal(run_fails(&spec, "/nonexistent/prog"), -ENOENT);
	assert_int_equal(count_fds(), before);
}

static void test_not_executable(void **state)
{
	char *const *argv = VECTOR("/etc/passwd");
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = argv};

	(void)state;
	assert_int_equal(run_fails(&spec, "/etc/passwd"), -EACCES);
	spec.argv = VECTOR("/");
	assert_int_equal(run_fails(&spec, "cannot execute"), -EACCES);
}

static void test_wrong_spec(void **state)
{
	char *const *relative = VECTOR("true");
	char *const empty[] = {NULL};
	const char *bad_env[] = {"NOVALUE", NULL};
	int bad_fd = 4000;
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "x", .argv = relative};

	(void)state;
	assert_int_equal(run_fails(&spec, "absolute"), -EINVAL);
	spec.argv = empty;
	assert_int_equal(run_fails(&spec, "absolute"), -EINVAL);
	spec.argv = NULL;
	assert_int_equal(run_fails(&spec, "absolute"), -EINVAL);

	spec.argv = ARGV("exit");
	spec.env = bad_env;
	assert_int_equal(run_fails(&spec, "environment"), -EINVAL);
	spec.env = NULL;
	spec.keep_fds = &bad_fd;
	spec.keep_fds_len = 1;
	assert_int_equal(run_fails(&spec, "4000"), -EBADF);
	spec.keep_fds_len = 0;
	spec.stdout_fd = 4000;
	assert_int_equal(run_fails(&spec, "4000"), -EBADF);
	spec.stdout_fd = -1;
	spec.cwd_fd = 4000;
	assert_int_equal(run_fails(&spec, "directory"), -EBADF);
	spec.cwd_fd = -1;
	spec.ioprio = 0x7fffffff;
	assert_int_equal(run_fails(&spec, "priority"), -EINVAL);
}

static int hook_fails(void *arg)
{
	return *(int *)arg;
}

static int hook_crashes(void *arg)
{
	(void)arg;
	(void)kill(getpid(), SIGKILL);
	return 0;
}

static void test_hook(void **state)
{
	int code = -EXDEV;
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("exit"));

	(void)state;
	spec.pre_exec = hook_fails;
	spec.pre_exec_arg = &code;
	assert_int_equal(run_fails(&spec, "before its start"), -EXDEV);

	code = 0;
	assert_int_equal(run_ok(&spec).exit_code, 3);

	spec.pre_exec = hook_crashes;
	assert_int_equal(run_ok(&spec).signal, SIGKILL);
	seen_done(&s);
}

static void test_no_descriptors_left(void **state)
{
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("exit")};
	struct proc_result res;
	struct err err = ERR_INIT;
	struct rlimit old;
	int before = count_fds();
	int code = -EMFILE;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	/* Every point of the preparation fails once. */
	for (rlim_t n = 3; code == -EMFILE; n++) {
		struct rlimit low = {n, old.rlim_max};

		assert_true(n < 64);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		code = proc_run(&spec, &res, &err);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		assert_int_equal(count_fds(), before);
	}
	assert_int_equal(code, 0);
}

/* --- what the program gets ------------------------------------------------ */

static void test_environment(void **state)
{
	const char *extra[] = {
	        "A=1", "LC_ALL=de_DE.UTF-8", "EMPTY=", "A=2", "PATHS=x", NULL};
	char *const *argv = VECTOR("/usr/bin/env");
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, argv);

	(void)state;
	assert_int_equal(run_ok(&spec).exit_code, 0);
	assert_string_equal(s.out[0].data,
	        "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n");

	buf_reset(&s.out[0]);
	spec.env = extra;
	assert_int_equal(run_ok(&spec).exit_code, 0);
	assert_string_equal(s.out[0].data,
	        "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=de_DE.UTF-8\n"
	        "A=2\nEMPTY=\nPATHS=x\n");
	seen_done(&s);
}

static void test_descriptors(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("fds"));
	int plain = open("/dev/null", O_RDONLY); /* not close-on-exec */
	int keep[4] = {50, 40, 2, 40};

	(void)state;
	assert_true(plain >= 0);
	assert_int_equal(fcntl(plain, F_DUPFD_CLOEXEC, 40), 40);
	assert_int_equal(fcntl(plain, F_DUPFD, 50), 50);
	assert_int_equal(fcntl(plain, F_DUPFD, 51), 51);

	(void)run_ok(&spec);
	assert_string_equal(s.out[0].data, "0 1 2 ");

	buf_reset(&s.out[0]);
	spec.keep_fds = keep;
	spec.keep_fds_len = ARRAY_SIZE(keep);
	(void)run_ok(&spec);
	assert_string_equal(s.out[0].data, "0 1 2 40 50 ");

	(void)close(plain);
	for (int fd = 40; fd <= 51; fd++)
		(void)close(fd);
	seen_done(&s);
}

/* The loop for kernels without close_range(2), in a process of its own. */
static void test_close_by_loop(void **state)
{
	int keep[] = {41};
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		int bad = 0;

		for (int fd = 40; fd <= 42; fd++)
			(void)fcntl(0, F_DUPFD, fd);
		(void)fcntl(41, F_SETFD, FD_CLOEXEC);
		bad |= proc_child_close_others(keep, 1, true) != 0;
		bad |= fcntl(40, F_GETFD) != FD_CLOEXEC;
		bad |= fcntl(41, F_GETFD) != 0;
		bad |= fcntl(42, F_GETFD) != FD_CLOEXEC;
		bad |= fcntl(2, F_GETFD) != 0;
		_exit(bad);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* stdout and stderr of ours, also crosswise; 0 closed in the parent. */
static void test_borrowed_descriptors(void **state)
{
	char text[16] = "";
	int p[2];
	struct proc_result res;
	int in = dup(0);
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("exit")};

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "borrowed", 8), 8);

	char *const *argv = VECTOR("/usr/bin/head", "-c8");

	(void)close(0);
	spec.argv = argv;
	spec.stdin_fd = p[0];
	spec.stdout_fd = p[1];
	spec.stderr_fd = 1;
	res = run_ok(&spec);
	assert_int_equal(dup2(in, 0), 0);
	(void)close(in);
	assert_int_equal(res.exit_code, 0);
	assert_int_equal(read(p[0], text, sizeof(text)), 8);
	assert_string_equal(text, "borrowed");
	/* Still ours. */
	assert_int_equal(close(p[0]), 0);
	assert_int_equal(close(p[1]), 0);
}

/* Started by something careless: all our descriptors, and those of the
 * program, have the numbers that are to be overwritten. */
static int without_stdio(void)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("flood", "200000"));
	struct proc_result res;
	struct err err = ERR_INIT;

	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	if (proc_run(&spec, &res, &err) < 0 || res.exit_code != 0)
		return 1;
	if (strspn(s.out[0].data, "o") != 200000 ||
	        strspn(s.out[1].data, "e") != 200000)
		return 2;
	seen_done(&s);
	return 0;
}

static void test_without_stdio(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(without_stdio());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_signals_are_reset(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("status"));
	const char *ignored;
	sigset_t set, old;

	(void)state;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	(void)signal(SIGUSR2, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN); /* the result must not get lost */
	assert_int_equal(run_ok(&spec).exit_code, 0);
	(void)signal(SIGUSR2, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, &set), 0);
	assert_true(sigismember(&set, SIGUSR1)); /* ours is as it was */

	assert_non_null(strstr(s.out[0].data, "SigBlk:\t0000000000000000"));
	/* 32 and 33 belong to glibc: no program can change them, and
	 * posix_spawn() (make) leaves them ignored. */
	ignored = strstr(s.out[0].data, "SigIgn:\t");
	assert_non_null(ignored);
	assert_int_equal(
	        strtoull(ignored + 8, NULL, 16) & ~(3ULL << (32 - 1)), 0);
	seen_done(&s);
}

static void test_place(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("place"));
	char expect[PATH_MAX];
	int prio = getpriority(PRIO_PROCESS, 0);
	mode_t old = umask(077);

	(void)state;
	(void)run_ok(&spec);
	(void)snprintf(expect, sizeof(expect), "/ 022 leader %d", prio);
	assert_string_equal(s.out[0].data, expect);

	buf_reset(&s.out[0]);
	spec.cwd_fd = open(dir, O_PATH | O_CLOEXEC);
	assert_true(spec.cwd_fd >= 0);
	spec.nice = 3;
	spec.ioprio = 3 << 13; /* idle */
	(void)run_ok(&spec);
	(void)snprintf(
	        expect, sizeof(expect), "%s 022 leader %d", dir, prio + 3);
	assert_string_equal(s.out[0].data, expect);
	(void)umask(old);
	(void)close(spec.cwd_fd);
	seen_done(&s);
}

static void test_pid_namespace(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("pid"));
	struct proc_result res;

	(void)state;
	spec.pid_namespace = true;
	res = run_ok(&spec);
	assert_int_equal(res.exit_code, 0);
	if (geteuid() == 0 && strcmp(s.out[0].data, "1") != 0) {
		char text[32];

		(void)snprintf(text, sizeof(text), "%d", (int)res.pid);
		assert_string_equal(s.out[0].data, text);
		seen_done(&s);
		skip(); /* root, but not allowed to */
	}
	seen_done(&s);
}

/* --- output --------------------------------------------------------------- */

static void test_both_streams(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("flood", "3000000"));

	(void)state;
	assert_int_equal(run_ok(&spec).exit_code, 0);
	assert_int_equal(s.out[0].len, 3000000);
	assert_int_equal(s.out[1].len, 3000000);
	assert_int_equal(strspn(s.out[0].data, "o"), 3000000);
	assert_int_equal(strspn(s.out[1].data, "e"), 3000000);

	/* Thrown away. */
	spec.on_output = NULL;
	assert_int_equal(run_ok(&spec).exit_code, 0);
	seen_done(&s);
}

static void test_one_byte_at_a_time(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("bytes"));
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	spec.stdin_fd = p[0];
	s.answer_fd = p[1];
	assert_int_equal(run_ok(&spec).exit_code, 0);
	assert_string_equal(s.out[0].data, "one by one");
	assert_int_equal(s.chunks, 10);
	(void)close(p[0]);
	(void)close(p[1]);
	seen_done(&s);
}

static void expect_gone(const char *pid_text)
{
	int64_t pid;

	assert_int_equal(num_parse_i64(pid_text, 2, INT_MAX, &pid), 0);
	/* Killed; whoever inherited it may not have reaped it yet. */
	for (int i = 0; i < 1000; i++) {
		char path[64];
		char line[512] = "";
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "r");
		if (!f)
			return;
		(void)!fgets(line, sizeof(line), f);
		(void)fclose(f);
		if (strstr(line, ") Z ") || strstr(line, ") X "))
			return;
		(void)poll(NULL, 0, 10);
	}
	fail_msg("process %s is still there", pid_text);
}

static void test_grandchild_keeps_stdout(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("orphan", "group"));

	(void)state;
	/* In the group: it is killed. */
	assert_int_equal(run_ok(&spec).exit_code, 7);
	expect_gone(s.out[0].data);

	/* Away: it lives on, but nobody waits for it. */
	int64_t pid;

	buf_reset(&s.out[0]);
	spec.argv = ARGV("orphan", "away");
	assert_int_equal(run_ok(&spec).exit_code, 7);
	assert_int_equal(num_parse_i64(s.out[0].data, 2, INT_MAX, &pid), 0);
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	seen_done(&s);
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_missing_program),
	        cmocka_unit_test(test_not_executable),
	        cmocka_unit_test(test_wrong_spec),
	        cmocka_unit_test(test_hook),
	        cmocka_unit_test(test_no_descriptors_left),
	        cmocka_unit_test(test_environment),
	        cmocka_unit_test(test_descriptors),
	        cmocka_unit_test(test_close_by_loop),
	        cmocka_unit_test(test_borrowed_descriptors),
	        cmocka_unit_test(test_without_stdio),
	        cmocka_unit_test(test_signals_are_reset),
	        cmocka_unit_test(test_place),
	        cmocka_unit_test(test_pid_namespace),
	        cmocka_unit_test(test_both_streams),
	        cmocka_unit_test(test_one_byte_at_a_time),
	        cmocka_unit_test(test_grandchild_keeps_stdout),
	};

	if (!mkdtemp(dir))
		return 1;

	int failed = cmocka_run_group_tests_name("proc", tests, NULL, NULL);

	(void)rmdir(dir);
	return failed;
}

int main(int argc, char **argv)
{
	return play(argc, argv, all_tests);
}

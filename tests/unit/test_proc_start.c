/* SPDX-License-Identifier: MIT */
/* proc_start() and proc_wait(): a program in two halves. */
#include "proc_parts.h"

#include "flying_time.h"

static struct proc_program *start(const struct proc_spec *spec)
{
	struct proc_program *p = NULL;
	struct err err = ERR_INIT;

	if (proc_start(spec, &p, &err) < 0)
		fail_msg("%s", err.message);
	assert_non_null(p);
	return p;
}

static struct proc_result end(struct proc_program *p, int64_t timeout_ms)
{
	struct proc_result res;

	proc_wait(p, timeout_ms, &res);
	return res;
}

static void test_start_fails(void **state)
{
	char *const *missing = VECTOR("/nonexistent/prog");
	char *const *relative = VECTOR("true");
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "p", .argv = missing};
	struct proc_program *p = NULL;
	struct err err = ERR_INIT;
	int before = count_fds();

	(void)state;
	assert_int_equal(proc_start(&spec, &p, &err), -ENOENT);
	assert_non_null(strstr(err.message, "/nonexistent/prog"));
	spec.argv = relative;
	assert_int_equal(proc_start(&spec, &p, &err), -EINVAL);
	assert_null(p);
	assert_int_equal(count_fds(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static int refuse(void *arg)
{
	(void)arg;
	return -EXDEV;
}

static void test_hook_fails(void **state)
{
	struct proc_spec spec = {
	        PROC_SPEC_INIT, .argv = ARGV("exit"), .pre_exec = refuse};
	struct proc_program *p = NULL;
	struct err err = ERR_INIT;
	int before = count_fds();

	(void)state;
	assert_int_equal(proc_start(&spec, &p, &err), -EXDEV);
	assert_non_null(strstr(err.message, "before its start"));
	assert_null(p);
	assert_int_equal(count_fds(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* A hook that waits for a byte, and a tick that has the last word on it. */
struct slow_hook {
	int fd[2];
	int ticks;
	int go_at;   /* it gets its byte at this tick */
	int stop_at; /* it is given up at this one */
};

static int wait_for_byte(void *arg)
{
	struct slow_hook *h = arg;
	char c;

	return read(h->fd[0], &c, 1) == 1 ? 0 : -EIO;
}

static int hook_tick(pid_t pid, void *arg)
{
	struct slow_hook *h = arg;

	assert_true(pid > 1);
	if (++h->ticks == h->go_at)
		assert_int_equal(write(h->fd[1], "!", 1), 1);
	return h->ticks == h->stop_at;
}

static int start_slowly(struct slow_hook *h, struct proc_program **ret)
{
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("exit"),
	        .pre_exec = wait_for_byte, .pre_exec_arg = h,
	        .on_tick = hook_tick, .cb_arg = h, .tick_ms = 10,
	        .grace_ms = 10};
	struct err err = ERR_INIT;
	int r;

	assert_int_equal(pipe2(h->fd, O_CLOEXEC), 0);
	r = proc_start(&spec, ret, &err);
	assert_int_equal(close(h->fd[0]), 0);
	assert_int_equal(close(h->fd[1]), 0);
	return r;
}

static void test_hook_takes_long(void **state)
{
	struct slow_hook h = {.go_at = 3};
	struct proc_program *p = NULL;

	(void)state;
	assert_int_equal(start_slowly(&h, &p), 0);
	assert_true(h.ticks >= 3);
	assert_int_equal(end(p, 0).exit_code, 3);
}

static void test_hook_hangs(void **state)
{
	struct slow_hook h = {.stop_at = 3};
	struct proc_program *p = NULL;
	int before = count_fds();

	(void)state;
	assert_int_equal(start_slowly(&h, &p), -ECANCELED);
	assert_null(p);
	assert_int_equal(count_fds(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_takes_too_long(void **state)
{
	struct slow_hook h = {.go_at = 0};
	struct proc_spec spec = {PROC_SPEC_INIT, .name = "p",
	        .argv = ARGV("exit"), .pre_exec = wait_for_byte,
	        .pre_exec_arg = &h, .grace_ms = 10, .give_up_ms = 1000000000};
	struct proc_program *p = NULL;
	struct err err = ERR_INIT;
	int before = count_fds();

	(void)state;
	assert_int_equal(pipe2(h.fd, O_CLOEXEC), 0);
	time_flies = true;
	assert_int_equal(proc_start(&spec, &p, &err), -ETIMEDOUT);
	stop_time();
	assert_string_equal(err.message, "p did not start within 10 s");
	assert_non_null(strstr(err.action, spec.argv[0]));
	assert_null(p);
	assert_int_equal(close(h.fd[0]), 0);
	assert_int_equal(close(h.fd[1]), 0);
	assert_int_equal(count_fds(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_ends_by_itself(void **state)
{
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("exit")};
	int before = count_fds();
	struct proc_program *p = start(&spec);

	(void)state;
	assert_true(proc_await_end(p, 10000));
	assert_int_equal(end(p, 0).exit_code, 3);
	assert_int_equal(count_fds(), before);
}

static void test_waits_for_a_pipe(void **state)
{
	int fd[2], in[2];
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("bytes")};
	struct proc_program *p;
	char c;

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	spec.stdout_fd = fd[1];
	spec.stdin_fd = in[0];
	p = start(&spec);
	assert_int_equal(close(fd[1]), 0);
	assert_int_equal(close(in[0]), 0);
	/* It works, and is ours to talk to, between the two halves. */
	for (const char *q = "one by one"; *q; q++) {
		assert_false(proc_has_ended(p));
		assert_int_equal(read(fd[0], &c, 1), 1);
		assert_int_equal(c, *q);
		assert_int_equal(write(in[1], "!", 1), 1);
	}
	assert_int_equal(end(p, 0).exit_code, 0);
	assert_int_equal(close(fd[0]), 0);
	assert_int_equal(close(in[1]), 0);
}

static void test_limit(void **state)
{
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("tidy")};
	int64_t before = clock_mono_ms();
	struct proc_result res;
	struct proc_program *p;
	int fd[2];
	char c[5];

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	spec.stdout_fd = fd[1];
	p = start(&spec);
	assert_int_equal(read(fd[0], c, 5), 5); /* it listens to SIGTERM */
	res = end(p, 50);
	assert_true(res.timed_out);
	assert_int_equal(res.exit_code, 20);
	assert_true(clock_mono_ms() - before < LONG_MS);
	assert_int_equal(close(fd[0]), 0);
	assert_int_equal(close(fd[1]), 0);
}

static void test_kill(void **state)
{
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("stubborn")};
	struct proc_program *p = start(&spec);

	(void)state;
	assert_false(proc_has_ended(p));
	assert_true(proc_pid(p) > 1);
	assert_false(proc_await_end(p, 1));
	assert_int_equal(getpgid(proc_pid(p)), proc_pid(p));
	proc_kill(p);
	assert_true(proc_await_end(p, 10000));
	assert_int_equal(end(p, 0).signal, SIGKILL);
}

/* Who starts it dies: so does it. */
static void test_dies_with_us(void **state)
{
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("stubborn")};
	int fd[2];
	pid_t child, served = 0;
	char c;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	child = fork();
	if (child == 0) {
		struct proc_program *p = start(&spec);

		served = proc_pid(p);
		(void)!write(fd[1], &served, sizeof(served));
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(close(fd[1]), 0);
	assert_int_equal(read(fd[0], &served, sizeof(served)), sizeof(served));
	assert_int_equal(waitpid(child, NULL, 0), child);
	for (int i = 0; i < 2000 && kill(served, 0) == 0; i++)
		(void)poll(NULL, 0, 5);
	assert_int_equal(kill(served, 0), -1);
	assert_int_equal(read(fd[0], &c, 1), 0);
	assert_int_equal(close(fd[0]), 0);
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_start_fails),
	        cmocka_unit_test(test_hook_fails),
	        cmocka_unit_test(test_hook_takes_long),
	        cmocka_unit_test(test_hook_hangs),
	        cmocka_unit_test(test_takes_too_long),
	        cmocka_unit_test(test_ends_by_itself),
	        cmocka_unit_test(test_waits_for_a_pipe),
	        cmocka_unit_test(test_limit),
	        cmocka_unit_test(test_kill),
	        cmocka_unit_test(test_dies_with_us),
	};

	return cmocka_run_group_tests_name("proc_start", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return play(argc, argv, all_tests);
}

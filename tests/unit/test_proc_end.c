/* SPDX-License-Identifier: MIT */
/* proc_run(): all ways to end, asked for or not, and telling of them. */
#include "proc_parts.h"

/* --- ends ----------------------------------------------------------------- */

static void test_exit_and_signal(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("exit"));
	struct proc_result res = run_ok(&spec);

	(void)state;
	assert_int_equal(res.exit_code, 3);
	assert_int_equal(res.signal, 0);
	assert_false(res.timed_out || res.cancelled || res.hung);
	expect_text(&res, "ended with exit code 3");

	spec.argv = ARGV("crash");
	res = run_ok(&spec);
	assert_int_equal(res.exit_code, -1);
	assert_int_equal(res.signal, SIGKILL);
	expect_text(&res, "was killed by signal 9 (Killed)");
	seen_done(&s);
}

static void test_timeout_term(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("tidy"));
	struct proc_result res;

	(void)state;
	spec.timeout_ms = 200;
	res = run_ok(&spec);
	assert_true(res.timed_out);
	assert_false(res.cancelled || res.hung);
	/* On a slow machine it has no handler yet. */
	assert_true(res.exit_code == 20 || res.signal == SIGTERM);
	res.exit_code = 20;
	res.signal = 0;
	expect_text(&res, "took too long and was stopped (exit code 20)");
	seen_done(&s);
}

static void test_timeout_kill(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("stubborn"));
	struct proc_result res;
	int64_t start;

	(void)state;
	s.stop_at = 5; /* "ready": it ignores SIGTERM now */
	spec.grace_ms = 200;
	start = clock_mono_ms();
	res = run_ok(&spec);
	assert_true(clock_mono_ms() - start >= 200);
	assert_true(res.cancelled);
	assert_false(res.timed_out || res.hung);
	assert_int_equal(res.signal, SIGKILL);
	expect_text(&res, "was stopped (signal 9 (Killed))");
	seen_done(&s);
}

static void test_cancel_by_output(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("tidy"));
	struct proc_result res;

	(void)state;
	s.stop_at = 5;
	spec.pid_namespace = true; /* its first process gets it as well */
	res = run_ok(&spec);
	assert_true(res.cancelled);
	assert_int_equal(res.exit_code, 20);
	seen_done(&s);
}

static void test_cancel_by_tick(void **state)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("stubborn"));
	struct proc_result res;

	(void)state;
	s.stop_at_tick = 3;
	spec.on_tick = on_tick;
	spec.tick_ms = 20;
	spec.grace_ms = 100;
	res = run_ok(&spec);
	assert_true(res.cancelled);
	assert_true(s.ticks >= 3);
	assert_true(res.signal == SIGKILL || res.signal == SIGTERM);
	seen_done(&s);
}

static int raise_term(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	(void)stream;
	(void)data;
	(void)len;
	(void)arg;
	(void)raise(SIGTERM);
	return 0;
}

/* In a process of its own, whose signal handlers nobody else wants. */
static int cancel_by_signal(bool ignore)
{
	struct proc_result res;
	struct err err = ERR_INIT;
	struct proc_spec spec = {PROC_SPEC_INIT, .argv = ARGV("tidy"),
	        .on_output = raise_term, .timeout_ms = LONG_MS};
	char *const *flood = ARGV("flood", "200000");

	if (ignore)
		spec.argv = flood;
	spec.ignore_signals = ignore;
	if (sig_init(&err) < 0 || proc_run(&spec, &res, &err) < 0)
		return 1;
	if (sig_caught() != SIGTERM || res.timed_out)
		return 2;
	if (ignore)
		return res.cancelled || res.exit_code != 0 ? 3 : 0;
	if (!res.cancelled || res.exit_code != 20)
		return 4;

	/* Caught before the start counts as well. */
	spec.argv = ARGV("stubborn");
	spec.grace_ms = 100;
	if (proc_run(&spec, &res, &err) < 0 || !res.cancelled)
		return 5;
	return 0;
}

static void test_cancel_by_signal(void **state)
{
	int status;

	(void)state;
	for (int ignore = 0; ignore < 2; ignore++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(cancel_by_signal(ignore));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* --- the parent dies ------------------------------------------------------ */

/* Everybody in the tree holds the write end; when all are gone, it ends. */
static void parent_dies(
        bool pid_namespace, const char *kind, const char *expect)
{
	char number[16];
	char text[8];
	size_t len = 0;
	int p[2];
	int status;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);

	pid_t pid = fork();

	if (pid == 0) {
		struct proc_result res;
		struct err err = ERR_INIT;

		(void)snprintf(number, sizeof(number), "%d", p[1]);

		struct proc_spec spec = {PROC_SPEC_INIT,
		        .argv = ARGV(kind, number), .keep_fds = &p[1],
		        .keep_fds_len = 1, .pid_namespace = pid_namespace};

		(void)close(p[0]);
		_exit(proc_run(&spec, &res, &err) < 0);
	}
	(void)close(p[1]);
	while (len < strlen(expect))
		len += read(p[0], text + len, 1) == 1 ? 1 : 100;
	assert_int_equal(len, strlen(expect)); /* all have started */

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);

	struct pollfd f = {.fd = p[0], .events = POLLIN};

	assert_int_equal(poll(&f, 1, LONG_MS), 1);
	assert_int_equal(read(p[0], text, sizeof(text)), 0);
	(void)close(p[0]);
}

static bool namespaces_work(void)
{
	struct seen s = SEEN_INIT;
	struct proc_spec spec = spec_of(&s, ARGV("pid"));

	spec.pid_namespace = true;
	(void)run_ok(&spec);

	bool works = strcmp(s.out[0].data, "1") == 0;

	seen_done(&s);
	return works;
}

static void test_tree_dies_with_parent(void **state)
{
	(void)state;
	if (!namespaces_work())
		skip();
	parent_dies(true, "tree", "gc");
}

static void test_child_dies_with_parent(void **state)
{
	(void)state;
	parent_dies(false, "lonely", "l");
}

/* The parent dies between fork and PR_SET_PDEATHSIG. */
static void test_parent_died_before(void **state)
{
	struct proc_pipe status;
	struct err err = ERR_INIT;
	int go[2];
	int result;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(proc_prepare_pipe(&status, &err), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		(void)close(go[1]);
		(void)!read(go[0], &c, 1); /* until we have closed ours */
		proc_child_attach(&status);
		_exit(0);
	}
	/* As seen from the child, this is what our death looks like. */
	(void)close(status.read_fd);
	(void)close(go[1]);
	assert_int_equal(waitpid(pid, &result, 0), pid);
	assert_true(WIFEXITED(result));
	assert_int_equal(WEXITSTATUS(result), 127);
	(void)close(go[0]);
	(void)close(status.write_fd);
}

/* --- telling -------------------------------------------------------------- */

static void test_describe(void **state)
{
	struct proc_result res = {
	        .exit_code = -1, .hung = true, .timed_out = true, .pid = 123};
	char small[8];

	(void)state;
	assert_int_equal(strlen(proc_describe(small, sizeof(small), &res)), 7);
	expect_text(&res,
	        "did not end although it was killed; process 123 hangs, "
	        "probably on a disk that does not answer");
	res = (struct proc_result){.exit_code = -1};
	expect_text(&res, "ended, and how is not known");
	res = (struct proc_result){.exit_code = 20, .cancelled = true};
	expect_text(&res, "was stopped (exit code 20)");
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_exit_and_signal),
	        cmocka_unit_test(test_timeout_term),
	        cmocka_unit_test(test_timeout_kill),
	        cmocka_unit_test(test_cancel_by_output),
	        cmocka_unit_test(test_cancel_by_tick),
	        cmocka_unit_test(test_cancel_by_signal),
	        cmocka_unit_test(test_tree_dies_with_parent),
	        cmocka_unit_test(test_child_dies_with_parent),
	        cmocka_unit_test(test_parent_died_before),
	        cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests_name("proc_end", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return play(argc, argv, all_tests);
}

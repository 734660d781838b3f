/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sig.h"

static bool is_readable(void)
{
	struct pollfd p = {.fd = sig_fd(), .events = POLLIN};

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static int start(void **s)
{
	(void)s;
	sig_reset();
	return sig_init(NULL);
}

static void before_init(void **s)
{
	(void)s;
	assert_int_equal(sig_fd(), -1);
	assert_int_equal(sig_caught(), 0);
	sig_reset();
}

static void nothing_came(void **s)
{
	(void)s;
	assert_true(sig_fd() >= 0);
	assert_true(fcntl(sig_fd(), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(sig_caught(), 0);
	assert_false(is_readable());
}

static void the_first_counts(void **s)
{
	int fd = sig_fd();

	(void)s;
	errno = 77;
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(errno, 77);
	assert_int_equal(raise(SIGINT), 0);
	assert_int_equal(sig_caught(), SIGTERM);
	assert_true(is_readable());
	assert_true(is_readable());

	/* A second start changes nothing. */
	assert_int_equal(sig_init(NULL), 0);
	assert_int_equal(sig_fd(), fd);
	assert_int_equal(sig_caught(), SIGTERM);
}

static void a_full_counter_is_no_error(void **s)
{
	uint64_t full = UINT64_MAX - 1;

	(void)s;
	assert_int_equal(write(sig_fd(), &full, sizeof(full)), sizeof(full));
	errno = 77;
	(void)raise(SIGTERM);
	assert_int_equal(errno, 77);
	assert_int_equal(sig_caught(), SIGTERM);
	assert_true(is_readable());
}

static void reset_forgets_and_listens_on(void **s)
{
	(void)s;
	(void)raise(SIGHUP);
	assert_int_equal(sig_caught(), SIGHUP);
	sig_reset();
	assert_int_equal(sig_caught(), 0);
	assert_false(is_readable());
	(void)raise(SIGINT);
	assert_int_equal(sig_caught(), SIGINT);
	assert_true(is_readable());
}

static void a_signal_for_a_child_is_not_ours(void **s)
{
	int status;
	pid_t pid;

	(void)s;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)raise(SIGTERM);
		_exit(sig_caught() == SIGTERM ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(sig_caught(), 0);
	assert_false(is_readable());
}

static void a_closed_pipe_is_an_errno(void **s)
{
	int fds[2];

	(void)s;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	(void)close(fds[0]);
	assert_int_equal(write(fds[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	(void)close(fds[1]);
	(void)raise(SIGXFSZ);
	assert_int_equal(sig_caught(), 0);
}

static void what_nohup_ignores_stays_ignored(void **s)
{
	(void)s;
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	assert_int_equal(sig_init(NULL), 0);
	(void)raise(SIGHUP);
	(void)raise(SIGINT);
	assert_int_equal(sig_caught(), 0);
	/* Nobody means that; and systemd stops with it. */
	(void)raise(SIGTERM);
	assert_int_equal(sig_caught(), SIGTERM);
	(void)signal(SIGHUP, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(before_init),
	        cmocka_unit_test_setup(nothing_came, start),
	        cmocka_unit_test_setup(the_first_counts, start),
	        cmocka_unit_test_setup(a_full_counter_is_no_error, start),
	        cmocka_unit_test_setup(reset_forgets_and_listens_on, start),
	        cmocka_unit_test_setup(a_signal_for_a_child_is_not_ours, start),
	        cmocka_unit_test_setup(a_closed_pipe_is_an_errno, start),
	        cmocka_unit_test_setup(what_nohup_ignores_stays_ignored, start),
	};

	return cmocka_run_group_tests_name("sig", tests, NULL, NULL);
}

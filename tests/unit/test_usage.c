/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../src/common/usage.h"

/* What @call does in a child: its exit code, and what it said. */
static int run(void (*call)(void), char *said, size_t size)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(fds[1], STDERR_FILENO) >= 0)
			call();
		_exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void complain(void)
{
	usage_error("prog", "no %s", "host");
}

static void wrong_number(void)
{
	(void)usage_number("prog", "12x", 0, 100);
}

static void test_exitcode(void **state)
{
	char said[500];

	(void)state;
	assert_int_equal(run(complain, said, sizeof said), 2);
	assert_string_equal(said, "prog: no host\nTry 'prog --help'.\n");
	assert_int_equal(run(wrong_number, said, sizeof said), 2);
	assert_string_equal(said, "prog: '12x' is not a number from 0 to "
	                          "100\nTry 'prog --help'.\n");
	/* A program whose 2 means something else. */
	usage_set_exitcode(254);
	assert_int_equal(run(complain, said, sizeof said), 254);
	assert_int_equal(run(wrong_number, said, sizeof said), 254);
	usage_set_exitcode(2);
}

static void wrong_option(void)
{
	(void)usage_option("prog", complain, '?');
}

static void helps(void)
{
	fputs("helps\n", stderr);
}

static void asks_for_help(void)
{
	(void)usage_option("prog", helps, 'h');
}

static void test_option(void **state)
{
	char said[500];

	(void)state;
	assert_true(usage_option("prog", complain, 'q'));
	assert_true(usage_option("prog", complain, 'v'));
	assert_false(usage_option("prog", complain, 'x'));
	assert_int_equal(run(wrong_option, said, sizeof said), 2);
	assert_string_equal(said, "Try 'prog --help'.\n");
	assert_int_equal(run(asks_for_help, said, sizeof said), 0);
	assert_string_equal(said, "helps\n");
}

static void test_number(void **state)
{
	(void)state;
	assert_int_equal(usage_number("prog", "0", 0, 100), 0);
	assert_int_equal(usage_number("prog", "-5", -5, 100), -5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_exitcode),
	        cmocka_unit_test(test_number),
	        cmocka_unit_test(test_option),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}

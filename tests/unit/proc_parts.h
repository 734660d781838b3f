/* SPDX-License-Identifier: MIT */
/*
 * The programs that the tests of proc_run() start: the test itself again,
 * with the name of a part to play as first argument.  See act().  And what
 * collects their words.  Included by one test program at a time.
 */
#ifndef TEST_PROC_PARTS_H
#define TEST_PROC_PARTS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "buf.h"
#include "clock.h"
#include "num.h"
#include "proc.h"
#include "proc_internal.h"
#include "sig.h"

#define LONG_MS 60000 /* for what must not happen */

static char self[PATH_MAX];

/* --- parts to play -------------------------------------------------------- */

static int act_flood(const char *arg)
{
	static char block[1000];
	int64_t n;

	if (num_parse_i64(arg, 0, INT_MAX, &n) < 0)
		return 1;
	for (int64_t i = 0; i < n; i += (int64_t)sizeof(block)) {
		memset(block, 'o', sizeof(block));
		if (write(1, block, sizeof(block)) != sizeof(block))
			return 1;
		memset(block, 'e', sizeof(block));
		if (write(2, block, sizeof(block)) != sizeof(block))
			return 1;
	}
	return 0;
}

/* Each byte is taken before the next is written: the reader answers. */
static int act_bytes(void)
{
	char answer;

	for (const char *p = "one by one"; *p; p++) {
		if (write(1, p, 1) != 1 || read(0, &answer, 1) != 1)
			return 1;
	}
	return 0;
}

static int act_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	if (!d)
		return 1;
	while ((e = readdir(d))) {
		int64_t fd;

		if (num_parse_i64(e->d_name, 0, INT_MAX, &fd) == 0 &&
		        fd != dirfd(d))
			printf("%s ", e->d_name);
	}
	(void)closedir(d);
	return 0;
}

static void wait_for_ever(void)
{
	for (;;)
		(void)pause();
}

static int act_stubborn(void)
{
	(void)signal(SIGTERM, SIG_IGN);
	(void)!write(1, "ready", 5);
	wait_for_ever();
	return 0;
}

static void on_term(int sig)
{
	(void)sig;
	_exit(20);
}

static int act_tidy(void)
{
	(void)signal(SIGTERM, on_term);
	(void)!write(1, "ready", 5);
	wait_for_ever();
	return 0;
}

/* Leaves a grandchild behind that keeps stdout, in its own session so that it
 * is not in the group, or in the group. */
static int act_orphan(const char *where)
{
	int sync[2];
	char c;

	if (pipe(sync) < 0)
		return 1;

	pid_t pid = fork();

	if (pid == 0) {
		if (strcmp(where, "away") == 0)
			(void)setsid();
		(void)close(sync[0]);
		(void)!write(sync[1], "x", 1);
		wait_for_ever();
	}
	(void)!read(sync[0], &c, 1);
	printf("%d", (int)pid);
	return 7;
}

/* A grandchild in a session of its own; all hold descriptor @arg. */
static int act_tree(const char *arg)
{
	int64_t fd;

	if (num_parse_i64(arg, 0, INT_MAX, &fd) < 0)
		return 1;
	if (fork() == 0) {
		(void)setsid();
		(void)!write((int)fd, "g", 1);
		wait_for_ever();
	}
	(void)!write((int)fd, "c", 1);
	wait_for_ever();
	return 0;
}

static int act_lonely(const char *arg)
{
	int64_t fd;

	if (num_parse_i64(arg, 0, INT_MAX, &fd) < 0)
		return 1;
	(void)!write((int)fd, "l", 1);
	wait_for_ever();
	return 0;
}

static int act_status(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	if (!f)
		return 1;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Sig", 3) == 0)
			fputs(line, stdout);
	}
	(void)fclose(f);
	return 0;
}

static int act_place(void)
{
	char cwd[PATH_MAX];
	mode_t mask = umask(0);

	printf("%s %03o %s %d", getcwd(cwd, sizeof(cwd)), (unsigned)mask,
	        getpgid(0) == getpid() ? "leader" : "member",
	        getpriority(PRIO_PROCESS, 0));
	return 0;
}

static int act(char **argv)
{
	const char *part = argv[1];
	const char *arg = argv[2] ? argv[2] : "";

	if (strcmp(part, "flood") == 0)
		return act_flood(arg);
	if (strcmp(part, "bytes") == 0)
		return act_bytes();
	if (strcmp(part, "fds") == 0)
		return act_fds();
	if (strcmp(part, "stubborn") == 0)
		return act_stubborn();
	if (strcmp(part, "tidy") == 0)
		return act_tidy();
	if (strcmp(part, "orphan") == 0)
		return act_orphan(arg);
	if (strcmp(part, "tree") == 0)
		return act_tree(arg);
	if (strcmp(part, "lonely") == 0)
		return act_lonely(arg);
	if (strcmp(part, "status") == 0)
		return act_status();
	if (strcmp(part, "place") == 0)
		return act_place();
	if (strcmp(part, "pid") == 0)
		return printf("%d", (int)getpid()) < 0;
	if (strcmp(part, "exit") == 0)
		return 3;
	if (strcmp(part, "crash") == 0) {
		(void)raise(SIGKILL);
		return 0;
	}
	return 2;
}

/* --- collecting ----------------------------------------------------------- */

struct seen {
	struct buf out[2];
	int stop_at;   /* ask for the end when stdout has so many bytes */
	int answer_fd; /* a byte for each that came */
	int ticks;
	int stop_at_tick;
	int chunks;
};
#define SEEN_INIT ((struct seen){.out = {BUF_INIT, BUF_INIT}, .answer_fd = -1})

_unused_ static void seen_done(struct seen *s)
{
	buf_done(&s->out[0]);
	buf_done(&s->out[1]);
}

static int on_output(
        enum proc_stream stream, const char *data, size_t len, void *arg)
{
	struct seen *s = arg;

	assert_true(len > 0 && len <= 65536);
	buf_add(&s->out[stream == PROC_STDOUT ? 0 : 1], data, len);
	s->chunks++;
	if (s->answer_fd >= 0)
		assert_int_equal(write(s->answer_fd, data, len), (ssize_t)len);
	return s->stop_at > 0 && s->out[0].len >= (size_t)s->stop_at;
}

_unused_ static int on_tick(pid_t pid, void *arg)
{
	struct seen *s = arg;

	assert_true(pid > 0);
	return ++s->ticks == s->stop_at_tick;
}

_unused_ static struct proc_spec spec_of(struct seen *s, char *const *argv)
{
	return (struct proc_spec){
	        PROC_SPEC_INIT,
	        .name = "part",
	        .argv = argv,
	        .on_output = on_output,
	        .cb_arg = s,
	        .timeout_ms = LONG_MS,
	};
}

/* String literals are const, arguments of main() are not: no more than that. */
#define VECTOR(...) \
	((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})
#define ARGV(...) VECTOR(self, __VA_ARGS__)

_unused_ static struct proc_result run_ok(const struct proc_spec *spec)
{
	struct proc_result res;
	struct err err = ERR_INIT;

	assert_int_equal(proc_run(spec, &res, &err), 0);
	assert_true(res.pid > 0);
	/* Nothing is left to reap. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return res;
}

_unused_ static int run_fails(const struct proc_spec *spec, const char *what)
{
	struct proc_result res = {.pid = 99};
	struct err err = ERR_INIT;
	int code = proc_run(spec, &res, &err);

	assert_true(code < 0);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.message, what));
	assert_int_equal(res.pid, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return code;
}

_unused_ static void expect_text(
        const struct proc_result *res, const char *what)
{
	char text[256];

	assert_string_equal(proc_describe(text, sizeof(text), res), what);
}

_unused_ static int count_fds(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

/* The main() of a test program. */
static int play(int argc, char **argv, int (*tests)(void))
{
	if (argc > 1) {
		int code = act(argv);

		return fflush(stdout) == 0 ? code : 1;
	}

	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	return n < 0 ? 1 : tests();
}

#endif

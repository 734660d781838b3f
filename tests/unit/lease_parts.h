/* SPDX-License-Identifier: MIT */
/*
 * lease_parts: what the tests of the locks share.
 *
 * Several struct lease in one process are as many programs to flock(2).  A
 * script that was killed is a child that was.  Everything asserts; include it
 * behind cmocka.h and scratch.h.
 */
#ifndef TESTS_LEASE_PARTS_H
#define TESTS_LEASE_PARTS_H

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

#include "clock.h"
#include "core/lease.h"
#include "str.h"

#define DAY_S (24 * 60 * 60)
#define LONG_MS 60000 /* for what must not happen */

static char base[SCRATCH_PATH]; /* of the test */
static char path[SCRATCH_PATH]; /* of the locks, below it */
static struct err err;

_unused_ static int make_base(void **state)
{
	(void)state;
	err = ERR_INIT;
	scratch_make(base, "lease");
	(void)snprintf(path, sizeof path, "%.*s/lock", SCRATCH_PATH - 8, base);
	return 0;
}

_unused_ static int remove_base(void **state)
{
	(void)state;
	scratch_remove(base);
	return 0;
}

static struct lease_record record(const char *job, const char *run)
{
	struct lease_record rec = {.ttl_s = DAY_S, .pid = getpid()};
	struct lease_now now;

	lease_now(&now);
	rec.taken = now.real;
	rec.taken_boot_ms = now.boot_ms;
	(void)str_copy(rec.job, sizeof rec.job, job);
	(void)str_copy(rec.run, sizeof rec.run, run);
	(void)str_copy(rec.host, sizeof rec.host, "here");
	(void)str_copy(rec.machine, sizeof rec.machine, now.machine);
	(void)str_copy(rec.boot, sizeof rec.boot, now.boot);
	return rec;
}

/* --- what was reaped ------------------------------------------------------ */

#define REAPED_MAX 8
/* What is in a file below the directory of locks. */
_unused_ static struct lease_record read_lease(const char *name)
{
	_cleanup_free_ char *text = scratch_read(path, name);
	struct lease_record rec;

	assert_int_equal(lease_record_parse(text, strlen(text), &rec), 0);
	return rec;
}

static struct {
	char job[LEASE_JOB_MAX + 1];
	enum lease_verdict why;
} reaped[REAPED_MAX];
static size_t reaped_len;

static void remember(const char *job, enum lease_verdict why, void *arg)
{
	assert_ptr_equal(arg, reaped);
	assert_true(reaped_len < REAPED_MAX);
	(void)str_copy(reaped[reaped_len].job, LEASE_JOB_MAX + 1, job);
	reaped[reaped_len++].why = why;
}

static struct lease open_lease(void)
{
	struct lease l = LEASE_INIT;

	assert_int_equal(lease_open(&l, path, DAY_S, &err), 0);
	assert_true(lease_fd(&l) >= 0);
	l.on_reaped = remember;
	l.arg = reaped;
	reaped_len = 0;
	return l;
}

/* --- shorthands ----------------------------------------------------------- */

static int job_queue(struct lease *l, const char *job, const char *run)
{
	struct lease_record rec = record(job, run);

	return lease_job_queue(l, &rec, &err);
}

_unused_ static int job_try(struct lease *l, const char *job, const char *run)
{
	struct lease_record rec = record(job, run);

	return lease_job_try(l, &rec, &err);
}

_unused_ static int job_force(struct lease *l, const char *job, const char *run)
{
	struct lease_record rec = record(job, run);

	return lease_job_force(l, &rec, &err);
}

_unused_ static int job_release(
        struct lease *l, const char *job, const char *run)
{
	return lease_release(l, job, run, &err);
}

static int copy_queue(struct lease *l)
{
	struct lease_record rec = record("copy", "");

	return lease_copy_queue(l, &rec, &err);
}

/* The jobs that are named, as "a b". */
static char names[512];

static void join(struct strv *v)
{
	names[0] = '\0';
	for (size_t i = 0; i < v->len; i++)
		(void)snprintf(names + strlen(names),
		        sizeof names - strlen(names), "%s%s", i ? " " : "",
		        v->items[i]);
	strv_done(v);
}

static int copy_try(struct lease *l, int *ret_fd)
{
	struct strv jobs = STRV_INIT;
	int r = lease_copy_try(l, ret_fd, &jobs, &err);

	join(&jobs);
	return r;
}

_unused_ static int copy_verdict(struct lease *l)
{
	struct strv jobs = STRV_INIT;
	int r = lease_copy_verdict(l, &jobs, &err);

	join(&jobs);
	return r;
}

_unused_ static int copy_waiting(struct lease *l)
{
	struct strv jobs = STRV_INIT;
	int r = lease_copy_waiting(l, &jobs, &err);

	join(&jobs);
	return r;
}

/* C1 and C2 at once. */
_unused_ static int copy_begin(struct lease *l)
{
	int fd = -1;

	assert_int_equal(copy_queue(l), 0);
	assert_int_equal(copy_try(l, &fd), 0);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	return fd;
}

/* --- other processes ------------------------------------------------------ */

struct child {
	pid_t pid;
	int out; /* a byte comes when it has reached the place */
};

/* @fn runs in the child, and says when it is ready by ready(). */
static int ready_fd = -1;

static void ready(void)
{
	if (write(ready_fd, "r", 1) != 1)
		_exit(99);
}

_unused_ static struct child start(void (*fn)(void))
{
	int out[2];
	struct child c;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		(void)alarm(LONG_MS / 1000);
		(void)close(out[0]);
		ready_fd = out[1];
		fn();
		_exit(0);
	}
	(void)close(out[1]);
	c.out = out[0];
	return c;
}

/* A byte of the child; fails when it ends without one. */
_unused_ static void await(const struct child *c)
{
	struct pollfd p = {.fd = c->out, .events = POLLIN};
	char byte;

	assert_int_equal(poll(&p, 1, LONG_MS), 1);
	assert_int_equal(read(c->out, &byte, 1), 1);
}

_unused_ static void end_killed(struct child *c)
{
	int status;

	assert_int_equal(kill(c->pid, SIGKILL), 0);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFSIGNALED(status));
	(void)close(c->out);
}

_unused_ static void end_well(struct child *c)
{
	int status;

	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_int_equal(status, 0);
	(void)close(c->out);
}

/* A job's ticket whose script was killed while it waited. */
static const char *victim_job = "killed", *victim_run = "";

static void wait_as_job(void)
{
	struct lease l = open_lease();

	if (job_queue(&l, victim_job, victim_run) != 1)
		_exit(2);
	ready();
	for (;;)
		(void)pause();
}

static void wait_as_copy(void)
{
	struct lease l = open_lease();

	if (copy_queue(&l) != 0)
		_exit(2);
	ready();
	for (;;)
		(void)pause();
}

_unused_ static void killed_while_waiting(bool copy)
{
	struct child c = start(copy ? wait_as_copy : wait_as_job);

	await(&c);
	end_killed(&c);
}

/* How many files there are, without those that begin with a dot. */
_unused_ static size_t count(const char *name)
{
	_cleanup_closedir_ DIR *d = opendir(scratch_path(path, name));
	struct dirent *de;
	size_t n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	return n;
}

#endif

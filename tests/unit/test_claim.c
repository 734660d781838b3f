/* SPDX-License-Identifier: MIT */
/* What leases and lock files do alone: test_lease*.c, test_jobs.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "clock.h"
#include "core/claim.h"
#include "core/lockjob.h"
#include "scratch.h"
#include "sig.h"
#include "util.h"

#define LONG_MS 60000 /* for what must not happen */

static char dir[SCRATCH_PATH];
static struct strv dirs;
static struct claim *claim;
static struct lease jobs; /* the other side */
static struct err err;
static char name[256];

static struct claim *open_claim(void)
{
	_cleanup_free_ char *locks = strdup(scratch_path(dir, "locks"));
	struct lease_record self;
	struct claim_spec spec = {.old_dirs = &dirs,
	        .lock_dir = locks,
	        .lease_s = 3600,
	        .self = &self};
	struct claim *c = NULL;

	lockjob_record(&self, 3600);
	(void)str_copy(self.job, sizeof self.job, "disk");
	assert_int_equal(claim_open(&spec, &c, &err), 0);
	return c;
}

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	scratch_make(dir, "claim");
	assert_int_equal(strv_add(&dirs, scratch_path(dir, "old")), 0);
	assert_int_equal(strv_add(&dirs, scratch_path(dir, "other")), 0);
	claim = open_claim();
	jobs = LEASE_INIT;
	assert_int_equal(
	        lease_open(&jobs, scratch_path(dir, "locks"), 3600, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lease_close(&jobs);
	claim_close(claim);
	claim_close(NULL);
	claim = NULL;
	strv_done(&dirs);
	scratch_remove(dir);
	return 0;
}

static void lock(const char *file)
{
	scratch_write(dir, file, "");
}

static struct lease_record job(const char *id)
{
	struct lease_record rec;

	lockjob_record(&rec, 3600);
	(void)str_copy(rec.job, sizeof rec.job, id);
	return rec;
}

static int begin_job(const char *id)
{
	struct lease_record rec = job(id);

	return lease_job_queue(&jobs, &rec, &err);
}

struct seen {
	int calls;
	size_t len;
	int tell_fd; /* a byte for each call */
	char first[100];
};

static void on_wait(const struct strv *names, void *arg)
{
	struct seen *s = arg;

	s->calls++;
	s->len = names->len;
	(void)str_copy(s->first, sizeof s->first, names->items[0]);
	if (s->tell_fd >= 0)
		assert_int_equal(write(s->tell_fd, "x", 1), 1);
}

static int take(int64_t limit_ms, struct seen *seen)
{
	struct claim_wait w = {.limit_ms = limit_ms,
	        .on_wait = seen ? on_wait : NULL,
	        .arg = seen};

	return claim_take(claim, &w, &err);
}

/* --- taking it ------------------------------------------------------------ */

static void keeps_jobs_away(void **state)
{
	_cleanup_strv_ struct strv waiting = STRV_INIT;

	(void)state;
	assert_int_equal(claim_fd(claim), -1);
	assert_int_equal(claim_fd(NULL), -1);
	assert_int_equal(take(0, NULL), 0);
	assert_true(claim_fd(claim) >= 0);
	assert_int_equal(claim_overlap(claim, name, &err), 0);
	assert_string_equal(name, "");

	assert_int_equal(begin_job("daily"), 1);
	assert_int_equal(claim_waiting(claim, &waiting, &err), 0);
	assert_int_equal(waiting.len, 1);
	assert_string_equal(waiting.items[0], "daily");
	/* That it waits is no overlap. */
	assert_int_equal(claim_overlap(claim, name, &err), 0);

	claim_release(claim);
	assert_int_equal(claim_fd(claim), -1);
	struct lease_record rec = job("daily");
	assert_int_equal(lease_job_try(&jobs, &rec, &err), 0);
}

static void waits_for_a_lease(void **state)
{
	struct seen seen = {.tell_fd = -1};

	(void)state;
	assert_int_equal(begin_job("weekly"), 0);
	assert_int_equal(take(0, &seen), -ETIMEDOUT);
	assert_int_equal(seen.calls, 1);
	assert_string_equal(seen.first, "weekly");
	assert_non_null(strstr(err.message, "weekly"));
	assert_int_equal(claim_fd(claim), -1);
	/* Nobody waits for one that has given up. */
	assert_int_equal(begin_job("other"), 0);
	assert_int_equal(
	        lease_release(&jobs, "weekly", "", &err), LEASE_RELEASED);
	assert_int_equal(
	        lease_release(&jobs, "other", "", &err), LEASE_RELEASED);
	assert_int_equal(take(0, &seen), 0);
	assert_int_equal(seen.calls, 1);
}

static void job_that_does_not_wait(void **state)
{
	struct lease_record rec = job("forced");

	(void)state;
	assert_int_equal(take(0, NULL), 0);
	assert_int_equal(lease_job_force(&jobs, &rec, &err), 1);
	assert_int_equal(claim_overlap(claim, name, &err), 1);
	assert_string_equal(name, "forced");
	/* Also when it has ended before anybody looked. */
	assert_int_equal(lease_release(&jobs, "forced", "", &err),
	        LEASE_RELEASED_FORCED);
	assert_int_equal(claim_overlap(claim, name, &err), 1);
	assert_string_equal(name, "?");
	/* A new pass is judged anew. */
	assert_int_equal(take(0, NULL), 0);
	assert_int_equal(claim_overlap(claim, name, &err), 0);
}

static void old_lock_file_beside_it(void **state)
{
	(void)state;
	assert_int_equal(take(0, NULL), 0);
	lock("old/2024.lock");
	assert_int_equal(claim_overlap(claim, name, &err), 1);
	assert_string_equal(name, "2024.lock");
	assert_int_equal(take(0, NULL), -ETIMEDOUT);
	assert_int_equal(unlink(scratch_path(dir, "old/2024.lock")), 0);
	assert_int_equal(take(0, NULL), 0);
	assert_int_equal(claim_overlap(claim, name, &err), 0);
}

static void another_copy(void **state)
{
	struct claim *second = open_claim();
	struct claim_wait w = {.limit_ms = LONG_MS};

	(void)state;
	assert_int_equal(take(0, NULL), 0);
	assert_int_equal(claim_take(second, &w, &err), -EWOULDBLOCK);
	assert_true(err.message[0]);
	claim_release(claim);
	assert_int_equal(claim_take(second, &w, &err), 0);
	claim_close(second);
	assert_int_equal(take(0, NULL), 0);
}

static void directory_that_cannot_be(void **state)
{
	struct claim *c = NULL;
	struct lease_record self = job("disk");
	_cleanup_free_ char *file = strdup(scratch_path(dir, "file"));
	struct claim_spec spec = {.old_dirs = &dirs,
	        .lock_dir = file,
	        .lease_s = 3600,
	        .self = &self};

	(void)state;
	scratch_write(dir, "file", "");
	assert_true(claim_open(&spec, &c, &err) < 0);
	assert_null(c);
	assert_true(err.message[0] && err.meaning[0] && err.action[0]);
}

static void directory_replaced(void **state)
{
	char from[SCRATCH_PATH];

	(void)state;
	assert_int_equal(take(0, NULL), 0);
	(void)str_copy(from, sizeof from, scratch_path(dir, "locks"));
	assert_int_equal(rename(from, scratch_path(dir, "gone")), 0);
	assert_int_equal(claim_overlap(claim, name, &err), 1);
	assert_int_equal(take(0, NULL), 0);
	assert_int_equal(claim_overlap(claim, name, &err), 0);
}

/* --- waiting -------------------------------------------------------------- */

static void no_wait(void **state)
{
	struct seen seen = {.tell_fd = -1};

	(void)state;
	assert_int_equal(take(0, &seen), 0);
	assert_int_equal(seen.calls, 0);
}

static void times_out(void **state)
{
	struct seen seen = {.tell_fd = -1};

	(void)state;
	lock("other/a.lock");
	assert_int_equal(take(0, &seen), -ETIMEDOUT);
	assert_non_null(strstr(err.message, "a.lock"));
	assert_int_equal(seen.calls, 1);
	assert_int_equal(take(50, &seen), -ETIMEDOUT);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.len, 1);
}

/* Unlinks each of @files after a byte came from @fd. */
static pid_t unlocker(int fd, const char *const *files)
{
	pid_t pid = fork();
	char c;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	for (; *files; files++)
		if (read(fd, &c, 1) != 1 ||
		        unlink(scratch_path(dir, *files)) < 0)
			_exit(1);
	_exit(0);
}

/* By the event: the look every few seconds would be seen in the time. */
static void ends_with_the_last_lock(void **state)
{
	static const char *const files[] = {"other/a.lock", "old/b.lock", NULL};
	struct seen seen = {.calls = 0};
	int p[2], status;
	int64_t began;
	pid_t pid;

	(void)state;
	lock("other/a.lock");
	lock("old/b.lock");
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	seen.tell_fd = p[1];
	pid = unlocker(p[0], files);
	began = clock_mono_ms();
	assert_int_equal(take(LONG_MS, &seen), 0);
	assert_true(clock_mono_ms() - began < 4500);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.len, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void stop_us(const struct strv *names, void *arg)
{
	(void)names;
	(void)arg;
	(void)kill(getpid(), SIGTERM);
}

static void ended_by_a_signal(void **state)
{
	struct claim_wait w = {.limit_ms = LONG_MS, .on_wait = stop_us};

	(void)state;
	lock("other/a.lock");
	assert_int_equal(claim_take(claim, &w, &err), -EINTR);
	assert_int_equal(sig_caught(), SIGTERM);
	sig_reset();
}

static int count_to_two(void *arg)
{
	int *calls = arg;

	/* A change wakes the wait: it looks again. */
	if (++*calls == 1)
		lock("other/b.lock");
	return *calls == 2 ? -1 : 0;
}

static void given_up(void **state)
{
	int calls = 0;
	struct claim_wait w = {
	        .limit_ms = LONG_MS, .on_look = count_to_two, .arg = &calls};

	(void)state;
	lock("other/a.lock");
	assert_int_equal(claim_take(claim, &w, &err), -ECANCELED);
	assert_int_equal(calls, 2);
	assert_true(err.message[0]);
}

/* It comes while poll(2) sleeps. */
static void woken_by_a_signal(void **state)
{
	int p[2], status;
	struct seen seen = {.calls = 0};
	pid_t pid, parent = getpid();
	int64_t began = clock_mono_ms();

	(void)state;
	lock("other/a.lock");
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	seen.tell_fd = p[1];
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char c;

		if (read(p[0], &c, 1) != 1)
			_exit(1);
		_exit(kill(parent, SIGINT) < 0);
	}
	assert_int_equal(take(LONG_MS, &seen), -EINTR);
	assert_true(clock_mono_ms() - began < 4500);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	sig_reset();
	(void)close(p[0]);
	(void)close(p[1]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(keeps_jobs_away),
	        T(waits_for_a_lease),
	        T(job_that_does_not_wait),
	        T(old_lock_file_beside_it),
	        T(another_copy),
	        T(directory_that_cannot_be),
	        T(directory_replaced),
	        T(no_wait),
	        T(times_out),
	        T(ends_with_the_last_lock),
	        T(ended_by_a_signal),
	        T(given_up),
	        T(woken_by_a_signal),
	};

	if (sig_init(NULL) < 0)
		return 1;
	return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}

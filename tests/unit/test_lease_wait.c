/* SPDX-License-Identifier: MIT */
/*
 * Who waits is woken by what lets him go on, and by nothing else.  Nothing is
 * timed: lease_wait() by itself looks again after five seconds, and here time
 * has no end, so whoever is not woken makes the test hang.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>

#include "scratch.h"
#include "sig.h"
#include "lease_parts.h"

/* Takes the place of the C library's: a wait of seconds is one for ever. */
static bool no_belt;
static int asked_ms;
int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec ts = {.tv_sec = timeout_ms / 1000,
	        .tv_nsec = timeout_ms % 1000 * 1000000L};

	asked_ms = timeout_ms;
	return (int)syscall(SYS_ppoll, fds, n,
	        timeout_ms < 0 || (no_belt && timeout_ms >= 1000) ? NULL : &ts,
	        NULL, 0);
}

static struct lease copy, job;
static int copy_fd;

static int setup(void **state)
{
	no_belt = true;
	copy_fd = -1;
	(void)make_base(state);
	copy = open_lease();
	job = open_lease();
	return 0;
}

static int teardown(void **state)
{
	util_closep(&copy_fd);
	lease_close(&copy);
	lease_close(&job);
	return remove_base(state);
}

/* Does the kernel have something to tell? */
static bool hears(const struct lease *l)
{
	struct pollfd p = {.fd = l->inotify_fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void forget(struct lease *l)
{
	lease_wait(l, 0);
	assert_false(hears(l));
}

/* --- waiters in another process ------------------------------------------- */

/* Its own ticket was an event too, and the look after it; from now on only
 * another one wakes it. */
static void settle(struct lease *l)
{
	lease_wait(l, 0);
	lease_wait(l, 0);
	assert_false(l->was_woken);
	ready();
}

static void job_that_waits(void)
{
	struct lease l = open_lease();

	util_closep(&copy_fd); /* the parent's */
	if (job_queue(&l, "waiting", "") != 1)
		_exit(2);
	settle(&l);
	while (job_try(&l, "waiting", "") != 0)
		lease_wait(&l, LONG_MS);
	lease_close(&l);
}

static void copy_that_waits(void)
{
	struct lease l = open_lease();
	int fd = -1;

	util_closep(&copy_fd);
	if (copy_queue(&l) != 0)
		_exit(2);
	settle(&l);
	while (copy_try(&l, &fd) != 0)
		lease_wait(&l, LONG_MS);
	if (copy_verdict(&l) != 0)
		_exit(3);
	lease_close(&l);
}

static void the_copy_ends(void **s)
{
	struct child a, b;

	(void)s;
	copy_fd = copy_begin(&copy);
	a = start(job_that_waits);
	await(&a);
	b = start(job_that_waits);
	await(&b);
	util_closep(&copy_fd);
	/* Both of one name, which does not matter here. */
	end_well(&a);
	end_well(&b);
}

static void hold_copy(void)
{
	struct lease l = open_lease();

	(void)copy_begin(&l);
	ready();
	for (;;)
		(void)pause();
}

static void the_copy_is_killed(void **s)
{
	struct child holder = start(hold_copy), a, b;

	(void)s;
	await(&holder);
	a = start(job_that_waits);
	await(&a);
	b = start(copy_that_waits);
	await(&b);
	end_killed(&holder);
	end_well(&a);
	assert_int_equal(job_release(&job, "waiting", ""), LEASE_RELEASED);
	end_well(&b);
}

static void the_job_ends(void **s)
{
	struct child a, b;

	(void)s;
	assert_int_equal(job_queue(&job, "job", ""), 0);
	a = start(copy_that_waits);
	await(&a);
	b = start(copy_that_waits);
	await(&b);
	assert_int_equal(job_release(&job, "job", ""), LEASE_RELEASED);
	end_well(&a);
	end_well(&b);
}

static void the_one_before_is_killed(void **s)
{
	struct child first, second;

	(void)s;
	assert_int_equal(job_queue(&job, "job", ""), 0);
	first = start(wait_as_copy);
	await(&first);
	second = start(job_that_waits);
	await(&second);
	end_killed(&first);
	end_well(&second);
}

static void the_one_before_gives_up(void **s)
{
	struct child waiter;

	(void)s;
	assert_int_equal(copy_queue(&copy), 0);
	waiter = start(job_that_waits);
	await(&waiter);
	lease_close(&copy);
	end_well(&waiter);
	copy = open_lease();
}

/* --- what is heard -------------------------------------------------------- */

static void somebody_looks(struct lease *l, bool as_copy)
{
	struct strv v = STRV_INIT;
	int fd = -1;

	(void)lease_is_copying(l);
	if (as_copy)
		assert_int_equal(copy_try(l, &fd), 1);
	else
		assert_int_equal(job_try(l, "other", ""), 1);
	assert_int_equal(lease_copy_waiting(l, &v, &err), 0);
	strv_done(&v);
	assert_int_equal(lease_clean(l, &err), 0);
}

static int count_entry(const struct lease_entry *e, void *arg)
{
	(void)e;
	++*(int *)arg;
	return 0;
}

static void looking_wakes_nobody(void **s)
{
	struct lease other = open_lease(), another = open_lease();
	int n = 0;

	(void)s;
	copy_fd = copy_begin(&copy);
	assert_int_equal(job_queue(&job, "job", ""), 1);
	assert_int_equal(job_queue(&other, "other", ""), 1);
	assert_int_equal(copy_queue(&another), 0);
	forget(&job);
	for (int i = 0; i < 3; i++) {
		somebody_looks(&other, false);
		somebody_looks(&another, true);
		assert_int_equal(lease_list(&other, count_entry, &n, &err), 0);
		assert_int_equal(copy_verdict(&copy), 0);
		assert_int_equal(
		        job_release(&other, "unknown", ""), LEASE_NOT_THERE);
	}
	assert_int_equal(n, 9);
	assert_false(hears(&job));
	/* nor does a look without the copy */
	util_closep(&copy_fd);
	assert_true(hears(&job));
	forget(&job);
	assert_int_equal(copy_try(&another, &copy_fd), 1);
	assert_false(hears(&job));
	lease_close(&other);
	lease_close(&another);
}

/* --- how long ------------------------------------------------------------- */

static void it_looks_again_by_itself(void **s)
{
	(void)s;
	no_belt = false;
	forget(&job);
	lease_wait(&job, 10);
	assert_int_equal(asked_ms, 10);
	lease_wait(&job, 0);
	assert_int_equal(asked_ms, 0);
	/* a deadline that has passed */
	lease_wait(&job, -1);
	assert_int_equal(asked_ms, 0);
	lease_wait(&job, INT32_MIN);
	assert_int_equal(asked_ms, 0);
}

/* The kernel tells of the end of a descriptor before its lock is free. */
static void woken_too_early(void **s)
{
	int fd;

	(void)s;
	copy_fd = copy_begin(&copy);
	assert_int_equal(job_queue(&job, "job", ""), 1);
	forget(&job);
	fd = open(scratch_path(path, "copy"), O_RDWR | O_CLOEXEC);
	(void)close(fd);
	assert_true(hears(&job));
	lease_wait(&job, LONG_MS);
	assert_int_equal(job_try(&job, "job", ""), 1);
	/* as if now: no word of it comes any more */
	assert_int_equal(flock(copy_fd, LOCK_UN), 0);
	assert_false(hears(&job));
	lease_wait(&job, LONG_MS);
	assert_true(asked_ms > 0 && asked_ms <= 50);
	assert_int_equal(job_try(&job, "job", ""), 0);
	/* once, not again and again */
	forget(&job);
	no_belt = false;
	forget(&job);
	lease_wait(&job, 30);
	assert_int_equal(asked_ms, 30);
}

static void without_inotify(void **s)
{
	struct lease only = LEASE_INIT;

	(void)s;
	assert_int_equal(lease_open_existing(&only, path, DAY_S, &err), 0);
	assert_int_equal(only.inotify_fd, -1);
	only.is_watching = true; /* in vain */
	no_belt = false;
	lease_wait(&only, 1);
	assert_int_equal(asked_ms, 1);
	lease_close(&only);
}

static void a_signal_ends_it(void **s)
{
	(void)s;
	assert_int_equal(sig_init(&err), 0);
	assert_int_equal(raise(SIGTERM), 0);
	lease_wait(&job, LONG_MS);
	assert_int_equal(sig_caught(), SIGTERM);
	lease_wait(&job, LONG_MS); /* and stays so */
	sig_reset();
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(the_copy_ends),
	        TEST(the_copy_is_killed),
	        TEST(the_job_ends),
	        TEST(the_one_before_is_killed),
	        TEST(the_one_before_gives_up),
	        TEST(looking_wakes_nobody),
	        TEST(it_looks_again_by_itself),
	        TEST(woken_too_early),
	        TEST(without_inotify),
	        TEST(a_signal_ends_it),
	};

	return cmocka_run_group_tests_name("lease_wait", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The copy's side of the protocol: C1 to C4 of lease.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "lease_parts.h"

static struct lease a, b, job;
static int fd;

static int setup(void **state)
{
	fd = -1;
	(void)make_base(state);
	a = open_lease();
	b = open_lease();
	job = open_lease();
	return 0;
}

static int teardown(void **state)
{
	util_closep(&fd);
	lease_close(&a);
	lease_close(&b);
	lease_close(&job);
	return remove_base(state);
}

static void alone(void **s)
{
	(void)s;
	assert_false(lease_is_copying(&a));
	assert_int_equal(copy_queue(&a), 0);
	assert_int_equal(count("queue"), 1);
	assert_false(lease_is_copying(&b));
	assert_int_equal(copy_try(&a, &fd), 0);
	assert_int_equal(count("queue"), 0);
	assert_int_equal(a.copy_fd, fd);
	assert_true(lease_is_copying(&a));
	assert_true(lease_is_copying(&b));
	assert_true(scratch_has(path, "untouched"));
	assert_int_equal(copy_waiting(&a), 0);
	assert_int_equal(copy_verdict(&a), 0);
	assert_string_equal(names, "");
	/* It is lent: the lock outlives what we know of it. */
	lease_close(&a);
	assert_true(lease_is_copying(&b));
	util_closep(&fd);
	assert_false(lease_is_copying(&b));
	a = open_lease();
}

static void two_copies(void **s)
{
	(void)s;
	fd = copy_begin(&a);
	assert_int_equal(copy_queue(&b), 0);
	assert_int_equal(copy_try(&b, &fd), 1);
	assert_string_equal(names, "");
	util_closep(&fd);
	assert_int_equal(copy_try(&b, &fd), 0);
	assert_int_equal(copy_verdict(&b), 0);
	/* What the first had is over. */
	assert_int_equal(copy_verdict(&a), 1);
}

/* One that waits is served before one that comes later. */
static void two_copies_wait(void **s)
{
	(void)s;
	assert_int_equal(job_queue(&job, "job", ""), 0);
	assert_int_equal(copy_queue(&a), 0);
	assert_int_equal(copy_queue(&b), 0);
	assert_int_equal(copy_try(&b, &fd), 1);
	assert_string_equal(names, "job");
	assert_int_equal(job_release(&job, "job", ""), LEASE_RELEASED);
	assert_int_equal(copy_try(&b, &fd), 1);
	assert_string_equal(names, "");
	assert_int_equal(copy_try(&a, &fd), 0);
	util_closep(&fd);
	assert_int_equal(copy_try(&b, &fd), 0);
}

static void a_dead_one_is_passed_over(void **s)
{
	(void)s;
	killed_while_waiting(true);
	assert_int_equal(count("queue"), 1);
	/* neither a copy nor a job waits for it */
	assert_int_equal(job_queue(&job, "job", ""), 0);
	assert_int_equal(count("queue"), 0);
	assert_int_equal(job_release(&job, "job", ""), LEASE_RELEASED);
	assert_int_equal(reaped_len, 0);
	assert_int_equal(copy_queue(&a), 0);
	killed_while_waiting(true);
	fd = -1;
	assert_int_equal(copy_try(&a, &fd), 0);
	assert_int_equal(copy_verdict(&a), 0);
	assert_int_equal(count("queue"), 0);
}

/* Its script was killed while it waited: the job runs. */
static void a_dead_job_runs(void **s)
{
	(void)s;
	fd = copy_begin(&a);
	victim_job = "Daily";
	killed_while_waiting(false);
	reaped_len = 0;
	assert_int_equal(copy_waiting(&a), 0); /* nobody waits any more */
	assert_string_equal(names, "");
	assert_true(scratch_has(path, "untouched"));
	assert_int_equal(copy_verdict(&a), 1);
	assert_string_equal(names, "Daily");
	assert_int_equal(reaped_len, 1);
	assert_string_equal(reaped[0].job, "Daily");
	assert_int_equal(reaped[0].why, LEASE_LIVE);
	util_closep(&fd);
	/* and the next copy waits for it */
	assert_int_equal(copy_queue(&b), 0);
	assert_int_equal(copy_try(&b, &fd), 1);
	assert_string_equal(names, "Daily");
	assert_int_equal(job_release(&job, "Daily", ""), LEASE_RELEASED_FORCED);
	assert_int_equal(copy_try(&b, &fd), 0);
}

static void who_waits(void **s)
{
	struct lease other = open_lease();

	(void)s;
	fd = copy_begin(&a);
	assert_int_equal(copy_queue(&b), 0); /* a copy is no job */
	assert_int_equal(copy_waiting(&a), 0);
	assert_string_equal(names, "");
	assert_int_equal(job_queue(&job, "x", "1"), 1);
	assert_int_equal(job_queue(&other, "y z", "1"), 1);
	assert_int_equal(copy_waiting(&a), 0);
	assert_string_equal(names, "x y z");
	assert_int_equal(job_force(&other, "y z", "1"), 1);
	assert_int_equal(copy_waiting(&a), 0);
	assert_string_equal(names, "x");
	lease_close(&job);
	assert_int_equal(copy_waiting(&a), 0);
	assert_string_equal(names, "");
	job = open_lease();
	lease_close(&other);
}

/* It gives way: behind whoever waits, and a new pass with a new mark. */
static void it_yields(void **s)
{
	(void)s;
	fd = copy_begin(&a);
	assert_int_equal(job_queue(&job, "job", ""), 1);
	util_closep(&fd);
	assert_int_equal(copy_queue(&a), 0);
	assert_int_equal(copy_try(&a, &fd), 1);
	assert_string_equal(names, "job");
	assert_int_equal(job_try(&job, "job", ""), 0);
	assert_int_equal(copy_try(&a, &fd), 1);
	assert_int_equal(job_release(&job, "job", ""), LEASE_RELEASED);
	assert_int_equal(copy_try(&a, &fd), 0);
	assert_int_equal(copy_verdict(&a), 0);
}

/* rsync holds it, asbackup is dead: nobody else may begin. */
static int lent[2];

static void be_rsync(void)
{
	char c;

	(void)close(lent[1]);
	ready();
	(void)!read(lent[0], &c, 1);
}

static void copy_that_dies(void)
{
	struct child rsync;

	fd = copy_begin(&a);
	rsync = start(be_rsync);
	await(&rsync);
	ready();
	for (;;)
		(void)pause();
}

static void a_child_outlives_it(void **s)
{
	struct child c;

	(void)s;
	assert_int_equal(pipe(lent), 0);
	c = start(copy_that_dies);
	await(&c);
	end_killed(&c);
	assert_true(lease_is_copying(&b));
	assert_int_equal(copy_queue(&b), 0);
	assert_int_equal(copy_try(&b, &fd), 1);
	assert_int_equal(job_queue(&job, "job", ""), 1);
	/* The last of them ends: both pipes' ends are ours. */
	(void)close(lent[0]);
	(void)close(lent[1]);
	while (lease_is_copying(&b))
		lease_wait(&b, LONG_MS);
	assert_int_equal(copy_try(&b, &fd), 0);
	assert_int_equal(copy_verdict(&b), 0);
}

static void the_mark_is_gone(void **s)
{
	(void)s;
	fd = copy_begin(&a);
	assert_int_equal(unlink(scratch_path(path, "untouched")), 0);
	assert_int_equal(copy_verdict(&a), 1);
	scratch_write(path, "untouched", "");
	assert_int_equal(copy_verdict(&a), 1);
	assert_string_equal(names, "");
}

/* Made by hand, or by an old script: no step of ours, but a lease. */
static void a_lease_out_of_nowhere(void **s)
{
	(void)s;
	fd = copy_begin(&a);
	scratch_write(path, "lease/hand", "");
	assert_int_equal(copy_verdict(&a), 1);
	assert_string_equal(names, "hand");
}

static void the_lock_is_replaced(void **s)
{
	(void)s;
	fd = copy_begin(&a);
	assert_int_equal(unlink(scratch_path(path, "copy")), 0);
	assert_int_equal(copy_verdict(&a), 1);
	scratch_write(path, "copy", "");
	/* a job cannot know of the copy now, so it has to be unclean */
	assert_int_equal(job_queue(&job, "job", ""), 0);
	assert_int_equal(job_release(&job, "job", ""), LEASE_RELEASED);
	assert_int_equal(copy_verdict(&a), 1);
}

static void the_directory_is_replaced(void **s)
{
	(void)s;
	fd = copy_begin(&a);
	assert_int_equal(rename(path, scratch_path(base, "old")), 0);
	assert_int_equal(job_queue(&job, "job", ""), 0);
	assert_int_equal(job_release(&job, "job", ""), LEASE_RELEASED);
	assert_int_equal(copy_verdict(&a), 1);
	util_closep(&fd);
	fd = copy_begin(&a);
	assert_int_equal(copy_verdict(&a), 0);
}

/* The copy waits with the old one open, the job comes and sees the new one. */
static void the_leases_are_replaced(void **s)
{
	struct lease late;

	(void)s;
	assert_int_equal(job_queue(&job, "first", ""), 0);
	assert_int_equal(copy_queue(&a), 0);
	assert_int_equal(copy_try(&a, &fd), 1);
	scratch_remove(scratch_path(path, "lease"));
	late = open_lease();
	assert_int_equal(job_queue(&late, "late", ""), 1); /* in its turn */
	assert_int_equal(job_force(&late, "late", ""), 0);
	assert_int_equal(copy_try(&a, &fd), 1);
	assert_string_equal(names, "late");
	lease_close(&late);
}

/* A copy that is killed before its verdict leaves a mark that is not for the
 * next one. */
static void an_old_mark_is_not_ours(void **s)
{
	(void)s;
	fd = copy_begin(&a);
	util_closep(&fd);
	assert_true(scratch_has(path, "untouched"));
	fd = copy_begin(&b);
	assert_int_equal(copy_verdict(&b), 0);
	assert_int_equal(copy_verdict(&a), 1);
}

static void without_a_mark_no_copy(void **s)
{
	(void)s;
	assert_int_equal(copy_queue(&a), 0);
	scratch_mkdir(path, "untouched");
	assert_int_equal(copy_try(&a, &fd), -EISDIR);
	assert_int_equal(err.code, -EISDIR);
	assert_int_equal(fd, -1);
	assert_false(lease_is_copying(&a));
	assert_int_equal(count("queue"), 1);
	/* nor can a job be forced without a word of it */
	assert_int_equal(rmdir(scratch_path(path, "untouched")), 0);
	assert_int_equal(copy_try(&a, &fd), 0);
	assert_int_equal(unlink(scratch_path(path, "untouched")), 0);
	scratch_mkdir(path, "untouched");
	assert_int_equal(job_queue(&job, "job", ""), 1);
	assert_int_equal(job_force(&job, "job", ""), -EISDIR);
	lease_close(&job);
	assert_int_equal(count("queue"), 1); /* it stays, as a dead one */
	assert_int_equal(copy_verdict(&a), -EISDIR);
	assert_int_equal(rmdir(scratch_path(path, "untouched")), 0);
	assert_int_equal(copy_verdict(&a), 1);
	assert_string_equal(names, "job");
	job = open_lease();
}

static void the_lock_is_something_else(void **s)
{
	(void)s;
	assert_int_equal(copy_queue(&a), 0);
	assert_int_equal(unlink(scratch_path(path, "copy")), 0);
	assert_int_equal(mkfifo(scratch_path(path, "copy"), 0600), 0);
	assert_int_equal(copy_try(&a, &fd), -EINVAL);
	assert_int_equal(unlink(scratch_path(path, "copy")), 0);
	/* what cannot be looked at counts as a copy */
	assert_int_equal(symlink("gate", scratch_path(path, "copy")), 0);
	assert_int_equal(copy_try(&a, &fd), 1);
	assert_true(lease_is_copying(&a));
	assert_int_equal(job_queue(&job, "job", ""), 1);
	assert_int_equal(fd, -1);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(alone),
	        TEST(two_copies),
	        TEST(two_copies_wait),
	        TEST(a_dead_one_is_passed_over),
	        TEST(a_dead_job_runs),
	        TEST(who_waits),
	        TEST(it_yields),
	        TEST(a_child_outlives_it),
	        TEST(the_mark_is_gone),
	        TEST(a_lease_out_of_nowhere),
	        TEST(the_lock_is_replaced),
	        TEST(the_directory_is_replaced),
	        TEST(the_leases_are_replaced),
	        TEST(an_old_mark_is_not_ours),
	        TEST(without_a_mark_no_copy),
	        TEST(the_lock_is_something_else),
	};

	return cmocka_run_group_tests_name("lease_copy", tests, NULL, NULL);
}

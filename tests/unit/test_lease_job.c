/* SPDX-License-Identifier: MIT */
/* A job's side of the protocol: V1 to V4 and U of lease.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "flying_time.h"
#include "lease_parts.h"

static struct lease a, b, copy;
static int copy_fd;

static int setup(void **state)
{
	stop_time();
	copy_fd = -1;
	(void)make_base(state);
	a = open_lease();
	b = open_lease();
	copy = open_lease();
	return 0;
}

static int teardown(void **state)
{
	util_closep(&copy_fd);
	lease_close(&a);
	lease_close(&b);
	lease_close(&copy);
	return remove_base(state);
}

/* --- V1 to V3 ------------------------------------------------------------- */

static void granted_at_once(void **s)
{
	struct lease_record rec;

	(void)s;
	assert_int_equal(job_queue(&a, "Daily backup", "1"), 0);
	assert_int_equal(a.ticket.fd, -1);
	rec = read_lease("lease/Daily%20backup");
	assert_string_equal(rec.run, "1");
	assert_false(rec.forced);
	assert_int_equal(count("lease"), 1);
	assert_int_equal(count("queue"), 0);
	/* Jobs never wait for jobs. */
	assert_int_equal(job_queue(&b, "other", "1"), 0);
	assert_int_equal(count("lease"), 2);
	assert_int_equal(reaped_len, 0);
}

#define TEN "0123456789"
#define EIGHTY TEN TEN TEN TEN TEN TEN TEN TEN

static void any_name(void **s)
{
	static const char *const ids[] = {"100%", "a b",
	        "T\xc3\xa4gliche \xc3\x9c", "../../../x", ".hidden", "..",
	        "reserve", "gate", EIGHTY};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_int_equal(job_queue(&a, ids[i], ids[i]), 0);
		assert_int_equal(count("lease"), i + 1);
	}
	assert_int_equal(copy_queue(&copy), 0);
	assert_int_equal(copy_try(&copy, &copy_fd), 1);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_non_null(strstr(names, ids[i]));
		assert_int_equal(
		        job_release(&a, ids[i], ids[i]), LEASE_RELEASED);
	}
	assert_int_equal(count("lease"), 0);
	assert_int_equal(copy_try(&copy, &copy_fd), 0);
}

static void the_same_job_once_more(void **s)
{
	(void)s;
	assert_int_equal(job_queue(&a, "job", "1"), 0);
	assert_int_equal(job_queue(&a, "job", "1"), 0);
	assert_int_equal(reaped_len, 0);
	assert_int_equal(job_queue(&a, "job", "2"), 0);
	assert_int_equal(reaped_len, 1);
	assert_string_equal(reaped[0].job, "job");
	assert_int_equal(reaped[0].why, LEASE_SUPERSEDED);
	assert_string_equal(read_lease("lease/job").run, "2");
	assert_int_equal(job_queue(&a, "job", ""), 0);
	assert_int_equal(reaped_len, 2);
	assert_int_equal(count("lease"), 1);
}

static void waits_for_a_copy(void **s)
{
	(void)s;
	copy_fd = copy_begin(&copy);
	assert_int_equal(job_queue(&a, "job", "1"), 1);
	assert_true(a.ticket.fd >= 0);
	assert_int_equal(job_try(&a, "job", "1"), 1);
	assert_int_equal(count("lease"), 0);
	assert_int_equal(count("queue"), 1);
	util_closep(&copy_fd);
	assert_int_equal(job_try(&a, "job", "1"), 0);
	assert_int_equal(a.ticket.fd, -1);
	assert_int_equal(count("queue"), 0);
	assert_false(read_lease("lease/job").forced);
}

/* A copy that came first goes first, one that came later does not. */
static void waits_for_its_turn(void **s)
{
	struct lease late = open_lease();

	(void)s;
	assert_int_equal(job_queue(&b, "first", ""), 0);
	assert_int_equal(copy_queue(&copy), 0);
	assert_int_equal(job_queue(&a, "second", ""), 1);
	assert_int_equal(copy_queue(&late), 0);
	assert_int_equal(copy_try(&copy, &copy_fd), 1);
	assert_string_equal(names, "first");
	assert_int_equal(job_try(&a, "second", ""), 1);
	assert_int_equal(job_release(&b, "first", ""), LEASE_RELEASED);
	assert_int_equal(job_try(&a, "second", ""), 1);
	assert_int_equal(copy_try(&late, &copy_fd), 1);
	assert_string_equal(names, "second");
	assert_int_equal(copy_try(&copy, &copy_fd), 0);
	assert_int_equal(job_try(&a, "second", ""), 1);
	util_closep(&copy_fd);
	assert_int_equal(copy_try(&late, &copy_fd), 1);
	assert_int_equal(job_try(&a, "second", ""), 0);
	assert_int_equal(copy_try(&late, &copy_fd), 1);
	assert_int_equal(job_release(&a, "second", ""), LEASE_RELEASED);
	assert_int_equal(copy_try(&late, &copy_fd), 0);
	lease_close(&late);
}

/* They would wait for one another. */
static void the_same_run_does_not_wait_for_who_waits_for_it(void **s)
{
	(void)s;
	assert_int_equal(job_queue(&a, "job", "1"), 0);
	assert_int_equal(copy_queue(&copy), 0);
	assert_int_equal(copy_try(&copy, &copy_fd), 1);
	assert_int_equal(job_queue(&b, "job", "1"), 0);
	assert_int_equal(count("queue"), 1);
	/* without a run it may be another one: in its turn */
	assert_int_equal(job_queue(&b, "job", ""), 1);
	lease_close(&b);
	b = open_lease();
	/* another run: the first is over, and nobody waits for it */
	assert_int_equal(job_queue(&b, "job", "2"), 1);
	assert_int_equal(count("lease"), 0);
	assert_int_equal(job_release(&a, "job", "1"), LEASE_NOT_THERE);
	assert_int_equal(copy_try(&copy, &copy_fd), 0);
	/* but never beside one */
	assert_int_equal(job_queue(&a, "job", "1"), 1);
}

static void an_unknown_run_waits_for_its_turn(void **s)
{
	(void)s;
	assert_int_equal(job_queue(&a, "veeam", ""), 0);
	assert_int_equal(copy_queue(&copy), 0);
	assert_int_equal(job_queue(&b, "veeam", ""), 1);
	assert_int_equal(job_try(&b, "veeam", ""), 1);
}

static void gives_up(void **s)
{
	(void)s;
	copy_fd = copy_begin(&copy);
	assert_int_equal(job_queue(&a, "job", "1"), 1);
	lease_close(&a);
	assert_int_equal(count("queue"), 0);
	assert_int_equal(copy_verdict(&copy), 0);
}

/* --- V4 ------------------------------------------------------------------- */

static void forced_beside_a_copy(void **s)
{
	(void)s;
	copy_fd = copy_begin(&copy);
	assert_int_equal(job_queue(&a, "job", "1"), 1);
	assert_int_equal(job_force(&a, "job", "1"), 1);
	assert_int_equal(a.ticket.fd, -1);
	assert_int_equal(count("queue"), 0);
	assert_true(read_lease("lease/job").forced);
	assert_false(scratch_has(path, "untouched"));
	assert_int_equal(copy_verdict(&copy), 1);
	assert_string_equal(names, "job");
	assert_int_equal(job_release(&a, "job", "1"), LEASE_RELEASED_FORCED);
	/* It has gone, what it did has not. */
	assert_int_equal(copy_verdict(&copy), 1);
	assert_string_equal(names, "");
	/* The next copy is another one. */
	util_closep(&copy_fd);
	copy_fd = copy_begin(&copy);
	assert_int_equal(copy_verdict(&copy), 0);
}

static void forced_without_a_ticket(void **s)
{
	(void)s;
	copy_fd = copy_begin(&copy);
	assert_int_equal(job_force(&a, "job", "1"), 1);
	assert_true(read_lease("lease/job").forced);
	assert_int_equal(copy_verdict(&copy), 1);
}

/* The copy has just ended, or there was none: nothing is forced. */
static void forced_when_nobody_copies(void **s)
{
	(void)s;
	copy_fd = copy_begin(&copy);
	assert_int_equal(job_queue(&a, "job", "1"), 1);
	assert_int_equal(copy_verdict(&copy), 0);
	util_closep(&copy_fd);
	assert_int_equal(copy_queue(&b), 0);
	assert_int_equal(job_force(&a, "job", "1"), 0);
	assert_false(read_lease("lease/job").forced);
	assert_true(scratch_has(path, "untouched"));
	assert_int_equal(count("queue"), 1);
	assert_int_equal(copy_try(&b, &copy_fd), 1);
	assert_string_equal(names, "job");
	assert_int_equal(job_release(&a, "job", "1"), LEASE_RELEASED);
}

/* A job waits for a copy, goes its way, and cannot say so: somebody is stuck in
 * the gate.  Its descriptor; time flies. */
static int force_at_a_stuck_gate(void)
{
	int gate;

	copy_fd = copy_begin(&copy);
	assert_int_equal(job_queue(&a, "job", "1"), 1);
	gate = lockdir_enter(&b.dir, &err);
	assert_true(gate >= 0);
	time_flies = true;
	assert_int_equal(job_force(&a, "job", "1"), -ETIMEDOUT);
	return gate;
}

/* The copy is not clean, and the ticket that is left behind becomes the
 * lease. */
static void forced_though_the_gate_is_stuck(void **s)
{
	int gate = force_at_a_stuck_gate();

	(void)s;
	assert_int_equal(copy_verdict(&copy), -ETIMEDOUT);
	assert_int_equal(job_release(&a, "job", "1"), -ETIMEDOUT);
	assert_int_equal(job_queue(&b, "job", "1"), -ETIMEDOUT);
	assert_int_equal(job_try(&b, "job", "1"), -ETIMEDOUT);
	assert_int_equal(copy_try(&copy, &copy_fd), -ETIMEDOUT);
	assert_int_equal(copy_queue(&copy), -ETIMEDOUT);
	assert_int_equal(lease_clean(&copy, &err), -ETIMEDOUT);
	time_flies = false;
	assert_false(scratch_has(path, "untouched"));
	lease_close(&a);
	(void)close(gate);
	assert_int_equal(count("queue"), 1);
	assert_int_equal(copy_verdict(&copy), 1);
	assert_string_equal(names, "job");
	assert_true(read_lease("lease/job").forced);
}

/* What an earlier run left behind while the gate was stuck must not replace
 * the lease of the next one, whose V1 could not enter it either. */
static void forced_with_a_dead_ticket_of_an_earlier_run(void **s)
{
	int gate = force_at_a_stuck_gate();

	(void)s;
	assert_int_equal(job_queue(&b, "job", "2"), -ETIMEDOUT);
	time_flies = false;
	(void)close(gate);
	util_closep(&copy_fd);
	assert_int_equal(job_force(&b, "job", "2"), 0);
	assert_int_equal(count("queue"), 0);
	assert_string_equal(read_lease("lease/job").run, "2");
	assert_int_equal(lease_clean(&copy, &err), 0);
	assert_string_equal(read_lease("lease/job").run, "2");
	assert_int_equal(job_release(&a, "job", "2"), LEASE_RELEASED);
}

/* --- U -------------------------------------------------------------------- */

static void released_twice(void **s)
{
	(void)s;
	assert_int_equal(job_release(&a, "job", ""), LEASE_NOT_THERE);
	assert_int_equal(job_queue(&a, "job", "1"), 0);
	assert_int_equal(job_release(&b, "job", "1"), LEASE_RELEASED);
	assert_int_equal(job_release(&b, "job", "1"), LEASE_NOT_THERE);
	assert_int_equal(job_release(&b, "", ""), LEASE_NOT_THERE);
	assert_int_equal(count("stale"), 0);
	assert_int_equal(err.code, 0);
}

static void released_by_another_run(void **s)
{
	(void)s;
	assert_int_equal(job_queue(&a, "job", "2"), 0);
	assert_int_equal(job_release(&a, "job", "1"), LEASE_NEWER_RUN);
	assert_int_equal(count("lease"), 1);
	assert_int_equal(job_release(&a, "job", ""), LEASE_RELEASED);
	/* A lease that does not know its run belongs to whoever asks. */
	assert_int_equal(job_queue(&a, "job", ""), 0);
	assert_int_equal(job_release(&a, "job", "1"), LEASE_RELEASED);
}

static void released_unreadable(void **s)
{
	(void)s;
	scratch_write(path, "lease/job", "");
	assert_int_equal(job_release(&a, "job", "1"), LEASE_RELEASED);
	scratch_mkdir(path, "lease/job");
	assert_int_equal(job_release(&a, "job", "1"), -EISDIR);
	assert_string_equal(err.message,
	        "cannot remove the lease of the job job: Is a directory");
}

/* Its pre-job script was killed; the copy learns it though it is over. */
static void released_after_the_script_was_killed(void **s)
{
	(void)s;
	copy_fd = copy_begin(&copy);
	victim_job = "job";
	victim_run = "7";
	killed_while_waiting(false);
	assert_int_equal(count("queue"), 1);
	assert_int_equal(job_release(&a, "job", "7"), LEASE_RELEASED_FORCED);
	assert_int_equal(reaped_len, 1);
	assert_int_equal(reaped[0].why, LEASE_LIVE);
	assert_int_equal(count("queue"), 0);
	assert_int_equal(count("lease"), 0);
	assert_int_equal(copy_verdict(&copy), 1);
	assert_string_equal(names, "");
}

/* Killed between its lease and the end of its ticket. */
static void killed_after_it_was_granted(void **s)
{
	(void)s;
	copy_fd = copy_begin(&copy);
	victim_job = "job";
	victim_run = "7";
	killed_while_waiting(false);
	util_closep(&copy_fd);
	assert_int_equal(job_queue(&a, "other", ""), 0); /* reaps it */
	assert_int_equal(count("queue"), 0);
	assert_string_equal(read_lease("lease/job").run, "7");
	assert_int_equal(job_queue(&b, "job", "7"), 0);
	assert_int_equal(job_release(&b, "job", "7"), LEASE_RELEASED);
	assert_int_equal(count("lease"), 1);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(granted_at_once),
	        TEST(any_name),
	        TEST(the_same_job_once_more),
	        TEST(waits_for_a_copy),
	        TEST(waits_for_its_turn),
	        TEST(the_same_run_does_not_wait_for_who_waits_for_it),
	        TEST(an_unknown_run_waits_for_its_turn),
	        TEST(gives_up),
	        TEST(forced_beside_a_copy),
	        TEST(forced_without_a_ticket),
	        TEST(forced_when_nobody_copies),
	        TEST(forced_though_the_gate_is_stuck),
	        TEST(forced_with_a_dead_ticket_of_an_earlier_run),
	        TEST(released_twice),
	        TEST(released_by_another_run),
	        TEST(released_unreadable),
	        TEST(released_after_the_script_was_killed),
	        TEST(killed_after_it_was_granted),
	};

	return cmocka_run_group_tests_name("lease_job", tests, NULL, NULL);
}

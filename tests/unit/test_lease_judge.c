/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/timex.h>

#include <cmocka.h>

#include "core/lease_judge.h"
#include "core/lease_record.h"
#include "str.h"

#define HOUR 3600LL
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

/* Ten days after the start of the machine. */
#define NOW_S 1800000000LL
#define UP_S (10 * DAY)

static struct lease_now now;
static struct lease_record rec;

/* Takes the place of the C library's. */
static int adj_return, adj_status;
int adjtimex(struct timex *tx)
{
	assert_int_equal(tx->modes, 0);
	tx->status = adj_status;
	return adj_return;
}

/* A local lease of an hour ago, for a day. */
static int setup(void **state)
{
	(void)state;
	now = (struct lease_now){.real = NOW_S,
	        .boot_ms = UP_S * 1000,
	        .is_clock_set = true,
	        .machine = "this machine",
	        .boot = "this boot"};
	rec = (struct lease_record){.job = "job",
	        .machine = "this machine",
	        .boot = "this boot",
	        .taken = NOW_S - HOUR,
	        .taken_boot_ms = (UP_S - HOUR) * 1000,
	        .ttl_s = DAY};
	return 0;
}

static void other_boot(bool remote)
{
	(void)str_copy(rec.boot, sizeof rec.boot, "other boot");
	rec.remote = remote;
}

#define IS(verdict) assert_int_equal(lease_judge(&rec, &now), LEASE_##verdict)

/* --- in one boot ---------------------------------------------------------- */

static void it_lives_for_its_time(void **s)
{
	(void)s;
	IS(LIVE);
	assert_true(lease_judge_left_ms(&rec, &now) == (DAY - HOUR) * 1000);
	rec.ttl_s = HOUR;
	IS(LIVE);
	assert_true(lease_judge_left_ms(&rec, &now) == 0);
	now.boot_ms++;
	IS(EXPIRED);
	assert_true(lease_judge_left_ms(&rec, &now) == 0);
}

/* Suspend is counted by CLOCK_BOOTTIME, steps of the clock are not. */
static void the_wall_clock_does_not_matter(void **s)
{
	static const int64_t steps[] = {-YEAR, -1, 1, YEAR, 100 * YEAR};

	(void)s;
	for (size_t set = 0; set < 2; set++)
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			now.is_clock_set = set;
			now.real = NOW_S + steps[i];
			rec.ttl_s = DAY;
			IS(LIVE);
			rec.remote = true;
			IS(LIVE);
			rec.remote = false;
			rec.ttl_s = HOUR - 1;
			IS(EXPIRED);
		}
}

/* Whatever machine it is of: a boot id is of one boot only. */
static void the_boot_says_it_all(void **s)
{
	(void)s;
	(void)str_copy(rec.machine, sizeof rec.machine, "other machine");
	now.real += YEAR;
	IS(LIVE);
	now.machine[0] = '\0';
	IS(LIVE);
}

/* A snapshot of the machine was restored: this boot had not come so far. */
static void from_the_future_of_this_boot(void **s)
{
	(void)s;
	rec.taken_boot_ms = now.boot_ms + 1;
	IS(LIVE);
	rec.ttl_s = HOUR - 1;
	IS(EXPIRED);
}

/* --- after a restart ------------------------------------------------------ */

static void a_local_job_ended_with_its_boot(void **s)
{
	(void)s;
	other_boot(false);
	IS(REBOOTED);
	now.real = 0;
	IS(REBOOTED);
	now.boot_ms = 0;
	IS(REBOOTED);
}

static void unless_it_is_not_known(void **s)
{
	(void)s;
	other_boot(false);
	now.machine[0] = '\0';
	IS(LIVE);
	rec.machine[0] = '\0';
	IS(LIVE);
	(void)setup(NULL);
	other_boot(false);
	now.boot[0] = '\0';
	IS(LIVE);
	(void)setup(NULL);
	rec.boot[0] = '\0';
	IS(LIVE);
	rec.ttl_s = HOUR - 1;
	IS(EXPIRED);
}

static void of_another_machine(void **s)
{
	(void)s;
	other_boot(false);
	(void)str_copy(rec.machine, sizeof rec.machine, "other machine");
	IS(LIVE);
	rec.ttl_s = HOUR - 1;
	IS(EXPIRED);
}

static void a_remote_job_goes_on(void **s)
{
	(void)s;
	other_boot(true);
	IS(LIVE);
	assert_true(lease_judge_left_ms(&rec, &now) == (DAY - HOUR) * 1000);
	rec.ttl_s = HOUR;
	IS(LIVE);
	now.real++;
	IS(EXPIRED);
}

/* Put forward by a year, just after the start, or without a time server: it
 * is as old as the boot at least, and not for sure any older. */
static void the_clock_has_to_be_trusted(void **s)
{
	(void)s;
	other_boot(true);
	now.real += YEAR;
	now.boot_ms = HOUR * 1000;
	IS(EXPIRED); /* synchronised, and up for long enough */
	now.is_clock_set = false;
	IS(LIVE);
	assert_true(lease_judge_left_ms(&rec, &now) == (DAY - HOUR) * 1000);
	now.is_clock_set = true;
	now.boot_ms = 30 * 60 * 1000;
	IS(LIVE);
	now.boot_ms += 1000;
	IS(EXPIRED);
}

static void no_clock_makes_it_immortal(void **s)
{
	(void)s;
	other_boot(true);
	rec.taken = NOW_S + 10 * YEAR;
	now.boot_ms = DAY * 1000;
	IS(LIVE);
	now.boot_ms += 1000;
	IS(EXPIRED);
	now.is_clock_set = false;
	IS(EXPIRED);
	now.boot_ms = 0;
	IS(LIVE);
	assert_true(lease_judge_left_ms(&rec, &now) == DAY * 1000);
}

/* The largest numbers that a record may have. */
static void no_number_is_too_large(void **s)
{
	(void)s;
	rec.ttl_s = 31556952000;
	rec.taken_boot_ms = 31556952000000;
	rec.taken = 31556952000;
	IS(LIVE);
	other_boot(true);
	IS(LIVE);
	rec.taken = 0;
	IS(LIVE);
	now.real = INT32_MAX;
	assert_true(lease_judge_left_ms(&rec, &now) > 0);
}

/* --- without a record ----------------------------------------------------- */

#define UNREADABLE(mtime, verdict) \
	assert_int_equal(          \
	        lease_judge_unreadable((mtime), HOUR, &now), LEASE_##verdict)

static void an_unreadable_one_lives_for_its_time(void **s)
{
	(void)s;
	UNREADABLE(NOW_S, LIVE);
	UNREADABLE(NOW_S - HOUR, LIVE);
	UNREADABLE(NOW_S - HOUR - 1, EXPIRED);
	UNREADABLE(0, EXPIRED);
	UNREADABLE(INT64_MIN, EXPIRED);
}

/* The machine is up for longer than an hour, the file need not be older. */
static void nor_does_it_end_when_the_clock_goes_back(void **s)
{
	(void)s;
	UNREADABLE(NOW_S + 1, LIVE);
	UNREADABLE(NOW_S + YEAR, LIVE);
	UNREADABLE(INT64_MAX, LIVE);
}

static void nor_just_after_the_start(void **s)
{
	(void)s;
	now.boot_ms = 60 * 1000;
	UNREADABLE(NOW_S - YEAR, LIVE);
	now.boot_ms = UP_S * 1000;
	now.is_clock_set = false;
	now.real = NOW_S + YEAR;
	UNREADABLE(NOW_S + YEAR - HOUR + 1, LIVE);
}

/* --- now ------------------------------------------------------------------ */

static void what_this_machine_says(void **s)
{
	struct lease_now n;

	(void)s;
	adj_return = TIME_OK;
	adj_status = 0;
	lease_now(&n);
	assert_true(n.is_clock_set);
	assert_true(n.real > 1700000000);
	assert_true(n.boot_ms > 0);
	assert_int_equal(strlen(n.boot), 36);
	assert_null(strchr(n.machine, '\n'));
	adj_return = TIME_ERROR;
	adj_status = STA_UNSYNC;
	lease_now(&n);
	assert_false(n.is_clock_set);
	/* a filter of system calls: not known is not set */
	adj_return = -1;
	adj_status = 0;
	errno = EPERM;
	lease_now(&n);
	assert_false(n.is_clock_set);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup(fn, setup)
	const struct CMUnitTest tests[] = {
	        TEST(it_lives_for_its_time),
	        TEST(the_wall_clock_does_not_matter),
	        TEST(the_boot_says_it_all),
	        TEST(from_the_future_of_this_boot),
	        TEST(a_local_job_ended_with_its_boot),
	        TEST(unless_it_is_not_known),
	        TEST(of_another_machine),
	        TEST(a_remote_job_goes_on),
	        TEST(the_clock_has_to_be_trusted),
	        TEST(no_clock_makes_it_immortal),
	        TEST(no_number_is_too_large),
	        TEST(an_unreadable_one_lives_for_its_time),
	        TEST(nor_does_it_end_when_the_clock_goes_back),
	        TEST(nor_just_after_the_start),
	        TEST(what_this_machine_says),
	};

	return cmocka_run_group_tests_name("lease_judge", tests, NULL, NULL);
}

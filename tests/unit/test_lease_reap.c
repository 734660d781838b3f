/* SPDX-License-Identifier: MIT */
/* What nobody stands behind any more, and what only seems so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>

#include <cmocka.h>

#include "scratch.h"
#include "buf.h"
#include "lease_parts.h"

#define YEAR_S (365LL * DAY_S)

/* --- in the place of the C library's -------------------------------------- */

static int64_t real_shift_s, boot_shift_s;
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = (int)syscall(SYS_clock_gettime, id, ts);

	if (id == CLOCK_REALTIME)
		ts->tv_sec += real_shift_s;
	if (id == CLOCK_BOOTTIME)
		ts->tv_sec += boot_shift_s;
	return r;
}

static bool is_synchronised;
int adjtimex(struct timex *tx)
{
	tx->status = is_synchronised ? 0 : STA_UNSYNC;
	return is_synchronised ? TIME_OK : TIME_ERROR;
}

/* The next file of that name cannot be opened. */
static const char *closed_name;
static int closed_errno;
int openat(int dir_fd, const char *name, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	if (closed_name && str_eq(name, closed_name)) {
		errno = closed_errno;
		return -1;
	}
	return (int)syscall(SYS_openat, dir_fd, name, flags, mode);
}

static struct lease l;
static char leases[SCRATCH_PATH]; /* path/lease */

static int setup(void **state)
{
	real_shift_s = 0;
	boot_shift_s = YEAR_S; /* up for long */
	is_synchronised = true;
	closed_name = NULL;
	(void)make_base(state);
	l = open_lease();
	(void)str_copy(leases, sizeof leases, scratch_path(path, "lease"));
	return 0;
}

static int teardown(void **state)
{
	lease_close(&l);
	return remove_base(state);
}

static void write_lease(const char *name, const struct lease_record *rec)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	lease_record_format(&b, rec);
	scratch_write(leases, name, b.data);
}

static void clean(void)
{
	reaped_len = 0;
	assert_int_equal(lease_clean(&l, &err), 0);
}

static void stays(const char *name)
{
	clean();
	assert_int_equal(reaped_len, 0);
	assert_true(scratch_has(leases, name));
}

static void goes(const char *name, enum lease_verdict why)
{
	size_t before = count("stale");

	clean();
	assert_int_equal(reaped_len, 1);
	assert_string_equal(reaped[0].job, name);
	assert_int_equal(reaped[0].why, why);
	assert_false(scratch_has(leases, name));
	assert_int_equal(count("stale"), before + 1);
}

/* --- leases --------------------------------------------------------------- */

static void its_time_is_over(void **s)
{
	(void)s;
	assert_int_equal(job_queue(&l, "job", "1"), 0);
	stays("job");
	boot_shift_s += DAY_S - 60;
	stays("job");
	boot_shift_s += 120;
	goes("job", LEASE_EXPIRED);
	clean();
	assert_int_equal(reaped_len, 0);
	/* the same job, once more */
	assert_int_equal(job_queue(&l, "job", "2"), 0);
	boot_shift_s += DAY_S + 1;
	goes("job", LEASE_EXPIRED);
	assert_int_equal(job_release(&l, "job", "2"), LEASE_NOT_THERE);
}

static void the_clock_is_set(void **s)
{
	static const int64_t steps[] = {-YEAR_S, -1, 0, YEAR_S};

	(void)s;
	for (size_t set = 0; set < 2; set++)
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			is_synchronised = set;
			real_shift_s = 0;
			assert_int_equal(job_queue(&l, "job", "1"), 0);
			real_shift_s = steps[i];
			stays("job");
			boot_shift_s += DAY_S + 1;
			goes("job", LEASE_EXPIRED);
		}
}

static void the_machine_was_restarted(void **s)
{
	struct lease_record rec = record("job", "1");
	int fd = -1;

	(void)s;
	if (!rec.machine[0]) {
		print_message("this machine has no id\n");
		skip();
	}
	(void)str_copy(rec.boot, sizeof rec.boot, "another");
	write_lease("job", &rec);
	rec.remote = true;
	(void)str_copy(rec.job, sizeof rec.job, "remote");
	write_lease("remote", &rec);
	rec.remote = false;
	(void)str_copy(rec.job, sizeof rec.job, "elsewhere");
	(void)str_copy(rec.machine, sizeof rec.machine, "another");
	write_lease("elsewhere", &rec);

	goes("job", LEASE_REBOOTED);
	assert_int_equal(count("lease"), 2);
	assert_int_equal(copy_queue(&l), 0);
	assert_int_equal(copy_try(&l, &fd), 1);
	real_shift_s = DAY_S + 60;
	is_synchronised = false;
	boot_shift_s = -clock_boot_ms() / 1000 + YEAR_S + 60;
	assert_int_equal(copy_try(&l, &fd), 1);
	is_synchronised = true;
	boot_shift_s += YEAR_S;
	assert_int_equal(copy_try(&l, &fd), 0);
	assert_int_equal(count("lease"), 0);
	assert_int_equal(count("stale"), 3);
	(void)close(fd);
}

/* --- what cannot be read -------------------------------------------------- */

/* Torn, empty, by hand, no file at all, or of another job. */
static void unreadable(const char *name, int kind)
{
	struct lease_record rec = record("Daily", "1");

	(void)unlink(scratch_path(leases, name));
	switch (kind) {
	case 0:
		scratch_write(leases, name, "");
		break;
	case 1:
		scratch_write(leases, name, "asbackup-lease 1\njob x\n");
		break;
	case 2:
		scratch_write(leases, name, "hello\n");
		break;
	case 3:
		write_lease(name, &rec);
		break;
	default:
		assert_int_equal(
		        symlink("nowhere", scratch_path(leases, name)), 0);
	}
}

static void unreadable_is_live(void **s)
{
	static const char *const files[][2] = {{"job", "job"}, {"a%20b", "a b"},
	        {"a b", "a b"}, {"Daily%2F1", "Daily/1"}, {"%zz", "%zz"},
	        {"20261120-2000.lock", "20261120-2000.lock"}};
	int fd = -1;

	(void)s;
	assert_int_equal(copy_queue(&l), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		for (int kind = 0; kind < 5; kind++) {
			unreadable(files[i][0], kind);
			clean();
			assert_int_equal(copy_try(&l, &fd), 1);
			assert_string_equal(names, files[i][1]);
			real_shift_s = DAY_S - 60;
			assert_int_equal(copy_try(&l, &fd), 1);
			assert_int_equal(reaped_len, 0);
			real_shift_s = DAY_S + 60;
			clean();
			assert_int_equal(reaped_len, 1);
			assert_string_equal(reaped[0].job, files[i][1]);
			assert_int_equal(count("lease"), 0);
			real_shift_s = 0;
		}
}

/* It counts for a week, which nobody sees without a descriptor. */
static void what_cannot_be_opened_is_live(void **s)
{
	static const int errors[] = {EMFILE, ENFILE, EIO, ENOMEM, EACCES};
	struct lease_record rec = record("job", "1");
	int fd = -1;

	(void)s;
	rec.ttl_s = 7 * DAY_S;
	write_lease("job", &rec);
	boot_shift_s += 3 * DAY_S;
	real_shift_s += 3 * DAY_S;
	closed_name = "job";
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		closed_errno = errors[i];
		stays("job");
		assert_int_equal(copy_queue(&l), 0);
		assert_int_equal(copy_try(&l, &fd), 1);
		assert_string_equal(names, "job");
		lease_leave_queue(&l);
		assert_int_equal(job_release(&l, "job", "2"), -errors[i]);
	}
	closed_name = NULL;
	assert_int_equal(job_release(&l, "job", "2"), LEASE_NEWER_RUN);
	stays("job");
	boot_shift_s += 5 * DAY_S;
	goes("job", LEASE_EXPIRED);
}

/* The clock went back: its time begins now, once. */
static void unreadable_from_the_future(void **s)
{
	struct stat st;

	(void)s;
	for (int kind = 0; kind < 5; kind++) {
		real_shift_s = 0;
		unreadable("job", kind);
		real_shift_s = -YEAR_S;
		stays("job");
		/* utimensat() knows nothing of our clock: it is that of now */
		assert_int_equal(
		        lstat(scratch_path(path, "lease/job"), &st), 0);
		real_shift_s = 0;
		assert_true(clock_real_s() - st.st_mtim.tv_sec < 60);
		stays("job");
		real_shift_s = DAY_S + 60;
		goes("job", LEASE_EXPIRED);
	}
}

static void it_does_not_stay_in_the_future(void **s)
{
	const struct timespec future[2] = {{.tv_sec = clock_real_s() + YEAR_S},
	        {.tv_sec = clock_real_s() + YEAR_S}};
	struct stat st;

	(void)s;
	scratch_write(path, "lease/job", "");
	assert_int_equal(utimensat(AT_FDCWD, scratch_path(path, "lease/job"),
	                         future, AT_SYMLINK_NOFOLLOW),
	        0);
	stays("job");
	assert_int_equal(lstat(scratch_path(path, "lease/job"), &st), 0);
	assert_true(st.st_mtim.tv_sec <= clock_real_s());
	/* a lease that can be read is not touched */
	assert_int_equal(unlink(scratch_path(path, "lease/job")), 0);
	assert_int_equal(job_queue(&l, "job", ""), 0);
	assert_int_equal(utimensat(AT_FDCWD, scratch_path(path, "lease/job"),
	                         future, AT_SYMLINK_NOFOLLOW),
	        0);
	stays("job");
	assert_int_equal(lstat(scratch_path(path, "lease/job"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, future[1].tv_sec);
}

/* --- stale/ --------------------------------------------------------------- */

static void expire(const char *name)
{
	struct lease_record rec = record("job", "");

	(void)str_copy(rec.job, sizeof rec.job, name);
	rec.taken_boot_ms = 0;
	assert_int_equal(lease_job_force(&l, &rec, &err), 0);
}

static void a_long_name(void **s)
{
	char id[LEASE_JOB_MAX + 1];
	char longest[256];

	(void)s;
	memset(id, '~', LEASE_JOB_MAX);
	id[LEASE_JOB_MAX] = '\0';
	expire(id);
	clean();
	assert_int_equal(reaped_len, 1);
	assert_string_equal(reaped[0].job, id);
	memset(longest, 'x', 255);
	longest[255] = '\0';
	scratch_write(leases, longest, "");
	real_shift_s = DAY_S + 60;
	clean();
	assert_int_equal(reaped_len, 1);
	assert_int_equal(count("lease"), 0);
	assert_int_equal(count("stale"), 2);
}

static void no_stale_no_word(void **s)
{
	(void)s;
	expire("job");
	assert_int_equal(rmdir(scratch_path(path, "stale")), 0);
	scratch_write(path, "stale", "");
	assert_int_equal(lease_clean(&l, &err), -ENOTDIR);
	assert_int_equal(unlink(scratch_path(path, "stale")), 0);
	clean();
	assert_int_equal(count("lease"), 0);
	assert_int_equal(count("stale"), 1);
}

/* --- tickets -------------------------------------------------------------- */

static const char dead[] = "queue/00000000000000000001.j.0123456789abcdef";

static void a_torn_ticket_is_a_job(void **s)
{
	int fd = -1;

	(void)s;
	scratch_write(path, dead, "asbackup-lease 1\njob x\n");
	assert_int_equal(copy_queue(&l), 0);
	assert_int_equal(reaped_len, 1);
	assert_int_equal(reaped[0].why, LEASE_LIVE);
	assert_int_equal(copy_try(&l, &fd), 1);
	assert_string_equal(names, "00000000000000000001.j.0123456789abcdef");
	assert_int_equal(
	        job_release(&l, "00000000000000000001.j.0123456789abcdef", ""),
	        LEASE_RELEASED);
	assert_int_equal(copy_try(&l, &fd), 0);
	(void)close(fd);
}

/* Nobody wrote over it: a newer one of the same job is another ticket. */
static void two_tickets_of_one_job(void **s)
{
	struct lease copy = open_lease(), again = open_lease();
	int fd;

	(void)s;
	fd = copy_begin(&copy);
	victim_job = "job";
	victim_run = "1";
	killed_while_waiting(false);
	assert_int_equal(job_queue(&again, "job", "2"), 1);
	assert_false(scratch_has(path, "untouched"));
	/* the second run tells that the first is over */
	assert_int_equal(count("lease"), 0);
	assert_int_equal(job_force(&again, "job", "2"), 1);
	assert_int_equal(
	        job_release(&again, "job", "2"), LEASE_RELEASED_FORCED);
	assert_int_equal(count("lease"), 0);
	assert_int_equal(copy_verdict(&copy), 1);
	(void)close(fd);
	lease_close(&again);
	lease_close(&copy);
}

static void it_cannot_become_a_lease(void **s)
{
	int fd = -1;

	(void)s;
	scratch_write(path, dead, "");
	assert_int_equal(
	        mkdir(scratch_path(path, "lease/00000000000000000001%2Ej%2E"
	                                 "0123456789abcdef"),
	                0700),
	        0);
	assert_int_equal(copy_queue(&l), -EISDIR);
	assert_true(str_starts(err.message, "cannot make the lease of "));
	assert_int_equal(job_queue(&l, "job", ""), -EISDIR);
	assert_int_equal(copy_try(&l, &fd), -EISDIR);
	assert_int_equal(copy_verdict(&l), -EISDIR);
	assert_int_equal(fd, -1);
	assert_true(scratch_has(path, dead));
}

/* The copy's ticket is a directory: it cannot be cleared away, and a copy
 * that does not know does not begin. */
static void it_cannot_be_cleared_away(void **s)
{
	(void)s;
	scratch_mkdir(path, "queue/00000000000000000001.c.0123456789abcdef");
	assert_int_equal(copy_queue(&l), -EISDIR);
	assert_true(str_starts(err.message, "cannot clear "));
}

static void half_made(void **s)
{
	(void)s;
	scratch_write(path, "lease/.job.abcdef", "asbackup");
	scratch_write(path, "queue/.0123456789abcdef", "asbackup");
	clean();
	assert_int_equal(reaped_len, 0);
	assert_false(scratch_has(path, "lease/.job.abcdef"));
	assert_false(scratch_has(path, "queue/.0123456789abcdef"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(its_time_is_over),
	        TEST(the_clock_is_set),
	        TEST(the_machine_was_restarted),
	        TEST(unreadable_is_live),
	        TEST(what_cannot_be_opened_is_live),
	        TEST(unreadable_from_the_future),
	        TEST(it_does_not_stay_in_the_future),
	        TEST(a_long_name),
	        TEST(no_stale_no_word),
	        TEST(a_torn_ticket_is_a_job),
	        TEST(two_tickets_of_one_job),
	        TEST(it_cannot_become_a_lease),
	        TEST(it_cannot_be_cleared_away),
	        TEST(half_made),
	};

	return cmocka_run_group_tests_name("lease_reap", tests, NULL, NULL);
}

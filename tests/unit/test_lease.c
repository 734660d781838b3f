/* SPDX-License-Identifier: MIT */
/* Opening, closing, and what is shown to people; the steps of the protocol are
 * in test_lease_job.c and test_lease_copy.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "scratch.h"
#include "lease_parts.h"

/* Takes the place of the C library's: something happens just before. */
static void (*before_flock)(void);
int flock(int fd, int operation)
{
	void (*now)(void) = before_flock;

	before_flock = NULL;
	if (now)
		now();
	return (int)syscall(SYS_flock, fd, operation);
}

/* And just after the ticket that this is the descriptor of was looked at. */
static void (*after_fstat)(void);
static int watched_fd;
int fstat(int fd, struct stat *st)
{
	void (*now)(void) = after_fstat;
	int r = fstatat(fd, "", st, AT_EMPTY_PATH);
	struct stat watched;

	if (!now || fstatat(watched_fd, "", &watched, AT_EMPTY_PATH) < 0 ||
	        watched.st_ino != st->st_ino)
		return r;
	after_fstat = NULL;
	now();
	return r;
}

static int setup(void **state)
{
	before_flock = NULL;
	after_fstat = NULL;
	return make_base(state);
}

/* --- opening -------------------------------------------------------------- */

static void opened_and_closed(void **s)
{
	struct lease l = LEASE_INIT;
	int next = open("/", O_RDONLY | O_CLOEXEC);

	(void)s;
	(void)close(next);
	lease_close(&l); /* never opened */
	l = open_lease();
	assert_true(fcntl(l.inotify_fd, F_GETFD) & FD_CLOEXEC);
	(void)job_queue(&l, "job", "");
	lease_close(&l);
	lease_close(&l);
	assert_int_equal(l.inotify_fd, -1);
	/* no descriptor is left */
	assert_int_equal(open("/", O_RDONLY | O_CLOEXEC), next);
	(void)close(next);
}

static void nowhere(void **s)
{
	struct lease l = LEASE_INIT;

	(void)s;
	assert_int_equal(lease_open_existing(&l, path, DAY_S, &err), -ENOENT);
	lease_close(&l);
	assert_false(scratch_has(path, "."));
	assert_int_equal(symlink(".", path), 0);
	assert_int_equal(lease_open(&l, path, DAY_S, &err), -ELOOP);
	assert_true(err.message[0] && err.meaning[0] && err.action[0]);
	assert_int_equal(l.inotify_fd, -1);
	lease_close(&l);
}

/* --- the list: "lease job run live", one below the other ------------------ */

static char shown[2048];
static int stop_at;

static int show(const struct lease_entry *e, void *arg)
{
	static const char *const kinds[] = {"lease", "job", "copy"},
	                         *const verdicts[] = {"live", "expired",
	                                 "rebooted", "superseded"};
	size_t len = strlen(shown);

	assert_ptr_equal(arg, shown);
	(void)snprintf(shown + len, sizeof shown - len,
	        "%s:%s:%s:%s:%llu:%s%s\n", kinds[e->kind], e->record.job,
	        e->record.run, verdicts[e->verdict],
	        (unsigned long long)e->place, e->is_readable ? "r" : "",
	        e->is_alive ? "a" : "");
	return --stop_at == 0 ? 5 : 0;
}

static int list(struct lease *l)
{
	shown[0] = '\0';
	return lease_list(l, show, shown, &err);
}

static void everything_is_shown(void **s)
{
	struct lease copy = open_lease(), a = open_lease(), b = open_lease(),
	             c = open_lease(), only = LEASE_INIT;
	struct lease_record old = record("old", "3");
	int fd;

	(void)s;
	stop_at = 0;
	assert_int_equal(list(&a), 0);
	assert_string_equal(shown, "");
	fd = copy_begin(&copy);
	assert_int_equal(job_queue(&a, "a b", "1"), 1);
	assert_int_equal(copy_queue(&b), 0);
	assert_int_equal(job_queue(&c, "c", "2"), 1);
	victim_job = "dead";
	victim_run = "9";
	killed_while_waiting(false);
	scratch_write(
	        path, "queue/00000000000000000009.j.0123456789abcdef", "");
	scratch_write(path, "lease/torn%20one", "asbackup-lease 1\n");
	assert_int_equal(lease_open_existing(&only, path, DAY_S, &err), 0);
	assert_true(lease_is_copying(&only));
	assert_int_equal(list(&only), 0);
	assert_string_equal(shown, "job:a b:1:live:1:ra\n"
	                           "copy:copy::live:2:ra\n"
	                           "job:c:2:live:3:ra\n"
	                           "job:dead:9:live:4:r\n"
	                           "job:::live:9:\n"
	                           "lease:torn one::live:0:\n");
	/* Nothing was reaped by that. */
	assert_true(scratch_has(path, "untouched"));
	assert_int_equal(count("queue"), 5);
	stop_at = 1;
	assert_int_equal(list(&only), 5);
	assert_string_equal(shown, "job:a b:1:live:1:ra\n");
	stop_at = 3;
	assert_int_equal(list(&only), 5);
	stop_at = 0;

	/* an expired one is shown as that until somebody reaps it */
	assert_int_equal(unlink(scratch_path(path, "lease/torn%20one")), 0);
	old.ttl_s = 1;
	old.taken_boot_ms = 0;
	assert_int_equal(lease_job_force(&only, &old, &err), 1);
	assert_int_equal(list(&only), 0);
	assert_non_null(strstr(shown, "\nlease:old:3:expired:0:r\n"));
	assert_int_equal(lease_clean(&a, &err), 0);
	assert_int_equal(list(&only), 0);
	assert_null(strstr(shown, "lease:old"));
	assert_non_null(strstr(shown, "lease:dead:9:live:0:r\n"));

	(void)close(fd);
	lease_close(&only);
	lease_close(&copy);
	lease_close(&a);
	lease_close(&b);
	lease_close(&c);
}

/* Somebody gives up while it is looked at. */
static struct lease leaver;

static void leave(void)
{
	lease_close(&leaver);
}

static void what_has_gone_is_not_shown(void **s)
{
	struct lease copy = open_lease(), a = open_lease();
	struct strv jobs = STRV_INIT;
	int fd = copy_begin(&copy);

	(void)s;
	assert_int_equal(job_queue(&a, "first", ""), 1);
	leaver = open_lease();
	assert_int_equal(job_queue(&leaver, "leaver", ""), 1);
	before_flock = leave;
	stop_at = 0;
	assert_int_equal(list(&copy), 0);
	assert_string_equal(shown, "job:first::live:1:ra\n");
	leaver = open_lease();
	assert_int_equal(job_queue(&leaver, "leaver", ""), 1);
	before_flock = leave;
	assert_int_equal(lease_copy_waiting(&copy, &jobs, &err), 0);
	join(&jobs);
	assert_string_equal(names, "first");
	/* and it is no script that was killed */
	assert_int_equal(copy_verdict(&copy), 0);
	(void)close(fd);
	lease_close(&a);
	lease_close(&copy);
}

/* Its turn comes while it is looked at. */
static void let_in(void)
{
	assert_int_equal(job_try(&leaver, "leaver", ""), 0);
}

static void who_is_let_in_is_shown(void **s)
{
	struct lease copy = open_lease(), a = open_lease();
	int fd = copy_begin(&copy);

	(void)s;
	assert_int_equal(job_queue(&a, "first", ""), 1);
	leaver = open_lease();
	assert_int_equal(job_queue(&leaver, "leaver", ""), 1);
	(void)close(fd);
	before_flock = let_in;
	stop_at = 0;
	assert_int_equal(list(&copy), 0);
	assert_string_equal(
	        shown, "job:first::live:1:ra\nlease:leaver::live:0:r\n");
	lease_close(&leaver);
	lease_close(&a);
	lease_close(&copy);
}

/* It was alive when its lock was tried, and is gone when its text is read. */
static void gone_before_it_is_read(void **s)
{
	struct lease copy = open_lease();
	struct strv jobs = STRV_INIT;
	int fd = copy_begin(&copy);

	(void)s;
	for (int i = 0; i < 2; i++) {
		leaver = open_lease();
		assert_int_equal(job_queue(&leaver, "leaver", ""), 1);
		watched_fd = leaver.ticket.fd;
		after_fstat = leave;
		stop_at = 0;
		if (i == 0)
			assert_int_equal(list(&copy), 0);
		else
			assert_int_equal(
			        lease_copy_waiting(&copy, &jobs, &err), 0);
		assert_int_equal(leaver.dir.fd, -1);
	}
	assert_string_equal(shown, "");
	join(&jobs);
	assert_string_equal(names, "");
	(void)close(fd);
	lease_close(&copy);
}

/* The reaper has opened the only ticket, and its owner gives up: it is not
 * taken for a job that runs. */
static int locks;
static void leave_at_the_ticket(void)
{
	/* the gate comes first, then the ticket */
	if (++locks < 2)
		before_flock = leave_at_the_ticket;
	else
		leave();
}

static void giving_up_is_not_dying(void **s)
{
	struct lease copy = open_lease();
	int fd = copy_begin(&copy);

	(void)s;
	leaver = open_lease();
	assert_int_equal(job_queue(&leaver, "leaver", ""), 1);
	locks = 0;
	before_flock = leave_at_the_ticket;
	assert_int_equal(copy_verdict(&copy), 0);
	assert_int_equal(locks, 2);
	assert_int_equal(leaver.dir.fd, -1);
	assert_int_equal(count("queue"), 0);
	assert_int_equal(count("lease"), 0);
	assert_int_equal(reaped_len, 0);
	(void)close(fd);
	lease_close(&copy);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, remove_base)
	const struct CMUnitTest tests[] = {
	        TEST(opened_and_closed),
	        TEST(nowhere),
	        TEST(everything_is_shown),
	        TEST(what_has_gone_is_not_shown),
	        TEST(who_is_let_in_is_shown),
	        TEST(gone_before_it_is_read),
	        TEST(giving_up_is_not_dying),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}

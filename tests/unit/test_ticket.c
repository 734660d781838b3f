/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "core/lease_record.h"
#include "core/ticket.h"
#include "err.h"
#include "own_mounts.h"
#include "scratch.h"
#include "str.h"

static char dir[SCRATCH_PATH];
static int fd = -1;
static struct err err;
static const struct lease_record rec = {.job = "job", .ttl_s = 1};

/* Takes the place of the C library's: something happens just before. */
static void (*before_flock)(void);
int flock(int file, int operation)
{
	void (*now)(void) = before_flock;

	before_flock = NULL;
	if (now)
		now();
	return (int)syscall(SYS_flock, file, operation);
}

/* And a disk that fails. */
static int sync_errno;
int fdatasync(int file)
{
	if (sync_errno == 0)
		return (int)syscall(SYS_fdatasync, file);
	errno = sync_errno;
	return -1;
}

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	before_flock = NULL;
	sync_errno = 0;
	scratch_make(dir, "ticket");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	util_closep(&fd);
	scratch_remove(dir);
	return 0;
}

static struct ticket take(enum ticket_kind kind)
{
	struct ticket t;

	assert_int_equal(ticket_take(fd, kind, &rec, &t, &err), 0);
	assert_true(t.fd >= 0);
	assert_true(fcntl(t.fd, F_GETFD) & FD_CLOEXEC);
	return t;
}

/* As somebody who was killed leaves it. */
static void kill_ticket(struct ticket *t)
{
	util_closep(&t->fd);
}

/* --- the queue as a string: "c1+ j2-" ------------------------------------- */

static char queue[512];
static int stop_after;

static int show(const struct ticket_entry *e, void *arg)
{
	char one[64];

	assert_ptr_equal(arg, queue);
	(void)snprintf(one, sizeof one, "%s%c%llu%c", queue[0] ? " " : "",
	        (char)e->kind, (unsigned long long)e->place,
	        e->is_alive ? '+' : '-');
	(void)snprintf(
	        queue + strlen(queue), sizeof queue - strlen(queue), "%s", one);
	return stop_after > 0 && --stop_after == 0 ? 7 : 0;
}

static const char *list(void)
{
	queue[0] = '\0';
	stop_after = 0;
	assert_int_equal(ticket_each(fd, show, queue, &err), 0);
	return queue;
}

static void first_come_first_served(void **s)
{
	struct ticket t[12];

	(void)s;
	assert_string_equal(list(), "");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		t[i] = take(i % 3 ? TICKET_JOB : TICKET_COPY);
		assert_int_equal(t[i].place, i + 1);
	}
	assert_string_equal(
	        list(), "c1+ j2+ j3+ c4+ j5+ j6+ c7+ j8+ j9+ c10+ j11+ j12+");
	ticket_drop(fd, &t[0]);
	assert_int_equal(t[0].fd, -1);
	kill_ticket(&t[1]);
	for (size_t i = 3; i < ARRAY_SIZE(t); i++)
		ticket_drop(fd, &t[i]);
	assert_string_equal(list(), "j2- j3+");
	/* Behind them, not in the gap. */
	t[0] = take(TICKET_COPY);
	assert_string_equal(list(), "j2- j3+ c4+");
	ticket_drop(fd, &t[0]);
	ticket_drop(fd, &t[2]);
}

static void somebody_wants_no_more(void **s)
{
	struct ticket a = take(TICKET_JOB), b = take(TICKET_COPY);

	(void)s;
	queue[0] = '\0';
	stop_after = 1;
	assert_int_equal(ticket_each(fd, show, queue, &err), 7);
	assert_string_equal(queue, "j1+");
	ticket_drop(fd, &a);
	ticket_drop(fd, &b);
}

/* One that was dropped, or never taken. */
static void dropped_twice(void **s)
{
	struct ticket t = TICKET_INIT;

	(void)s;
	ticket_drop(fd, &t);
	t = take(TICKET_JOB);
	ticket_drop(fd, &t);
	ticket_drop(fd, &t);
	assert_string_equal(list(), "");
}

static void it_says_who_waits(void **s)
{
	struct ticket t = take(TICKET_JOB);
	_cleanup_free_ char *text = scratch_read(dir, t.name);
	struct lease_record got;
	struct stat st;

	(void)s;
	assert_int_equal(lease_record_parse(text, strlen(text), &got), 0);
	assert_string_equal(got.job, "job");
	assert_int_equal(fstat(t.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	ticket_drop(fd, &t);
}

/* The place is that of a dead one; the name is not. */
static void no_name_is_used_twice(void **s)
{
	char used[64][TICKET_NAME];

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(used); i++) {
		struct ticket t = take(TICKET_JOB);

		assert_int_equal(t.place, 1);
		(void)str_copy(used[i], sizeof used[i], t.name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(used[i], used[j]);
		ticket_drop(fd, &t);
	}
}

/* Who gives up needs no gate: at this moment somebody may look at it. */
static struct ticket given_up;

static void give_up(void)
{
	ticket_drop(fd, &given_up);
}

static void dropped_while_somebody_looks(void **s)
{
	struct ticket other;

	(void)s;
	given_up = take(TICKET_JOB);
	other = take(TICKET_JOB);
	before_flock = give_up; /* opened, not locked yet */
	assert_string_equal(list(), "j2+");
	given_up = take(TICKET_JOB);
	before_flock = give_up; /* that of the other: not even opened */
	assert_string_equal(list(), "j2+");
	ticket_drop(fd, &other);
}

static void what_is_no_ticket(void **s)
{
	static const char *const other[] = {"x", ".hidden",
	        "00000000000000000001", "1.j.0123456789abcdef",
	        "00000000000000000001.x.0123456789abcdef",
	        "00000000000000000001.j.0123456789abcde",
	        "00000000000000000001.j.0123456789abcdef0",
	        "0000000000000000000x.j.0123456789abcdef",
	        "-0000000000000000001.j.0123456789abcdef",
	        "00000000000000000001,j.0123456789abcdef",
	        "00000000000000000001.j,0123456789abcdef",
	        "99999999999999999999.j.0123456789abcdef"};

	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		scratch_write(dir, other[i], "");
	assert_string_equal(list(), "");
	scratch_write(dir, "00000000000000000041.j.0123456789abcdef", "");
	scratch_write(dir, "00000000000000000000.c.0123456789abcdef", "");
	assert_string_equal(list(), "c0- j41-");
	{
		struct ticket t = take(TICKET_COPY);

		assert_int_equal(t.place, 42);
		ticket_drop(fd, &t);
	}
}

/* Nobody's place is taken away because it cannot be looked at. */
static void unknown_is_alive(void **s)
{
	(void)s;
	assert_int_equal(symlinkat("nowhere", fd,
	                         "00000000000000000001.j.0123456789abcdef"),
	        0);
	assert_string_equal(list(), "j1+");
}

/* Nothing of it stays, and no descriptor. */
static void no_ticket_no_trace(int expected)
{
	struct ticket t;
	int next = dup(fd);

	(void)close(next);
	assert_int_equal(ticket_take(fd, TICKET_JOB, &rec, &t, &err), expected);
	assert_int_equal(t.fd, -1);
	assert_int_equal(err.code, expected);
	assert_true(str_starts(err.message, "cannot join the queue: ") ||
	            str_starts(err.message, "cannot read the queue"));
	assert_int_equal(dup(fd), next);
	(void)close(next);
}

static size_t files(void)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n - 2;
}

static void the_disk_fails(void **s)
{
	(void)s;
	sync_errno = EIO;
	no_ticket_no_trace(-EIO);
	assert_int_equal(files(), 0);
}

static void the_queue_is_gone(void **s)
{
	struct ticket t;

	(void)s;
	assert_int_equal(rmdir(dir), 0);
	no_ticket_no_trace(-ENOENT);
	util_closep(&fd);
	assert_int_equal(ticket_take(-1, TICKET_JOB, &rec, &t, &err), -EBADF);
	assert_int_equal(ticket_each(-1, show, queue, &err), -EBADF);
	assert_string_equal(err.message,
	        "cannot read the queue of the locks: Bad file descriptor");
}

static void full_and_read_only(void **s)
{
	struct ticket t;

	(void)s;
	if (!own_mounts())
		skip();
	assert_int_equal(
	        mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=700"), 0);
	util_closep(&fd);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t = take(TICKET_JOB);
	fill_disk(fd, "full");
	no_ticket_no_trace(-ENOSPC);
	assert_int_equal(files(), 2);
	assert_string_equal(list(), "j1+");
	ticket_drop(fd, &t); /* needs no room */
	assert_string_equal(list(), "");
	t = take(TICKET_JOB);
	util_closep(&t.fd);
	assert_int_equal(
	        mount(NULL, dir, "none", MS_REMOUNT | MS_RDONLY, NULL), 0);
	no_ticket_no_trace(-EROFS);
	assert_string_equal(list(), "j1-");
	util_closep(&fd);
	assert_int_equal(umount(dir), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(first_come_first_served),
	        TEST(somebody_wants_no_more),
	        TEST(dropped_twice),
	        TEST(it_says_who_waits),
	        TEST(no_name_is_used_twice),
	        TEST(dropped_while_somebody_looks),
	        TEST(what_is_no_ticket),
	        TEST(unknown_is_alive),
	        TEST(the_disk_fails),
	        TEST(the_queue_is_gone),
	        TEST(full_and_read_only),
	};

	return cmocka_run_group_tests_name("ticket", tests, NULL, NULL);
}

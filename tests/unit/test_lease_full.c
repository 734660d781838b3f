/* SPDX-License-Identifier: MIT */
/*
 * The locks on a disk without room, and on one that is read-only.  The disks
 * are a small tmpfs and an ext4 on a loop device, seen by no mount namespace
 * but our own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "own_mounts.h"
#include "loopdev.h" /* before the globals of the next */
#include "lease_parts.h"

static bool has_mounted;
static struct loop loop;
static struct lease a, b, copy;
static int copy_fd;

static int setup(void **state)
{
	copy_fd = -1;
	loop.fd = -1;
	a = b = copy = LEASE_INIT;
	(void)make_base(state);
	scratch_mkdir(base, "lock");
	has_mounted = false;
	return 0;
}

static int teardown(void **state)
{
	util_closep(&copy_fd);
	lease_close(&a);
	lease_close(&b);
	lease_close(&copy);
	if (has_mounted)
		(void)umount2(path, MNT_DETACH);
	if (loop.fd >= 0)
		loop_detach(&loop);
	return remove_base(state);
}

static void open_all(void)
{
	a = open_lease();
	b = open_lease();
	copy = open_lease();
}

static void mount_it(const char *what, const char *type, const char *options)
{
	assert_int_equal(mount(what, path, type, 0, options), 0);
	has_mounted = true;
	assert_int_equal(chmod(path, 0700), 0);
	open_all();
}

static void on_tmpfs(const char *options)
{
	if (!own_mounts())
		skip();
	mount_it("tmpfs", "tmpfs", options);
}

static void on_ext4(void)
{
	const char *image = scratch_path(base, "image");
	char uuid[40];

	NEED_LOOP();
	if (!own_mounts())
		skip();
	if (!kernel_has("ext4")) {
		print_message("needs ext4\n");
		skip();
	}
	image_uuid(uuid);
	if (!image_mkfs(image, "ext4", uuid, "locks"))
		skip();
	loop_attach(&loop, image, false);
	mount_it(loop.device, "ext4", NULL);
}

static void fill(void)
{
	fill_disk(copy.dir.fd, "full");
}

static bool is_forced(const char *name)
{
	struct lease_record rec = read_lease(name);

	assert_string_equal(rec.run, "1");
	return rec.forced;
}

static bool is_empty(const char *name)
{
	_cleanup_free_ char *text = scratch_read(path, name);

	return text[0] == '\0';
}

/* --- the reserve ---------------------------------------------------------- */

static void one_more_lease(void)
{
	assert_int_equal(job_queue(&a, "first", "1"), 0);
	assert_true(scratch_has(path, "reserve"));
	fill();
	assert_int_equal(job_queue(&a, "second", "1"), 0);
	assert_false(scratch_has(path, "reserve"));
	assert_false(is_forced("lease/second"));
	fill();
	/* Now there is none, and that is said. */
	assert_int_equal(job_queue(&a, "third", "1"), -ENOSPC);
	assert_int_equal(err.code, -ENOSPC);
	assert_int_equal(count("lease"), 2);
	/* Nobody copies: its name is a lease. */
	assert_int_equal(job_force(&a, "third", "1"), 0);
	assert_int_equal(count("lease"), 3);
	assert_int_equal(copy_queue(&copy), 0);
	assert_int_equal(copy_try(&copy, &copy_fd), 1);
	assert_non_null(strstr(names, "third"));
	lease_leave_queue(&copy);
	assert_int_equal(job_release(&a, "third", "1"), LEASE_RELEASED);
	/* What was there is as it was, also when this is its run. */
	assert_int_equal(job_force(&a, "first", "1"), 0);
	assert_false(is_forced("lease/first"));
	/* of another run its time would be too short */
	assert_int_equal(job_force(&a, "second", "2"), 0);
	assert_true(is_empty("lease/second"));
	/* Unlocking needs no room. */
	assert_int_equal(job_release(&a, "first", "1"), LEASE_RELEASED);
	assert_int_equal(job_release(&a, "second", "1"), LEASE_RELEASED);
	/* and with room there is a reserve again */
	assert_int_equal(unlink(scratch_path(path, "full")), 0);
	assert_int_equal(job_queue(&a, "third", "1"), 0);
	assert_true(scratch_has(path, "reserve"));
}

static void the_reserve_on_tmpfs(void **s)
{
	(void)s;
	on_tmpfs("size=64k,mode=700");
	one_more_lease();
}

static void the_reserve_on_ext4(void **s)
{
	(void)s;
	on_ext4();
	one_more_lease();
}

/* --- the ticket becomes the lease ----------------------------------------- */

static void by_its_name(void)
{
	copy_fd = copy_begin(&copy);
	assert_int_equal(job_queue(&a, "job", "1"), 1);
	assert_int_equal(job_queue(&b, "other", "1"), 1);
	fill();
	assert_int_equal(job_force(&a, "job", "1"), 1);
	assert_int_equal(a.ticket.fd, -1);
	assert_int_equal(count("queue"), 1);
	assert_true(is_forced("lease/job"));
	assert_int_equal(copy_verdict(&copy), 1);
	assert_string_equal(names, "job");
	/* The copy is over; there is no room for a lease all the same. */
	util_closep(&copy_fd);
	assert_int_equal(job_try(&b, "other", "1"), -ENOSPC);
	assert_true(b.ticket.fd >= 0);
	assert_int_equal(job_force(&b, "other", "1"), 0);
	assert_int_equal(count("queue"), 0);
	assert_int_equal(copy_verdict(&copy), 1);
	assert_non_null(strstr(names, "other"));
	assert_int_equal(job_release(&a, "job", "1"), LEASE_RELEASED_FORCED);
	assert_int_equal(job_release(&b, "other", "1"), LEASE_RELEASED_FORCED);
}

static void the_ticket_on_tmpfs(void **s)
{
	(void)s;
	on_tmpfs("size=64k,mode=700");
	by_its_name();
}

static void the_ticket_on_ext4(void **s)
{
	(void)s;
	on_ext4();
	by_its_name();
}

/* Killed while it waited: that becomes a lease as well. */
static void a_killed_script(void **s)
{
	(void)s;
	on_tmpfs("size=64k,mode=700");
	copy_fd = copy_begin(&copy);
	victim_job = "job";
	victim_run = "1";
	killed_while_waiting(false);
	fill();
	assert_int_equal(copy_verdict(&copy), 1);
	assert_string_equal(names, "job");
	assert_true(is_forced("lease/job"));
	assert_int_equal(job_release(&a, "job", "1"), LEASE_RELEASED_FORCED);
}

/* --- closed --------------------------------------------------------------- */

/* A ticket has no room: the copy learns that a job runs by V4. */
static void no_ticket(void **s)
{
	(void)s;
	on_tmpfs("size=64k,mode=700");
	copy_fd = copy_begin(&copy);
	fill();
	assert_int_equal(job_queue(&a, "job", "1"), -ENOSPC);
	assert_int_equal(a.ticket.fd, -1);
	assert_int_equal(copy_verdict(&copy), 0);
	assert_int_equal(job_force(&a, "job", "1"), 1);
	assert_int_equal(copy_verdict(&copy), 1);
	assert_string_equal(names, "job");
	assert_int_equal(job_release(&a, "job", "1"), LEASE_RELEASED);
	assert_int_equal(copy_verdict(&copy), 1);

	/* A copy goes on without: behind everybody who has one. */
	util_closep(&copy_fd);
	assert_int_equal(copy_queue(&b), 0);
	assert_int_equal(b.ticket.fd, -1);
	assert_int_equal(unlink(scratch_path(path, "full")), 0);
	assert_int_equal(copy_queue(&copy), 0);
	assert_int_equal(copy_try(&b, &copy_fd), 1);
	lease_leave_queue(&copy);
	assert_int_equal(copy_try(&b, &copy_fd), 0);
}

/* Not even for a name. */
static void no_name(void **s)
{
	(void)s;
	/* the root, three directories, "copy" and the gate */
	on_tmpfs("nr_inodes=6,mode=700");
	assert_int_equal(job_queue(&a, "job", "1"), -ENOSPC);
	assert_int_equal(job_force(&a, "job", "1"), -ENOSPC);
	assert_int_equal(err.code, -ENOSPC);
	assert_int_equal(count("lease"), 0);
}

/* Without its mark a copy could not prove anything. */
static void no_mark(void **s)
{
	int fd = -1;

	(void)s;
	/* five directories and files, the gate, and one ticket */
	on_tmpfs("nr_inodes=7,mode=700");
	assert_int_equal(copy_queue(&copy), 0);
	assert_int_equal(copy_try(&copy, &fd), -ENOSPC);
	assert_int_equal(fd, -1);
	assert_false(lease_is_copying(&a));
	assert_int_equal(count("queue"), 1);
	assert_int_equal(copy.copy_fd, -1);
}

static void read_only(void **s)
{
	int fd = -1;

	(void)s;
	on_tmpfs("mode=700");
	assert_int_equal(job_queue(&b, "job", "1"), 0);
	lease_close(&b);
	assert_int_equal(job_release(&a, "job", "1"), LEASE_RELEASED);
	fd = copy_begin(&copy);
	(void)close(fd);
	fd = -1;
	assert_int_equal(
	        mount(NULL, path, "none", MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(job_queue(&a, "job", "1"), -EROFS);
	assert_int_equal(job_force(&a, "job", "1"), -EROFS);
	assert_int_equal(job_release(&a, "job", "1"), -EROFS);
	assert_int_equal(copy_queue(&a), -EROFS);
	assert_int_equal(copy_try(&a, &fd), -EROFS);
	assert_int_equal(copy_verdict(&copy), -EROFS);
	assert_int_equal(fd, -1);
	assert_int_equal(lease_open(&b, path, DAY_S, &err), 0);
	lease_close(&b);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(the_reserve_on_tmpfs),
	        TEST(the_reserve_on_ext4),
	        TEST(the_ticket_on_tmpfs),
	        TEST(the_ticket_on_ext4),
	        TEST(a_killed_script),
	        TEST(no_ticket),
	        TEST(no_name),
	        TEST(no_mark),
	        TEST(read_only),
	};

	return cmocka_run_group_tests_name("lease_full", tests, NULL, NULL);
}

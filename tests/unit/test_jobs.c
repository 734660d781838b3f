/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/jobs.h"
#include "scratch.h"

#define LONG_MS 60000 /* for what must not happen */

static char dir[SCRATCH_PATH];
static struct strv dirs;
static struct jobs *jobs;
static struct err err;
static char name[256];

/* Takes the place of the C library's: a kernel without a watch to give. */
static bool no_watch;
int inotify_init1(int flags)
{
	if (no_watch) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_inotify_init1, flags);
}

static int setup(void **state)
{
	(void)state;
	no_watch = false;
	err = ERR_INIT;
	scratch_make(dir, "jobs");
	assert_int_equal(strv_add(&dirs, scratch_path(dir, "new/locks")), 0);
	assert_int_equal(strv_add(&dirs, scratch_path(dir, "other")), 0);
	assert_int_equal(jobs_open(&dirs, &jobs, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	jobs_free(jobs);
	jobs = NULL;
	strv_done(&dirs);
	scratch_remove(dir);
	return 0;
}

static void reopen_without_watch(void)
{
	jobs_free(jobs);
	no_watch = true;
	assert_int_equal(jobs_open(&dirs, &jobs, &err), 0);
	assert_int_equal(jobs_fd(jobs), -1);
}

static void lock(const char *file)
{
	scratch_write(dir, file, "");
}

static void unlock(const char *file)
{
	assert_int_equal(unlink(scratch_path(dir, file)), 0);
}

static void mark(void)
{
	assert_int_equal(jobs_mark(jobs, &err), 0);
}

static int overlap(void)
{
	return jobs_overlap(jobs, name, &err);
}

/* --- lists ---------------------------------------------------------------- */

static void makes_the_directories(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(scratch_path(dir, "new/locks"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_true(scratch_has(dir, "other"));
}

static void lists_lock_files(void **state)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	(void)state;
	assert_int_equal(jobs_list(jobs, &names, &err), 0);
	assert_int_equal(names.len, 0);
	lock("new/locks/Backup Job 1.lock");
	lock("other/2026-11-20_19-45-09.lock");
	lock("other/Backup Job 1.lock");
	lock("other/.hidden.lock");
	lock("other/x.locked");
	lock("other/lock");
	assert_int_equal(jobs_list(jobs, &names, &err), 0);
	assert_int_equal(names.len, 2);
	assert_true(strv_has(&names, "Backup Job 1.lock"));
	assert_true(strv_has(&names, "2026-11-20_19-45-09.lock"));
}

static void not_a_directory(void **state)
{
	struct strv bad = STRV_INIT;
	struct jobs *j = NULL;

	(void)state;
	lock("file");
	assert_int_equal(strv_add(&bad, scratch_path(dir, "file")), 0);
	assert_int_equal(jobs_open(&bad, &j, &err), -ENOTDIR);
	assert_null(j);
	assert_true(err.message[0] && err.meaning[0] && err.action[0]);
	strv_done(&bad);
}

static void unreadable(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(dir, 0711), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct jobs *j = NULL;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(10);
		_exit(jobs_open(&dirs, &j, &err) == -EACCES && !j ? 0 : 11);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void no_directories(void **state)
{
	struct strv none = STRV_INIT;
	struct jobs *j = NULL;

	(void)state;
	assert_int_equal(jobs_open(&none, &j, &err), 0);
	assert_int_equal(jobs_mark(j, &err), 0);
	assert_int_equal(jobs_overlap(j, name, &err), 0);
	jobs_free(j);
	jobs_free(NULL);
}

/* --- overlap -------------------------------------------------------------- */

static void nothing_happened(void **state)
{
	(void)state;
	mark();
	assert_int_equal(overlap(), 0);
	assert_string_equal(name, "");
}

static void still_there(void **state)
{
	(void)state;
	mark();
	lock("other/a.lock");
	assert_int_equal(overlap(), 1);
	assert_string_equal(name, "a.lock");
	/* Being there counts even when it came before. */
	mark();
	assert_int_equal(overlap(), 1);
}

static void came_and_went(void **state)
{
	(void)state;
	mark();
	lock("new/locks/quick.lock");
	unlock("new/locks/quick.lock");
	assert_int_equal(overlap(), 1);
	assert_string_equal(name, "quick.lock");
	/* It stays so until the next mark. */
	assert_int_equal(overlap(), 1);
	mark();
	assert_int_equal(overlap(), 0);
}

static void renamed_into_place(void **state)
{
	(void)state;
	lock("other/.tmp");
	mark();
	assert_int_equal(rename(scratch_path(dir, "other/.tmp"),
	                         scratch_path(dir, "other/r.lock")),
	        0);
	unlock("other/r.lock");
	assert_int_equal(overlap(), 1);
	assert_string_equal(name, "r.lock");
}

static void other_files_are_none_of_our_business(void **state)
{
	(void)state;
	lock("other/old.lock");
	mark();
	unlock("other/old.lock");
	lock("other/notes.txt");
	assert_int_equal(overlap(), 0);
}

static void before_the_mark(void **state)
{
	(void)state;
	lock("other/a.lock");
	unlock("other/a.lock");
	mark();
	assert_int_equal(overlap(), 0);
}

static void more_events_than_the_queue_holds(void **state)
{
	const char *f = scratch_path(dir, "other/notes.txt");
	char limit[32] = "";
	int fd, max;

	(void)state;
	fd = open(
	        "/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		skip();
	assert_true(read(fd, limit, sizeof(limit) - 1) > 0);
	(void)close(fd);
	max = (int)strtol(limit, NULL, 10);
	if (max <= 0 || max > 200000)
		skip();
	mark();
	for (int i = 0; i <= max / 2 + 1; i++) {
		fd = open(f, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		(void)close(fd);
		assert_int_equal(unlink(f), 0);
	}
	assert_int_equal(overlap(), 1);
	assert_string_equal(name, "?");
}

static void directory_removed(void **state)
{
	_cleanup_strv_ struct strv names = STRV_INIT;

	(void)state;
	mark();
	assert_int_equal(rmdir(scratch_path(dir, "other")), 0);
	assert_true(overlap() < 0);
	assert_true(err.message[0]);
	assert_true(jobs_list(jobs, &names, &err) < 0);
	assert_true(jobs_mark(jobs, &err) < 0);
}

/* What happened in the new one before it was looked at is not known. */
static void directory_made_anew(void **state)
{
	(void)state;
	mark();
	assert_int_equal(rmdir(scratch_path(dir, "other")), 0);
	scratch_mkdir(dir, "other");
	assert_int_equal(overlap(), 1);
	assert_string_equal(name, "?");
	mark();
	assert_int_equal(overlap(), 0);
	/* And it is watched. */
	lock("other/a.lock");
	unlock("other/a.lock");
	assert_int_equal(overlap(), 1);
	assert_string_equal(name, "a.lock");
}

static void directory_moved_away(void **state)
{
	(void)state;
	mark();
	assert_int_equal(
	        rename(scratch_path(dir, "other"), scratch_path(dir, "gone")),
	        0);
	scratch_mkdir(dir, "other");
	assert_int_equal(overlap(), 1);
}

/* No event says that. */
static void parent_moved_away(void **state)
{
	(void)state;
	mark();
	assert_int_equal(
	        rename(scratch_path(dir, "new"), scratch_path(dir, "gone")), 0);
	scratch_mkdir(dir, "new");
	scratch_mkdir(dir, "new/locks");
	assert_int_equal(overlap(), 1);
}

static void without_events(void **state)
{
	const struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	(void)state;
	/* So that the time of the directory cannot stay by chance. */
	assert_int_equal(
	        utimensat(AT_FDCWD, scratch_path(dir, "other"), past, 0), 0);
	reopen_without_watch();
	mark();
	assert_int_equal(overlap(), 0);
	lock("other/a.lock");
	unlock("other/a.lock");
	assert_int_equal(overlap(), 1);
	assert_string_equal(name, "?");
}

static void event_can_be_polled(void **state)
{
	struct pollfd p = {.fd = jobs_fd(jobs), .events = POLLIN};

	(void)state;
	mark();
	assert_int_equal(poll(&p, 1, 0), 0);
	lock("other/a.lock");
	assert_int_equal(poll(&p, 1, LONG_MS), 1);
	jobs_drain(jobs);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(overlap(), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(makes_the_directories),
	        T(lists_lock_files),
	        T(not_a_directory),
	        T(unreadable),
	        T(no_directories),
	        T(nothing_happened),
	        T(still_there),
	        T(came_and_went),
	        T(renamed_into_place),
	        T(other_files_are_none_of_our_business),
	        T(before_the_mark),
	        T(more_events_than_the_queue_holds),
	        T(directory_removed),
	        T(directory_made_anew),
	        T(directory_moved_away),
	        T(parent_moved_away),
	        T(without_events),
	        T(event_can_be_polled),
	};

	return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}

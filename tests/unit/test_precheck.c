/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/precheck.h"
#include "core/settings.h"
#include "log.h"
#include "scratch.h"

static char dir[SCRATCH_PATH];
static struct settings *s;
static struct err err;

/* Takes the place of the C library's: 0 = what it really is. */
static long fake_type;
int statfs(const char *path, struct statfs *st)
{
	(void)path;
	*st = (struct statfs){.f_type = fake_type ? fake_type : 0xef53};
	return 0;
}

static int setup(void **state)
{
	(void)state;
	err = ERR_INIT;
	fake_type = 0;
	scratch_make(dir, "precheck");
	s = settings_new();
	assert_non_null(s);
	scratch_set(&s->state_directory, scratch_path(dir, "lib/state"));
	scratch_set(&s->runtime_directory, scratch_path(dir, "run"));
	scratch_set(&s->spool_directory, scratch_path(dir, "spool"));
	scratch_set(&s->log_directory, scratch_path(dir, "log"));
	scratch_set(&s->log_file, "");
	scratch_set(&s->rsync_log_file, "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_close();
	settings_freep(&s);
	scratch_remove(dir);
	return 0;
}

static void assert_mode(const char *name, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(scratch_path(dir, name), &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void makes_directories(void **state)
{
	(void)state;
	assert_int_equal(precheck_directories(s, &err), 0);
	assert_mode("lib/state", 0700);
	assert_mode("lib/state/lock", 0700);
	assert_mode("run", 0755);
	assert_mode("spool", 0700);
	assert_int_equal(precheck_directories(s, &err), 0);
}

static void directory_that_is_none(void **state)
{
	(void)state;
	scratch_write(dir, "file", "");
	scratch_set(&s->runtime_directory, scratch_path(dir, "file"));
	assert_int_equal(precheck_directories(s, &err), -ENOTDIR);
	assert_non_null(strstr(err.action, "runtime-directory"));
	err = ERR_INIT;
	scratch_set(&s->state_directory, scratch_path(dir, "file/x"));
	assert_int_equal(precheck_directories(s, &err), -ENOTDIR);
	assert_non_null(strstr(err.action, "state-directory"));
}

static void locks_do_not_hold_there(void **state)
{
	static const long types[] = {
	        0x6969, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		fake_type = types[i];
		err = ERR_INIT;
		assert_int_equal(precheck_directories(s, &err), -ENOLCK);
		assert_true(err.meaning[0]);
		assert_non_null(strstr(err.action, "state-directory"));
	}
	/* The kernel's type is signed on some machines. */
	fake_type = (long)(int)0xff534d42;
	assert_int_equal(precheck_directories(s, &err), -ENOLCK);
}

/* root may write to everything but to a file system that is read-only. */
static int on_read_only(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	        mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return 10;
	scratch_mkdir(dir, "spool");
	if (mount("none", scratch_path(dir, "spool"), "tmpfs", MS_RDONLY,
	            NULL) < 0)
		return 11;
	if (precheck_directories(s, &err) != -EROFS)
		return 12;
	return strstr(err.action, "spool-directory") ? 0 : 13;
}

static void read_only_file_system(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(on_read_only());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 10)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void one_run_at_a_time(void **state)
{
	_cleanup_free_ char *note = NULL;
	int fd;

	(void)state;
	assert_int_equal(precheck_directories(s, &err), 0);
	fd = precheck_run_lock(s, &err);
	assert_true(fd >= 0);
	note = scratch_read(s->state_directory, "lock/run");
	assert_non_null(strstr(note, ", pid "));
	assert_int_equal(precheck_run_lock(s, &err), -EWOULDBLOCK);
	assert_non_null(strstr(err.message, note));
	assert_true(err.action[0]);
	(void)close(fd);
	fd = precheck_run_lock(s, &err);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void no_place_for_the_lock(void **state)
{
	(void)state;
	assert_int_equal(precheck_run_lock(s, &err), -ENOENT);
	assert_true(err.message[0]);
}

static void logs(void **state)
{
	_cleanup_free_ char *text = NULL, *general = NULL, *rsync = NULL;
	FILE *f = NULL;

	(void)state;
	general = precheck_log_path(s);
	rsync = precheck_rsync_log_path(s);
	assert_string_equal(general, scratch_path(dir, "log/asbackup.log"));
	assert_string_equal(rsync, scratch_path(dir, "log/rsync.log"));
	scratch_mkdir(dir, "log");
	scratch_write(dir, "log/rsync.log", "earlier\n");
	assert_int_equal(precheck_logs(s, &f, &err), 0);
	log_notice("a line");
	assert_true(fputs("now\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	text = scratch_read(dir, "log/rsync.log");
	assert_string_equal(text, "earlier\nnow\n");
	free(text);
	text = scratch_read(dir, "log/asbackup.log");
	assert_non_null(strstr(text, "a line"));
}

static void configured_logs(void **state)
{
	_cleanup_free_ char *path = NULL;
	FILE *f = NULL;

	(void)state;
	scratch_set(&s->log_file, scratch_path(dir, "a/b/x.log"));
	scratch_set(&s->rsync_log_file, scratch_path(dir, "c/y.log"));
	path = precheck_log_path(s);
	assert_string_equal(path, s->log_file);
	assert_int_equal(precheck_logs(s, &f, &err), 0);
	(void)fclose(f);
	assert_mode("a/b", 0750);
	assert_true(scratch_has(dir, "a/b/x.log"));
	assert_true(scratch_has(dir, "c/y.log"));
	assert_false(scratch_has(dir, "log"));
}

static void assert_log_refused(int code)
{
	FILE *f = NULL;

	err = ERR_INIT;
	assert_int_equal(precheck_logs(s, &f, &err), code);
	assert_null(f);
	assert_true(err.message[0] && err.action[0]);
}

static void logs_that_are_none(void **state)
{
	(void)state;
	scratch_mkdir(dir, "log");
	scratch_mkdir(dir, "log/rsync.log");
	assert_log_refused(-EISDIR);
	assert_int_equal(rmdir(scratch_path(dir, "log/rsync.log")), 0);

	assert_int_equal(
	        symlink("target", scratch_path(dir, "log/rsync.log")), 0);
	assert_log_refused(-ELOOP);
	assert_int_equal(unlink(scratch_path(dir, "log/rsync.log")), 0);

	/* Nobody reads it: must not wait for that. */
	assert_int_equal(mkfifo(scratch_path(dir, "log/rsync.log"), 0600), 0);
	assert_log_refused(-ENXIO);
	scratch_set(&s->log_file, scratch_path(dir, "log/rsync.log"));
	assert_log_refused(-ENXIO);
	scratch_set(&s->log_file, scratch_path(dir, "log"));
	assert_log_refused(-EISDIR);
}

static void other_files(void **state)
{
	(void)state;
	assert_int_equal(precheck_files(s, &err), 0);
	scratch_set(&s->rsync_excludes, scratch_path(dir, "excludes"));
	assert_int_equal(precheck_files(s, &err), -ENOENT);
	assert_non_null(strstr(err.action, "rsync-excludes"));
	scratch_write(dir, "excludes", "*.tmp\n");
	assert_int_equal(precheck_files(s, &err), 0);

	scratch_set(&s->mail_ca_file, scratch_path(dir, "ca.pem"));
	assert_int_equal(precheck_files(s, &err), -ENOENT);
	assert_non_null(strstr(err.action, "ca-file"));
	scratch_set(&s->mail_ca_file, "");

	scratch_set(&s->post_run, "rm -rf /");
	assert_int_equal(precheck_files(s, &err), -EINVAL);
	assert_non_null(strstr(err.message, "post-run"));
	scratch_set(&s->post_run, "/bin/true");
	scratch_set(&s->pre_run, "/no/such/program");
	assert_true(precheck_files(s, &err) < 0);
	assert_non_null(strstr(err.message, "pre-run"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(makes_directories),
	        T(directory_that_is_none),
	        T(locks_do_not_hold_there),
	        T(read_only_file_system),
	        T(one_run_at_a_time),
	        T(no_place_for_the_lock),
	        T(logs),
	        T(configured_logs),
	        T(logs_that_are_none),
	        T(other_files),
	};

	log_init(LOG_LEVEL_ERR);
	return cmocka_run_group_tests_name("precheck", tests, NULL, NULL);
}

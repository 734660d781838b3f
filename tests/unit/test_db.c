/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "sys/db.h"
#include "util.h"

/* --- a directory for each test ------------------------------------------- */

static char dir[256];
static char path[300];

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/test_db.XXXXXX",
	        tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/x.db", dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {
	        "x.db", "x.db-wal", "x.db-shm", "x.db-journal", "link.db"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char p[300];

		(void)snprintf(p, sizeof(p), "%s/%s", dir, names[i]);
		(void)unlink(p);
	}
	return rmdir(dir);
}

static void write_file(const char *p, const void *data, size_t len)
{
	_cleanup_close_ int fd =
	        open(p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
}

static struct db *open_db(void)
{
	struct db *db = NULL;
	struct err err = ERR_INIT;

	if (db_open(path, false, &db, &err) < 0)
		fail_msg("%s", err.message);
	return db;
}

static void exec_ok(struct db *db, const char *sql)
{
	struct err err = ERR_INIT;

	if (db_exec(db, sql, &err) < 0)
		fail_msg("%s", err.message);
}

static struct db_stmt *prepare(struct db *db, const char *sql)
{
	struct db_stmt *st = NULL;
	struct err err = ERR_INIT;

	if (db_prepare(db, sql, &st, &err) < 0)
		fail_msg("%s", err.message);
	return st;
}

static int64_t one_int(struct db *db, const char *sql)
{
	_cleanup_(db_finishp) struct db_stmt *st = prepare(db, sql);

	assert_int_equal(db_step(st, NULL), 1);
	return db_int(st, 0);
}

/* --- tests --------------------------------------------------------------- */

static void creates_private_file(void **state)
{
	mode_t old = umask(0);
	_cleanup_(db_closep) struct db *db = open_db();
	struct stat st;
	char p[320];

	(void)state;
	(void)umask(old);
	exec_ok(db, "CREATE TABLE t(a INTEGER) STRICT");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	(void)snprintf(p, sizeof(p), "%s-wal", path);
	assert_int_equal(stat(p, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void settings_are_as_promised(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();
	_cleanup_(db_finishp) struct db_stmt *st = NULL;

	(void)state;
	st = prepare(db, "PRAGMA journal_mode");
	assert_int_equal(db_step(st, NULL), 1);
	assert_string_equal(db_text(st, 0), "wal");
	assert_int_equal(one_int(db, "PRAGMA synchronous"), 2);
	assert_int_equal(one_int(db, "PRAGMA cache_size"), -1024);
	assert_int_equal(one_int(db, "PRAGMA foreign_keys"), 1);
	assert_int_equal(one_int(db, "PRAGMA busy_timeout"), 5000);
	assert_int_equal(one_int(db, "PRAGMA temp_store"), 1);
}

static void read_only(void **state)
{
	struct db *db = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(db_open(path, true, &db, &err), -ENOENT);
	assert_null(db);
	assert_non_null(strstr(err.message, path));
	assert_int_equal(access(path, F_OK), -1);

	db = open_db();
	exec_ok(db, "CREATE TABLE t(a INTEGER); INSERT INTO t VALUES(7)");
	db_closep(&db);
	assert_int_equal(db_open(path, true, &db, &err), 0);
	assert_int_equal(one_int(db, "SELECT a FROM t"), 7);
	assert_int_equal(db_exec(db, "INSERT INTO t VALUES(8)", &err), -EROFS);
	assert_true(err.action[0] != '\0');
	db_closep(&db);
}

static void refuses_what_is_no_file(void **state)
{
	struct db *db = NULL;
	struct err err = ERR_INIT;
	char link[300];

	(void)state;
	assert_int_equal(db_open(dir, false, &db, &err), -EINVAL);
	assert_int_equal(db_open("/dev/null", false, &db, &err), -EINVAL);
	assert_int_equal(db_open("/proc/nowhere/x", false, &db, &err), -ENOENT);

	(void)snprintf(link, sizeof(link), "%s/link.db", dir);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(db_open(link, false, &db, &err), -ELOOP);
	assert_null(db);
	assert_int_equal(access(path, F_OK), -1);
}

static void damaged_files(void **state)
{
	char page[4096];
	struct db *db = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (char)(i * 7 + 1);
	for (int ro = 0; ro < 2; ro++) {
		err = ERR_INIT;
		write_file(path, page, sizeof(page));
		assert_int_equal(db_open(path, ro, &db, &err), -EUCLEAN);
		assert_null(db);
		assert_int_equal(err.code, -EUCLEAN);
		assert_non_null(strstr(err.message, path));
		assert_true(err.meaning[0] != '\0');
		assert_non_null(strstr(err.action, path));
	}
	/* A good first 16 bytes, nonsense behind. */
	memcpy(page, "SQLite format 3", 16);
	write_file(path, page, sizeof(page));
	assert_int_equal(db_open(path, false, &db, &err), -EUCLEAN);
	/* Empty is a new database. */
	write_file(path, "", 0);
	db = open_db();
	db_closep(&db);
}

static void check_finds_damage(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();
	char junk[4096];
	struct err err = ERR_INIT;
	int fd;

	(void)state;
	exec_ok(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);"
	            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 "
	            "FROM c WHERE x < 2000) INSERT INTO t SELECT x, "
	            "hex(randomblob(40)) FROM c");
	assert_int_equal(db_check(db, &err), 0);
	db_closep(&db);

	/* In the middle: opening does not see it. */
	memset(junk, 0xa5, sizeof(junk));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 5 * 4096), 4096);
	(void)close(fd);
	db = open_db();
	assert_int_equal(db_check(db, &err), -EUCLEAN);
	assert_non_null(strstr(err.message, "damaged"));
	assert_true(err.action[0] != '\0');
}

static void version(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();
	int64_t v = -1;

	(void)state;
	assert_int_equal(db_version(db, &v, NULL), 0);
	assert_int_equal(v, 0);
	exec_ok(db, "PRAGMA user_version = 3");
	assert_int_equal(db_version(db, &v, NULL), 0);
	assert_int_equal(v, 3);
}

static const char *const steps[] = {
        "CREATE TABLE t(a INTEGER) STRICT; INSERT INTO t VALUES(1)",
        "ALTER TABLE t ADD COLUMN b INTEGER; UPDATE t SET b = a + 1",
        "NONSENSE",
};

static void migrates(void **state)
{
	struct db *db = open_db();
	struct err err = ERR_INIT;
	int64_t v = -1;

	(void)state;
	assert_int_equal(db_migrate(db, steps, 1, &err), 0);
	assert_int_equal(db_version(db, &v, &err), 0);
	assert_int_equal(v, 1);
	assert_int_equal(db_migrate(db, steps, 2, &err), 0);
	assert_int_equal(db_migrate(db, steps, 2, &err), 0);
	assert_int_equal(one_int(db, "SELECT b FROM t"), 2);
	/* A step that fails leaves the version before it, and no transaction
	 * behind. */
	assert_int_equal(db_migrate(db, steps, 3, &err), -EINVAL);
	assert_false(db_in_transaction(db));
	assert_int_equal(db_version(db, &v, &err), 0);
	assert_int_equal(v, 2);
	/* Newer than we are. */
	assert_int_equal(db_migrate(db, steps, 1, &err), -EPROTONOSUPPORT);
	assert_true(err.action[0] != '\0');
	db_closep(&db);

	assert_int_equal(db_open(path, true, &db, &err), 0);
	assert_int_equal(db_migrate(db, steps, 2, &err), 0);
	assert_int_equal(db_migrate(db, steps, 3, &err), -ESTALE);
	assert_int_equal(db_migrate(db, steps, 1, &err), -EPROTONOSUPPORT);
	db_closep(&db);
}

static void migrates_nothing_read_only(void **state)
{
	struct db *db = NULL;
	struct err err = ERR_INIT;

	(void)state;
	write_file(path, "", 0);
	assert_int_equal(db_open(path, true, &db, &err), 0);
	assert_int_equal(db_migrate(db, steps, 2, &err), -ENOENT);
	db_closep(&db);

	db = open_db();
	exec_ok(db, "PRAGMA user_version = -1");
	assert_int_equal(db_migrate(db, steps, 2, &err), -EUCLEAN);
	db_closep(&db);
}

static void transactions(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();

	(void)state;
	exec_ok(db, "CREATE TABLE t(a INTEGER)");
	assert_false(db_in_transaction(db));
	db_rollback(db);
	exec_ok(db, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
	assert_true(db_in_transaction(db));
	db_rollback(db);
	assert_false(db_in_transaction(db));
	assert_int_equal(one_int(db, "SELECT count(*) FROM t"), 0);
}

static void binds_and_reads(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();
	_cleanup_(db_finishp) struct db_stmt *in = NULL, *out = NULL;
	const void *blob;
	size_t len;

	(void)state;
	exec_ok(db, "CREATE TABLE t(i INTEGER, s TEXT, b BLOB) STRICT");
	in = prepare(db, "INSERT INTO t VALUES(?1, ?2, ?3)");
	db_bind_int(in, 1, INT64_MIN);
	db_bind_text(in, 2, "x'; DROP TABLE t;--");
	db_bind_blob(in, 3, "a\0b\xff", 4);
	assert_int_equal(db_step(in, NULL), 0);
	assert_int_equal(db_changes(db), 1);
	/* Cleared: everything NULL now. */
	assert_int_equal(db_step(in, NULL), 0);
	db_bind_null(in, 1);
	db_bind_text(in, 2, NULL);
	db_bind_blob(in, 3, "", 0);
	assert_int_equal(db_step(in, NULL), 0);
	db_bind_blob(in, 3, NULL, 0);
	assert_int_equal(db_step(in, NULL), 0);

	out = prepare(db, "SELECT i, s, b FROM t ORDER BY rowid");
	assert_int_equal(db_step(out, NULL), 1);
	assert_true(db_int(out, 0) == INT64_MIN);
	assert_string_equal(db_text(out, 1), "x'; DROP TABLE t;--");
	blob = db_blob(out, 2, &len);
	assert_int_equal(len, 4);
	assert_memory_equal(blob, "a\0b\xff", 4);
	assert_int_equal(db_step(out, NULL), 1);
	assert_true(db_is_null(out, 0));
	assert_null(db_text(out, 1));
	assert_null(db_blob(out, 2, &len));
	assert_int_equal(len, 0);
	assert_int_equal(db_int(out, 0), 0);
	assert_int_equal(db_step(out, NULL), 1);
	assert_false(db_is_null(out, 2));
	assert_non_null(db_blob(out, 2, &len));
	assert_int_equal(len, 0);
	assert_int_equal(db_step(out, NULL), 1);
	assert_true(db_is_null(out, 2));
	assert_int_equal(db_step(out, NULL), 0);
	/* Ready for the next use. */
	assert_int_equal(db_step(out, NULL), 1);
	db_reset(out);
}

static void text_is_copied(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	char s[] = "before";

	(void)state;
	st = prepare(db, "SELECT ?1");
	db_bind_text(st, 1, s);
	s[0] = 'X';
	assert_int_equal(db_step(st, NULL), 1);
	assert_string_equal(db_text(st, 0), "before");
}

static void statement_errors(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(db_exec(db, "NONSENSE", &err), -EINVAL);
	assert_non_null(strstr(err.message, "NONSENSE"));
	assert_int_equal(
	        db_prepare(db, "SELECT * FROM no", &st, &err), -EINVAL);
	assert_int_equal(db_prepare(db, "", &st, &err), -EINVAL);
	assert_null(st);

	exec_ok(db, "CREATE TABLE t(i INTEGER PRIMARY KEY) STRICT");
	st = prepare(db, "INSERT INTO t VALUES(?1)");
	db_bind_int(st, 1, 1);
	assert_int_equal(db_step(st, &err), 0);
	db_bind_int(st, 1, 1);
	assert_int_equal(db_step(st, &err), -EEXIST);
	/* STRICT: no text in a number. */
	db_bind_text(st, 1, "abc");
	assert_int_equal(db_step(st, &err), -EINVAL);
	/* A wrong number sticks until the next step, which forgets it. */
	db_bind_int(st, 99, 1);
	db_bind_int(st, 1, 5);
	assert_int_equal(db_step(st, &err), -EINVAL);
	db_bind_int(st, 1, 5);
	assert_int_equal(db_step(st, &err), 0);
	assert_int_equal(one_int(db, "SELECT count(*) FROM t"), 2);
}

static void foreign_keys_hold(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();

	(void)state;
	exec_ok(db, "CREATE TABLE a(i INTEGER PRIMARY KEY);"
	            "CREATE TABLE b(j REFERENCES a(i))");
	assert_int_equal(db_exec(db, "INSERT INTO b VALUES(1)", NULL), -EEXIST);
}

static void busy_is_told(void **state)
{
	_cleanup_(db_closep) struct db *a = open_db();
	_cleanup_(db_closep) struct db *b = open_db();
	struct err err = ERR_INIT;

	(void)state;
	exec_ok(a, "CREATE TABLE t(i INTEGER)");
	exec_ok(b, "PRAGMA busy_timeout = 1");
	exec_ok(a, "BEGIN IMMEDIATE");
	assert_int_equal(db_exec(b, "BEGIN IMMEDIATE", &err), -EBUSY);
	assert_true(err.action[0] != '\0');
	/* Readers are not disturbed. */
	assert_int_equal(one_int(b, "SELECT count(*) FROM t"), 0);
	exec_ok(a, "COMMIT");
	exec_ok(b, "BEGIN IMMEDIATE; COMMIT");
}

/* A file size limit must be an error, not a signal and not damage. */
static void file_size_limit(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit lim = {256 * 1024, 256 * 1024};
		struct db *db = NULL;
		int r;

		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &lim);
		if (db_open(path, false, &db, NULL) < 0)
			_exit(1);
		r = db_exec(db,
		        "CREATE TABLE t(b BLOB); BEGIN; WITH RECURSIVE c(x) "
		        "AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE "
		        "x < 100000) INSERT INTO t SELECT randomblob(100) "
		        "FROM c; COMMIT",
		        NULL);
		db_closep(&db);
		_exit(r == -EFBIG || r == -ENOSPC ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	_cleanup_(db_closep) struct db *db = open_db();
	assert_int_equal(db_check(db, NULL), 0);
}

/* What was committed is there after a crash, what was not is not. */
static void crash(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct db *db = NULL;

		if (db_open(path, false, &db, NULL) < 0 ||
		        db_exec(db,
		                "CREATE TABLE t(i INTEGER);"
		                "INSERT INTO t VALUES(1);"
		                "BEGIN IMMEDIATE; INSERT INTO t VALUES(2)",
		                NULL) < 0)
			_exit(1);
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	_cleanup_(db_closep) struct db *db = open_db();
	assert_int_equal(one_int(db, "SELECT sum(i) FROM t"), 1);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static bool under_valgrind(void)
{
	const char *s = getenv("LD_PRELOAD");

	return s && strstr(s, "vgpreload");
}

static long rss_kib(void)
{
	char text[128];
	_cleanup_close_ int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *end;

	assert_true(n > 0);
	text[n] = '\0';
	(void)strtol(text, &end, 10);
	return strtol(end, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Returns the largest resident size met on the way. */
static long insert_rows(struct db *db, int n)
{
	long peak = 0;
	_cleanup_(db_finishp) struct db_stmt *st = prepare(
	        db, "INSERT INTO t VALUES(?1, ?2) ON CONFLICT DO NOTHING");

	for (int i = 0; i < n; i++) {
		char name[120];
		/* In no order, so that every page is touched again. */
		unsigned scattered = (unsigned)i * 2654435761u;

		(void)snprintf(name, sizeof(name),
		        "some/directory/of/the/repository/%010u-%060d.vbk",
		        scattered, i);
		db_bind_blob(st, 1, name, strlen(name));
		db_bind_int(st, 2, i);
		assert_int_equal(db_step(st, NULL), 0);
		if (i % 4096 == 0 && rss_kib() > peak)
			peak = rss_kib();
	}
	return peak;
}

/* $TEST_DB_ROWS=1000000 for the figure of the documentation. */
static void memory_stays_small(void **state)
{
	_cleanup_(db_closep) struct db *db = open_db();
	const char *env = getenv("TEST_DB_ROWS");
	int rows = env ? (int)strtol(env, NULL, 10) : 50000;
	long before, peak;

	(void)state;
	exec_ok(db, "CREATE TABLE t(a BLOB PRIMARY KEY, b INTEGER) STRICT, "
	            "WITHOUT ROWID");
	before = insert_rows(db, 100);
	exec_ok(db, "BEGIN IMMEDIATE");
	peak = insert_rows(db, rows);
	exec_ok(db, "COMMIT");
	/* A sort of everything, too. */
	assert_true(one_int(db, "SELECT b FROM t ORDER BY b DESC") > 0);
	if (rss_kib() > peak)
		peak = rss_kib();
	if (env)
		print_message("%d rows: %ld KiB more\n", rows, peak - before);
	if (!SANITIZED && !under_valgrind())
		assert_true(peak - before < 8192);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(creates_private_file),
	        T(settings_are_as_promised),
	        T(read_only),
	        T(refuses_what_is_no_file),
	        T(damaged_files),
	        T(check_finds_damage),
	        T(version),
	        T(migrates),
	        T(migrates_nothing_read_only),
	        T(transactions),
	        T(binds_and_reads),
	        T(text_is_copied),
	        T(statement_errors),
	        T(foreign_keys_hold),
	        T(busy_is_told),
	        T(file_size_limit),
	        T(crash),
	        T(memory_stays_small),
	};

	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "err.h"
#include "i18n.h"
#include "sys/db.h"
#include "util.h"

#define BUSY_TIMEOUT_MS 5000

/* 1 MiB of pages. temp_store FILE: a sort of a million rows goes to a file
 * (unlinked at once) and not to memory. trusted_schema OFF: a crafted schema
 * cannot call functions. */
#define PRAGMAS                        \
	"PRAGMA cache_size = -1024;"   \
	"PRAGMA temp_store = FILE;"    \
	"PRAGMA mmap_size = 0;"        \
	"PRAGMA foreign_keys = ON;"    \
	"PRAGMA trusted_schema = OFF;" \
	"PRAGMA synchronous = FULL;"

struct db {
	sqlite3 *handle;
	char *path; /* for messages */
	bool read_only;
	int broken; /* SQLite's code: its locks are in a state it cannot leave,
	             * and every further call would try for 10 s; 0 = none */
};

struct db_stmt {
	struct db *db; /* borrowed */
	sqlite3_stmt *handle;
	int bind_error; /* first failed db_bind_*(): SQLite's code */
};

/* --- errors -------------------------------------------------------------- */

/* The errno behind a failed system call where SQLite remembers one. */
static int system_errno(sqlite3 *handle, int fallback)
{
	int e = handle ? sqlite3_system_errno(handle) : 0;

	return e > 0 ? -e : -fallback;
}

static int to_errno(sqlite3 *handle, int rc)
{
	if (rc == SQLITE_IOERR_NOMEM)
		return -ENOMEM;
	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_INTERRUPT:
		return -ECANCELED;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return system_errno(handle, EIO);
	default:
		return -EINVAL;
	}
}

static void add_advice(struct err *err, int code, const char *path)
{
	switch (code) {
	case -EUCLEAN:
		err_meaning(err, _("What was remembered in this file cannot be "
		                   "read; the copies on the disks are not "
		                   "touched by it"));
		err_action(err,
		        _("Move the file aside (mv '%s' '%s.damaged', also "
		          "its -wal and -shm files) and start again: a new "
		          "one is made. If it happens again, check the disk "
		          "that it lies on"),
		        path, path);
		break;
	case -EBUSY:
		err_action(err,
		        _("Another program is writing to this file for "
		          "a long time; try again, or look with "
		          "'fuser -v %s' which one it is"),
		        path);
		break;
	case -ENOSPC:
		err_action(err, _("Make room on the file system of %s"), path);
		break;
	case -EROFS:
	case -EACCES:
		err_action(err,
		        _("Run it as root, and check that %s and its "
		          "directory can be written"),
		        path);
		break;
	default:
		break;
	}
}

/* Turns SQLite's code @rc of a failed call into errno and sentence. */
static int fail(const struct db *db, int rc, struct err *err)
{
	int r = to_errno(db->handle, rc);

	if (r == -ENOMEM)
		return err_nomem(err);
	if (r == -EUCLEAN)
		err_set(err, r, _("The database %s is damaged (%s)"), db->path,
		        sqlite3_errstr(rc));
	else if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN)
		err_sys(err, r, _("Database %s"), db->path);
	else
		err_set(err, r, _("Database %s: %s"), db->path,
		        sqlite3_errmsg(db->handle));
	add_advice(err, r, db->path);
	return r;
}

/* --- open ---------------------------------------------------------------- */

/*
 * SQLite itself would create it with 0644 and follow a symbolic link in the
 * last component; an empty file is a valid new database.  Its -wal and -shm
 * files get the mode of this one.
 *
 * The descriptor is only opened where SQLite has not got the file open yet:
 * closing any descriptor of a file drops the process's POSIX locks on it, so
 * that an existing file is looked at with lstat() alone.
 */
static int prepare_file(const char *path, bool read_only, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (lstat(path, &st) == 0) {
		if (S_ISREG(st.st_mode))
			return 0;
		return err_set(err, S_ISLNK(st.st_mode) ? -ELOOP : -EINVAL,
		        _("Database %s is not a regular file"), path);
	}
	if (errno != ENOENT || read_only)
		return err_sys(err, -errno, _("Database %s"), path);

	fd = open(
	        path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* Somebody else was faster: fine. */
	if (fd < 0 && errno != EEXIST)
		return err_sys(
		        err, -errno, _("Cannot create the database %s"), path);
	return 0;
}

/* Fails for a file that is not a database, and for a damaged first page. */
static int configure(struct db *db, struct err *err)
{
	int64_t version;
	int r;

	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
	(void)sqlite3_db_config(
	        db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);

	r = db_exec(db, PRAGMAS, err);
	if (r < 0)
		return r;
	/* A file system without shared memory keeps the old journal: as safe,
	 * only slower; so what it answers is not looked at. */
	if (!db->read_only) {
		r = db_exec(db, "PRAGMA journal_mode = WAL", err);
		if (r < 0)
			return r;
	}
	return db_version(db, &version, err);
}

int db_open(const char *path, bool read_only, struct db **ret, struct err *err)
{
	_cleanup_(db_closep) struct db *db = NULL;
	int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	int r;

	r = prepare_file(path, read_only, err);
	if (r < 0)
		return r;

	db = calloc(1, sizeof(*db));
	if (!db)
		return err_nomem(err);
	db->path = strdup(path);
	if (!db->path)
		return err_nomem(err);

	r = sqlite3_open_v2(
	        path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (r != SQLITE_OK && !db->handle)
		return err_nomem(err);
	if (r != SQLITE_OK)
		return fail(db, r, err);

	db->read_only = read_only;
	r = configure(db, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(db);
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	(void)sqlite3_close_v2(db->handle);
	free(db->path);
	free(db);
}

void db_closep(struct db **db)
{
	db_close(*db);
	*db = NULL;
}

/* --- statements ---------------------------------------------------------- */

/* Only a lock that failed leaves the connection like that; what a full disk
 * refuses may work a moment later. */
static void note_broken(struct db *db, int rc)
{
	if ((rc & 0xff) == SQLITE_PROTOCOL || rc == SQLITE_IOERR_LOCK ||
	        rc == SQLITE_IOERR_UNLOCK || rc == SQLITE_IOERR_SHMLOCK)
		db->broken = rc;
}

int db_exec(struct db *db, const char *sql, struct err *err)
{
	int r = db->broken;

	if (r == SQLITE_OK)
		r = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	note_broken(db, r);
	return r == SQLITE_OK ? 0 : fail(db, r, err);
}

bool db_in_transaction(const struct db *db)
{
	return sqlite3_get_autocommit(db->handle) == 0;
}

void db_rollback(struct db *db)
{
	if (db_in_transaction(db))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int db_version(struct db *db, int64_t *ret, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(db, "PRAGMA user_version", &st, err);
	if (r < 0)
		return r;
	r = db_step(st, err);
	if (r < 0)
		return r;
	*ret = r > 0 ? db_int(st, 0) : 0;
	return 0;
}

static int migrate_refuse(
        struct db *db, int64_t version, size_t wanted, struct err *err)
{
	if (version > (int64_t)wanted) {
		err_set(err, -EPROTONOSUPPORT,
		        _("The database %s was written by a newer version of "
		          "this program"),
		        db->path);
		err_action(err, _("Install that version again"));
		return -EPROTONOSUPPORT;
	}
	if (version == 0)
		return err_set(err, -ENOENT,
		        _("The database %s is still empty"), db->path);
	err_set(err, -ESTALE,
	        _("The database %s was written by an older version of this "
	          "program"),
	        db->path);
	err_action(err, _("It is brought up to date by the next copy"));
	return -ESTALE;
}

/* One step, inside a transaction, because another process may have been
 * faster: the version is looked at again. */
static int migrate_step(
        struct db *db, int64_t version, const char *sql, struct err *err)
{
	char set_version[64];
	int64_t now;
	int r;

	/* A number of ours: PRAGMA takes no parameters. */
	(void)snprintf(set_version, sizeof(set_version),
	        "PRAGMA user_version = %d", (int)version + 1);
	r = db_exec(db, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	r = db_version(db, &now, err);
	if (r == 0 && now == version)
		r = db_exec(db, sql, err);
	if (r == 0 && now == version)
		r = db_exec(db, set_version, err);
	if (r == 0)
		r = db_exec(db, "COMMIT", err);
	if (r < 0)
		db_rollback(db);
	return r;
}

int db_migrate(struct db *db, const char *const *steps, size_t steps_len,
        struct err *err)
{
	for (;;) {
		int64_t version;
		int r = db_version(db, &version, err);

		if (r < 0)
			return r;
		if (version == (int64_t)steps_len)
			return 0;
		if (version < 0)
			return fail(db, SQLITE_CORRUPT, err);
		if (version > (int64_t)steps_len || db->read_only)
			return migrate_refuse(db, version, steps_len, err);
		r = migrate_step(db, version, steps[version], err);
		if (r < 0)
			return r;
	}
}

int db_check(struct db *db, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	const char *text;
	int r;

	r = db_prepare(db, "PRAGMA quick_check(1)", &st, err);
	if (r < 0)
		return r;
	r = db_step(st, err);
	if (r < 0)
		return r;
	text = r > 0 ? db_text(st, 0) : NULL;
	if (text && strcmp(text, "ok") == 0)
		return 0;
	return fail(db, text ? SQLITE_CORRUPT : SQLITE_NOMEM, err);
}

int db_prepare(
        struct db *db, const char *sql, struct db_stmt **ret, struct err *err)
{
	struct db_stmt *st;
	int r;

	st = calloc(1, sizeof(*st));
	if (!st)
		return err_nomem(err);
	st->db = db;
	r = db->broken;
	if (r == SQLITE_OK)
		r = sqlite3_prepare_v3(db->handle, sql, -1,
		        SQLITE_PREPARE_PERSISTENT, &st->handle, NULL);
	note_broken(db, r);
	if (r == SQLITE_OK && st->handle) {
		*ret = st;
		return 0;
	}
	free(st);
	/* An empty statement is no error of SQLite's, but one of ours. */
	return fail(db, r == SQLITE_OK ? SQLITE_MISUSE : r, err);
}

void db_finish(struct db_stmt *st)
{
	if (!st)
		return;
	(void)sqlite3_finalize(st->handle);
	free(st);
}

void db_finishp(struct db_stmt **st)
{
	db_finish(*st);
	*st = NULL;
}

static void note_bind(struct db_stmt *st, int rc)
{
	if (rc != SQLITE_OK && st->bind_error == SQLITE_OK)
		st->bind_error = rc;
}

void db_bind_text(struct db_stmt *st, int i, const char *s)
{
	note_bind(
	        st, sqlite3_bind_text(st->handle, i, s, -1, SQLITE_TRANSIENT));
}

void db_bind_blob(struct db_stmt *st, int i, const void *data, size_t len)
{
	/* A NULL pointer would bind NULL, and so would length 0 without one. */
	if (data && len == 0)
		note_bind(st, sqlite3_bind_zeroblob(st->handle, i, 0));
	else
		note_bind(st, sqlite3_bind_blob64(st->handle, i, data,
		                      (sqlite3_uint64)len, SQLITE_TRANSIENT));
}

void db_bind_int(struct db_stmt *st, int i, int64_t v)
{
	note_bind(st, sqlite3_bind_int64(st->handle, i, v));
}

void db_bind_null(struct db_stmt *st, int i)
{
	note_bind(st, sqlite3_bind_null(st->handle, i));
}

void db_reset(struct db_stmt *st)
{
	/* Repeats the error of the last step, which was reported there. */
	(void)sqlite3_reset(st->handle);
	(void)sqlite3_clear_bindings(st->handle);
	st->bind_error = SQLITE_OK;
}

int db_step(struct db_stmt *st, struct err *err)
{
	int r = st->bind_error;

	if (r == SQLITE_OK)
		r = st->db->broken;
	if (r == SQLITE_OK)
		r = sqlite3_step(st->handle);
	if (r == SQLITE_ROW)
		return 1;
	note_broken(st->db, r);
	/* The message belongs to the connection and is gone after a reset. */
	if (r != SQLITE_DONE)
		r = fail(st->db, r, err);
	else
		r = 0;
	db_reset(st);
	return r;
}

const char *db_text(struct db_stmt *st, int col)
{
	return (const char *)sqlite3_column_text(st->handle, col);
}

const void *db_blob(struct db_stmt *st, int col, size_t *ret_len)
{
	const void *data = sqlite3_column_blob(st->handle, col);

	*ret_len = (size_t)sqlite3_column_bytes(st->handle, col);
	/* SQLite gives NULL for an empty blob, too. */
	if (!data && !db_is_null(st, col))
		return "";
	return data;
}

int64_t db_int(struct db_stmt *st, int col)
{
	return sqlite3_column_int64(st->handle, col);
}

bool db_is_null(struct db_stmt *st, int col)
{
	return sqlite3_column_type(st->handle, col) == SQLITE_NULL;
}

int64_t db_changes(struct db *db)
{
	return sqlite3_changes64(db->handle);
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "core/manifest.h"
#include "core/manifest_internal.h"
#include "err.h"
#include "i18n.h"
#include "path.h"
#include "str.h"
#include "util.h"

/* WITHOUT ROWID: the rows lie in the tree of the paths itself, which halves
 * file and time. No other index: it would cost more at every copied file than
 * the one sort before a verification. */
static const char *const schema[] = {
        "CREATE TABLE files("
        " path BLOB PRIMARY KEY,"
        " size INTEGER NOT NULL,"
        " old_size INTEGER NOT NULL,"
        " mtime_s INTEGER NOT NULL,"
        " hash BLOB CHECK(hash IS NULL OR length(hash) = 16),"
        " run INTEGER NOT NULL,"
        " verified INTEGER NOT NULL,"
        " state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 3)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE runs("
        " id INTEGER PRIMARY KEY,"
        " begun INTEGER NOT NULL,"
        " flushed INTEGER NOT NULL DEFAULT 0"
        ") STRICT;",
};

/* REPLACE is a little faster than an upsert, and there is nothing in the row
 * that would have to be kept.  States as numbers: 0 pending, 1 copied, 2
 * proven, 3 bad; the assertion below holds them to the enum. */
static const char *const sql[MANIFEST_ST_COUNT] = {
        [MANIFEST_ST_PENDING] =
                "REPLACE INTO files VALUES(?1, ?2, ?3, 0, NULL, ?4, 0, 0)",
        [MANIFEST_ST_COPIED] =
                "REPLACE INTO files VALUES(?1, ?2, -1, ?3, ?4, ?5, 0, 1)",
        [MANIFEST_ST_FOUND] =
                "INSERT INTO files VALUES(?1, ?2, -1, ?3, NULL, 0, 0, 1) "
                "ON CONFLICT(path) DO UPDATE SET size = excluded.size, "
                "mtime_s = excluded.mtime_s, hash = NULL, run = 0, "
                "verified = 0, state = 1 WHERE size <> excluded.size",
        [MANIFEST_ST_DELETED] = "DELETE FROM files WHERE path = ?1",
        /* What was written in this very run stays "copied": the disk may
         * still have it in its volatile cache only. */
        [MANIFEST_ST_VERIFIED] =
                "UPDATE files SET "
                "verified = CASE WHEN ?2 THEN ?3 ELSE verified END, "
                "state = CASE WHEN NOT ?2 THEN 3 WHEN run = ?4 THEN 1 "
                "ELSE 2 END WHERE path = ?1",
        [MANIFEST_ST_HASH] = "UPDATE files SET hash = ?2, verified = ?3, "
                             "state = CASE WHEN run = ?4 THEN 1 ELSE 2 END "
                             "WHERE path = ?1",
        [MANIFEST_ST_GET] = "SELECT " MANIFEST_COLUMNS " FROM files "
                            "WHERE path = ?1",
};
_Static_assert(MANIFEST_PENDING == 0 && MANIFEST_COPIED == 1 &&
                       MANIFEST_PROVEN == 2 && MANIFEST_BAD == 3,
        "the statements above use these numbers");

/* --- open ---------------------------------------------------------------- */

static bool is_uuid(const char *s)
{
	size_t len = strspn(s, "0123456789abcdefABCDEF-");

	return len > 0 && len < 64 && s[len] == '\0';
}

/* STATE/manifest/UUID.db, its directory made unless @read_only. */
static int make_path(const char *state_directory, const char *uuid,
        bool read_only, char **ret, struct err *err)
{
	_cleanup_free_ char *dir = path_join(state_directory, "manifest");
	_cleanup_free_ char *name = str_printf("%s.db", uuid);
	int r;

	if (!dir || !name)
		return err_nomem(err);
	str_lower(name);
	if (!read_only) {
		r = path_mkdirs(dir, 0700, err);
		if (r < 0)
			return r;
	}
	*ret = path_join(dir, name);
	return *ret ? 0 : err_nomem(err);
}

static int open_file(
        const char *path, bool read_only, struct db **ret, struct err *err)
{
	_cleanup_(db_closep) struct db *db = NULL;
	int r;

	r = db_open(path, read_only, &db, err);
	if (r < 0)
		return r;
	r = db_migrate(db, schema, ARRAY_SIZE(schema), err);
	/* All of it now: damage that is met in the middle of a run is worse
	 * than none of the manifest. */
	if (r == 0 && !read_only)
		r = db_check(db, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(db);
	return 0;
}

/* The log first: SQLite would play a log that is left over into the new
 * file. */
static int set_aside(const char *path, struct err *err)
{
	static const char *const suffixes[] = {"-wal", "-shm", ""};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *from = NULL, *to = NULL;

		from = str_printf("%s%s", path, suffixes[i]);
		to = str_printf("%s.damaged%s", path, suffixes[i]);
		if (!from || !to)
			return err_nomem(err);
		if (rename(from, to) < 0) {
			if (errno != ENOENT)
				return err_sys(err, -errno,
				        _("Cannot move %s aside"), from);
			/* No log now: none of an earlier damage either. */
			(void)unlink(to);
		}
	}
	return 0;
}

/* A damaged file is moved away and a new one begun. */
static int open_or_replace(const char *path, bool read_only, struct db **ret,
        bool *ret_was_damaged, struct err *err)
{
	struct err why = ERR_INIT;
	int r = open_file(path, read_only, ret, &why);

	*ret_was_damaged = r == -EUCLEAN && !read_only;
	if (*ret_was_damaged) {
		why = ERR_INIT;
		r = set_aside(path, &why);
		if (r == 0)
			r = open_file(path, false, ret, &why);
	}
	if (r < 0 && err)
		*err = why;
	return r;
}

int manifest_open(const char *state_directory, const char *uuid, bool read_only,
        struct manifest **ret, bool *ret_was_damaged, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_(manifest_closep) struct manifest *m = NULL;
	bool damaged;
	int r;

	if (!is_uuid(uuid))
		return err_set(err, -EINVAL, _("Not a UUID: %s"), uuid);
	r = make_path(state_directory, uuid, read_only, &path, err);
	if (r < 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_nomem(err);
	r = open_or_replace(path, read_only, &m->db, &damaged, err);
	if (r < 0)
		return r;
	if (ret_was_damaged)
		*ret_was_damaged = damaged;
	*ret = TAKE_PTR(m);
	return 0;
}

int manifest_set_aside(
        const char *state_directory, const char *uuid, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!is_uuid(uuid))
		return err_set(err, -EINVAL, _("Not a UUID: %s"), uuid);
	r = make_path(state_directory, uuid, true, &path, err);
	return r < 0 ? r : set_aside(path, err);
}

void manifest_close(struct manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < MANIFEST_ST_COUNT; i++)
		db_finish(m->statements[i]);
	db_close(m->db);
	free(m);
}

void manifest_closep(struct manifest **m)
{
	manifest_close(*m);
	*m = NULL;
}

/* --- transactions -------------------------------------------------------- */

static int begin(struct manifest *m, struct err *err)
{
	if (m->failed.code != 0) {
		*err = m->failed;
		return m->failed.code;
	}
	if (db_in_transaction(m->db))
		return 0;
	return db_exec(m->db, "BEGIN IMMEDIATE", err);
}

/*
 * A write failed.  SQLite may have undone the whole transaction by itself; so
 * that a commit never makes a part of it durable (a file copied without its
 * "pending" is believed after a crash), the error sticks until the commit.
 */
static int write_failed(
        struct manifest *m, const struct err *why, struct err *err)
{
	m->failed = *why;
	if (err)
		*err = *why;
	return why->code;
}

int manifest_commit(struct manifest *m, struct err *err)
{
	struct err why = m->failed;

	m->failed = ERR_INIT;
	if (why.code == 0 && !db_in_transaction(m->db))
		return 0;
	if (why.code == 0 && db_exec(m->db, "COMMIT", &why) == 0)
		return 0;
	db_rollback(m->db);
	if (err)
		*err = why;
	return why.code;
}

/* A statement of the table above, ready to be bound. */
static int statement(struct manifest *m, enum manifest_statement id,
        const char *path, struct db_stmt **ret, struct err *err)
{
	if (!m->statements[id]) {
		int r = db_prepare(m->db, sql[id], &m->statements[id], err);

		if (r < 0)
			return r;
	}
	*ret = m->statements[id];
	db_bind_blob(*ret, 1, path, strlen(path));
	return 0;
}

/* The same in a transaction. */
static int write_statement(struct manifest *m, enum manifest_statement id,
        const char *path, struct db_stmt **ret, struct err *err)
{
	struct err why = ERR_INIT;
	int r = begin(m, &why);

	if (r == 0)
		r = statement(m, id, path, ret, &why);
	return r < 0 ? write_failed(m, &why, err) : 0;
}

static int write_step(struct manifest *m, struct db_stmt *st, struct err *err)
{
	struct err why = ERR_INIT;

	if (db_step(st, &why) < 0)
		return write_failed(m, &why, err);
	return 0;
}

/* --- runs ---------------------------------------------------------------- */

/* One statement with the numbers @a and @b, committed. */
static int write_run(struct manifest *m, const char *text, int64_t a, int64_t b,
        struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	struct err why = ERR_INIT;
	int64_t changes;
	int r;

	r = begin(m, &why);
	if (r == 0)
		r = db_prepare(m->db, text, &st, &why);
	if (r < 0)
		return write_failed(m, &why, err);
	db_bind_int(st, 1, a);
	db_bind_int(st, 2, b);
	r = write_step(m, st, err);
	if (r < 0)
		return r;
	changes = db_changes(m->db);
	r = manifest_commit(m, err);
	if (r < 0)
		return r;
	return changes > 0 ? 0 : -ENOENT;
}

int manifest_run_begin(struct manifest *m, int64_t run, struct err *err)
{
	int r;

	if (run <= 0)
		return err_set(err, -EINVAL, "run %lld", (long long)run);
	r = write_run(m,
	        "INSERT INTO runs(id, begun) VALUES(?1, ?2) ON CONFLICT(id) "
	        "DO UPDATE SET begun = excluded.begun, flushed = 0",
	        run, clock_real_s(), err);
	if (r == 0)
		m->run = run;
	return r;
}

int manifest_run_flushed(struct manifest *m, int64_t run, struct err *err)
{
	int r = write_run(
	        m, "UPDATE runs SET flushed = ?2 WHERE id = ?1", run, 1, err);

	if (r == -ENOENT)
		err_set(err, r, _("Run %lld is not in the manifest"),
		        (long long)run);
	return r;
}

int manifest_last_run(struct manifest *m, int64_t *ret, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(m->db, "SELECT max(id) FROM runs", &st, err);
	if (r < 0)
		return r;
	r = db_step(st, err);
	if (r < 0)
		return r;
	*ret = r > 0 ? db_int(st, 0) : 0;
	return 0;
}

/* --- files --------------------------------------------------------------- */

/* As xxhsum and rsync print it, from the left. */
static void bind_hash(struct db_stmt *st, int i, struct hash128 h)
{
	unsigned char b[16];

	for (unsigned k = 0; k < 8; k++) {
		b[k] = (unsigned char)(h.high >> (56 - 8 * k));
		b[8 + k] = (unsigned char)(h.low >> (56 - 8 * k));
	}
	db_bind_blob(st, i, b, sizeof(b));
}

static int need_run(const struct manifest *m, struct err *err)
{
	return m->run > 0 ? 0
	                  : err_set(err, -EINVAL, "manifest: no run was begun");
}

int manifest_pending(struct manifest *m, const char *path, uint64_t size,
        int64_t old_size, struct err *err)
{
	struct db_stmt *st;
	int r = need_run(m, err);

	if (r == 0)
		r = write_statement(m, MANIFEST_ST_PENDING, path, &st, err);
	if (r < 0)
		return r;
	db_bind_int(st, 2, (int64_t)size);
	db_bind_int(st, 3, old_size);
	db_bind_int(st, 4, m->run);
	return write_step(m, st, err);
}

int manifest_copied(struct manifest *m, const char *path, uint64_t size,
        int64_t mtime_s, const char *hash, struct err *err)
{
	struct hash128 h;
	struct db_stmt *st;
	int r = need_run(m, err);

	if (r == 0)
		r = write_statement(m, MANIFEST_ST_COPIED, path, &st, err);
	if (r < 0)
		return r;
	db_bind_int(st, 2, (int64_t)size);
	db_bind_int(st, 3, mtime_s);
	if (hash && hash_parse(hash, &h) == 0)
		bind_hash(st, 4, h);
	db_bind_int(st, 5, m->run);
	return write_step(m, st, err);
}

int manifest_found(struct manifest *m, const char *path, uint64_t size,
        int64_t mtime_s, struct err *err)
{
	struct db_stmt *st;
	int r = write_statement(m, MANIFEST_ST_FOUND, path, &st, err);

	if (r < 0)
		return r;
	db_bind_int(st, 2, (int64_t)size);
	db_bind_int(st, 3, mtime_s);
	return write_step(m, st, err);
}

int manifest_deleted(struct manifest *m, const char *path, struct err *err)
{
	struct db_stmt *st;
	int r = write_statement(m, MANIFEST_ST_DELETED, path, &st, err);

	return r < 0 ? r : write_step(m, st, err);
}

int manifest_clear(struct manifest *m, struct err *err)
{
	struct err why = ERR_INIT;
	int r = begin(m, &why);

	if (r == 0)
		r = db_exec(m->db, "DELETE FROM files", &why);
	return r < 0 ? write_failed(m, &why, err) : manifest_commit(m, err);
}

/* An update that must have met its row. */
static int write_known(struct manifest *m, struct db_stmt *st, const char *path,
        struct err *err)
{
	int r = write_step(m, st, err);

	if (r == 0 && db_changes(m->db) == 0)
		r = err_set(err, -ENOENT,
		        _("This file is not in the manifest: %s"), path);
	return r;
}

int manifest_set_verified(struct manifest *m, const char *path, int64_t when,
        bool good, struct err *err)
{
	struct db_stmt *st;
	int r = write_statement(m, MANIFEST_ST_VERIFIED, path, &st, err);

	if (r < 0)
		return r;
	db_bind_int(st, 2, good);
	db_bind_int(st, 3, when);
	db_bind_int(st, 4, m->run);
	return write_known(m, st, path, err);
}

int manifest_set_hash(struct manifest *m, const char *path, int64_t when,
        struct hash128 hash, struct err *err)
{
	struct db_stmt *st;
	int r = write_statement(m, MANIFEST_ST_HASH, path, &st, err);

	if (r < 0)
		return r;
	bind_hash(st, 2, hash);
	db_bind_int(st, 3, when);
	db_bind_int(st, 4, m->run);
	return write_known(m, st, path, err);
}

int manifest_get(struct manifest *m, const char *path,
        struct manifest_file *ret, struct err *err)
{
	struct db_stmt *st;
	int r = statement(m, MANIFEST_ST_GET, path, &st, err);

	if (r < 0)
		return r;
	r = db_step(st, err);
	if (r <= 0)
		return r;
	r = manifest_read_row(st, ret, err);
	db_reset(st);
	ret->path = path;
	return r < 0 ? r : 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * db: a small SQLite file (sqlite3).
 *
 * WAL, busy_timeout 5 s, synchronous FULL, a page cache of 1 MiB, foreign keys
 * on; a file that is not a database or is damaged is an error with what to do.
 * Statements are prepared and bound; SQL is never composed from data.
 */
#ifndef SYS_DB_H
#define SYS_DB_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

struct db;
struct db_stmt;

/*
 * Creates it (0600) unless @read_only; -ENOENT when it must exist.  A symbolic
 * link in the last component is refused (-ELOOP).
 *
 * Errors of all functions here: -EUCLEAN the file is damaged or no database,
 * -EBUSY another program holds it, -EROFS, -EACCES, -ENOSPC, -EEXIST a
 * constraint was violated, -ENOMEM, -EIO and what the system calls gave;
 * -EINVAL wrong SQL or a wrong parameter number.
 */
int db_open(const char *path, bool read_only, struct db **ret,
        struct err *err) _must_check_;
void db_close(struct db *db);
void db_closep(struct db **db);

/* Several statements without parameters (schema, BEGIN IMMEDIATE, COMMIT). */
int db_exec(struct db *db, const char *sql, struct err *err) _must_check_;
/* A BEGIN without its end. SQLite itself ends it after some errors (disk full,
 * out of memory), and everything since the BEGIN is undone. */
bool db_in_transaction(const struct db *db);
/* Undoes it; nothing to do outside of one. */
void db_rollback(struct db *db);
/* PRAGMA user_version. */
int db_version(struct db *db, int64_t *ret, struct err *err) _must_check_;

/*
 * Brings the schema up to date: @steps[i] leads from version i to i + 1, each
 * in a transaction of its own; another process may do the same at the same
 * time.  -EPROTONOSUPPORT when the file is newer than that; read only and
 * older: -ESTALE, read only and empty (just made by another process): -ENOENT.
 */
int db_migrate(struct db *db, const char *const *steps, size_t steps_len,
        struct err *err) _must_check_;

/* Reads the whole file and finds damage that no statement has met yet. 0, or
 * -EUCLEAN and others. Takes about a second per 300 MB. */
int db_check(struct db *db, struct err *err) _must_check_;

int db_prepare(struct db *db, const char *sql, struct db_stmt **ret,
        struct err *err) _must_check_;
void db_finish(struct db_stmt *st);
void db_finishp(struct db_stmt **st);
/* Parameters count from 1. A NULL text binds NULL. Text is copied. Errors
 * stick until the next db_step(), which returns them. */
void db_bind_text(struct db_stmt *st, int i, const char *s);
void db_bind_blob(struct db_stmt *st, int i, const void *data, size_t len);
void db_bind_int(struct db_stmt *st, int i, int64_t v);
void db_bind_null(struct db_stmt *st, int i);
/* 1 a row is there; 0 done (the statement is reset and its bindings cleared,
 * ready for the next use); negative errno with @err. */
int db_step(struct db_stmt *st, struct err *err) _must_check_;
void db_reset(struct db_stmt *st);
/* Columns count from 0; text is valid until the next step; NULL for NULL. */
const char *db_text(struct db_stmt *st, int col);
const void *db_blob(struct db_stmt *st, int col, size_t *ret_len);
int64_t db_int(struct db_stmt *st, int col);
bool db_is_null(struct db_stmt *st, int col);
/* Rows changed by the last statement. */
int64_t db_changes(struct db *db);

#endif

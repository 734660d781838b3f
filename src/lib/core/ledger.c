/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ledger.h"
#include "core/ledger_internal.h"
#include "err.h"
#include "i18n.h"
#include "path.h"
#include "str.h"
#include "sys/db.h"
#include "util.h"

/* AUTOINCREMENT remembers the highest number ever given, also of a run whose
 * row was deleted by hand. */
static const char *const schema[] = {
        "CREATE TABLE runs("
        " id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " started INTEGER NOT NULL,"
        " ended INTEGER NOT NULL DEFAULT 0,"
        " uuid TEXT NOT NULL,"
        " title TEXT NOT NULL,"
        " device TEXT NOT NULL,"
        " serial TEXT NOT NULL,"
        " boot_id TEXT NOT NULL,"
        " pid INTEGER NOT NULL,"
        " start_ticks INTEGER NOT NULL,"
        " result TEXT NOT NULL,"
        " exit_code INTEGER NOT NULL DEFAULT -1,"
        " step TEXT NOT NULL DEFAULT '',"
        " passes INTEGER NOT NULL DEFAULT 0,"
        " files_total INTEGER NOT NULL DEFAULT 0,"
        " files_copied INTEGER NOT NULL DEFAULT 0,"
        " files_deleted INTEGER NOT NULL DEFAULT 0,"
        " bytes_total INTEGER NOT NULL DEFAULT 0,"
        " bytes_copied INTEGER NOT NULL DEFAULT 0,"
        " plan_ms INTEGER NOT NULL DEFAULT 0,"
        " copy_ms INTEGER NOT NULL DEFAULT 0,"
        " verify_ms INTEGER NOT NULL DEFAULT 0,"
        " flush_ms INTEGER NOT NULL DEFAULT 0,"
        " free_bytes INTEGER NOT NULL DEFAULT 0,"
        " size_bytes INTEGER NOT NULL DEFAULT 0,"
        " flushed INTEGER NOT NULL DEFAULT 0,"
        " warnings TEXT,"
        " error_message TEXT NOT NULL DEFAULT '',"
        " error_meaning TEXT NOT NULL DEFAULT '',"
        " error_action TEXT NOT NULL DEFAULT ''"
        ") STRICT;"
        "CREATE INDEX runs_by_disk ON runs(uuid, id);"
        "CREATE TABLE disks("
        " uuid TEXT NOT NULL UNIQUE,"
        " serial TEXT NOT NULL,"
        " model TEXT NOT NULL,"
        " size_bytes INTEGER NOT NULL,"
        " label TEXT NOT NULL,"
        " first_seen INTEGER NOT NULL,"
        " last_seen INTEGER NOT NULL,"
        " last_good INTEGER NOT NULL,"
        " last_good_run INTEGER NOT NULL,"
        " last_run INTEGER NOT NULL,"
        " free_bytes INTEGER NOT NULL,"
        " fs_size_bytes INTEGER NOT NULL,"
        " marker_run INTEGER NOT NULL,"
        " state TEXT NOT NULL CHECK(state IN ('adopted', 'forgotten'))"
        ") STRICT;",
};

int ledger_open(const char *state_directory, bool read_only,
        struct ledger **ret, struct err *err)
{
	_cleanup_free_ char *path = path_join(state_directory, "asbackup.db");
	_cleanup_(ledger_closep) struct ledger *l = NULL;
	int r;

	if (!path)
		return err_nomem(err);
	if (!read_only) {
		r = path_mkdirs(state_directory, 0700, err);
		if (r < 0)
			return r;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_nomem(err);
	r = db_open(path, read_only, &l->db, err);
	if (r == 0)
		r = db_migrate(l->db, schema, ARRAY_SIZE(schema), err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	db_close(l->db);
	free(l);
}

void ledger_closep(struct ledger **l)
{
	ledger_close(*l);
	*l = NULL;
}

int ledger_execute(struct db_stmt *st, struct err *err)
{
	int r = db_step(st, err);

	return r > 0 ? 0 : r;
}

void ledger_bind_uuid(struct db_stmt *st, int i, const char *uuid)
{
	char lower[64];

	(void)str_copy(lower, sizeof(lower), uuid);
	str_lower(lower);
	db_bind_text(st, i, lower);
}

/* Sizes beyond 8 EiB do not exist; a negative one must not either. */
void ledger_bind_size(struct db_stmt *st, int i, uint64_t v)
{
	db_bind_int(st, i, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void ledger_copy_text(char *dst, size_t size, struct db_stmt *st, int col)
{
	const char *s = db_text(st, col);

	(void)str_copy(dst, size, s ? s : "");
}

/* --- disks ---------------------------------------------------------------- */

#define DISK_COLUMNS                                                      \
	"uuid, serial, model, size_bytes, label, first_seen, last_seen, " \
	"last_good, last_good_run, last_run, free_bytes, fs_size_bytes, " \
	"marker_run, state"

static void read_disk(struct db_stmt *st, struct ledger_disk *d)
{
	const char *state = db_text(st, 13);

	ledger_copy_text(d->uuid, sizeof(d->uuid), st, 0);
	ledger_copy_text(d->serial, sizeof(d->serial), st, 1);
	ledger_copy_text(d->model, sizeof(d->model), st, 2);
	d->size_bytes = (uint64_t)db_int(st, 3);
	ledger_copy_text(d->label, sizeof(d->label), st, 4);
	d->first_seen = db_int(st, 5);
	d->last_seen = db_int(st, 6);
	d->last_good = db_int(st, 7);
	d->last_good_run = db_int(st, 8);
	d->last_run = db_int(st, 9);
	d->free_bytes = (uint64_t)db_int(st, 10);
	d->fs_size_bytes = (uint64_t)db_int(st, 11);
	d->marker_run = db_int(st, 12);
	/* Not known (out of memory): not adopted is the careful answer. */
	d->forgotten = !str_eq(state, "adopted");
}

int ledger_disk_get(struct ledger *l, const char *uuid, struct ledger_disk *ret,
        struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(l->db,
	        "SELECT " DISK_COLUMNS " FROM disks WHERE uuid = ?1", &st, err);
	if (r < 0)
		return r;
	ledger_bind_uuid(st, 1, uuid);
	r = db_step(st, err);
	if (r > 0)
		read_disk(st, ret);
	return r;
}

int ledger_disk_put(
        struct ledger *l, const struct ledger_disk *d, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(l->db,
	        "INSERT INTO disks(" DISK_COLUMNS ") VALUES(?1, ?2, ?3, ?4, "
	        "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "
	        "ON CONFLICT(uuid) DO UPDATE SET serial = excluded.serial, "
	        "model = excluded.model, size_bytes = excluded.size_bytes, "
	        "label = excluded.label, first_seen = excluded.first_seen, "
	        "last_seen = excluded.last_seen, "
	        "last_good = excluded.last_good, "
	        "last_good_run = excluded.last_good_run, "
	        "last_run = excluded.last_run, "
	        "free_bytes = excluded.free_bytes, "
	        "fs_size_bytes = excluded.fs_size_bytes, "
	        "marker_run = excluded.marker_run, state = excluded.state",
	        &st, err);
	if (r < 0)
		return r;
	ledger_bind_uuid(st, 1, d->uuid);
	db_bind_text(st, 2, d->serial);
	db_bind_text(st, 3, d->model);
	ledger_bind_size(st, 4, d->size_bytes);
	db_bind_text(st, 5, d->label);
	db_bind_int(st, 6, d->first_seen);
	db_bind_int(st, 7, d->last_seen);
	db_bind_int(st, 8, d->last_good);
	db_bind_int(st, 9, d->last_good_run);
	db_bind_int(st, 10, d->last_run);
	ledger_bind_size(st, 11, d->free_bytes);
	ledger_bind_size(st, 12, d->fs_size_bytes);
	db_bind_int(st, 13, d->marker_run);
	db_bind_text(st, 14, d->forgotten ? "forgotten" : "adopted");
	return ledger_execute(st, err);
}

int ledger_disk_forget(struct ledger *l, const char *uuid, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(l->db,
	        "UPDATE disks SET state = 'forgotten' "
	        "WHERE uuid = ?1 AND state = 'adopted'",
	        &st, err);
	if (r < 0)
		return r;
	ledger_bind_uuid(st, 1, uuid);
	r = ledger_execute(st, err);
	if (r == 0 && db_changes(l->db) == 0)
		r = err_set(err, -ENOENT, _("No disk %s is known here"), uuid);
	return r;
}

int ledger_disk_list(
        struct ledger *l, ledger_disk_fn *fn, void *arg, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(l->db,
	        "SELECT " DISK_COLUMNS " FROM disks "
	        "ORDER BY first_seen, uuid",
	        &st, err);
	if (r < 0)
		return r;
	while ((r = db_step(st, err)) > 0) {
		struct ledger_disk d;

		read_disk(st, &d);
		r = fn(&d, arg);
		if (r != 0)
			return r;
	}
	return r;
}

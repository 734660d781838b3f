/* SPDX-License-Identifier: MIT */
/* ledger_run: the runs of the ledger, see ledger.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "core/ledger.h"
#include "core/ledger_internal.h"
#include "err.h"
#include "i18n.h"
#include "num.h"
#include "path.h"
#include "str.h"
#include "sys/db.h"
#include "util.h"

static const char *const result_names[LEDGER_RESULT_COUNT] = {
        [LEDGER_RUNNING] = "running",
        [LEDGER_GOOD] = "good",
        [LEDGER_WARNINGS] = "warnings",
        [LEDGER_FAILED] = "failed",
        [LEDGER_SKIPPED] = "skipped",
        [LEDGER_DIED] = "died",
};

const char *ledger_result_name(enum ledger_result result)
{
	return (unsigned)result < LEDGER_RESULT_COUNT ? result_names[result]
	                                              : "failed";
}

/* A word that we do not know is of a later version: surely not "good". */
static enum ledger_result parse_result(const char *s)
{
	for (unsigned i = 0; i < LEDGER_RESULT_COUNT; i++)
		if (str_eq(s, result_names[i]))
			return (enum ledger_result)i;
	return LEDGER_FAILED;
}

/* --- processes ------------------------------------------------------------ */

/* Field 22 of /proc/PID/stat. 0, -ENOENT: no such process, others: it cannot
 * be told. */
static int read_start_ticks(const char *path, int64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ struct strv fields = STRV_INIT;
	const char *p;
	size_t len;
	int r;

	r = path_read_file(path, 8192, &text, &len);
	if (r < 0)
		return r == -ESRCH ? -ENOENT : r;
	/* The second field is the program's name, which may contain blanks
	 * and parentheses; the third begins after the last ")". */
	p = strrchr(text, ')');
	if (!p)
		return -EINVAL;
	r = strv_split(&fields, p + 1, " \n");
	if (r < 0)
		return r;
	if (fields.len < 20)
		return -EINVAL;
	return num_parse_i64(fields.items[19], 0, INT64_MAX, ret);
}

void ledger_process_self(struct ledger_process *ret)
{
	*ret = (struct ledger_process){.pid = getpid()};
	(void)str_copy(ret->boot_id, sizeof(ret->boot_id), clock_boot_id());
	if (read_start_ticks("/proc/self/stat", &ret->start_ticks) < 0)
		ret->start_ticks = 0;
}

bool ledger_process_is_alive(const struct ledger_process *p)
{
	_cleanup_free_ char *path = NULL;
	const char *boot_id = clock_boot_id();
	int64_t ticks;
	int r;

	if (p->pid <= 0)
		return false;
	if (*boot_id && p->boot_id[0] && !str_eq(boot_id, p->boot_id))
		return false;
	path = str_printf("/proc/%lld/stat", (long long)p->pid);
	if (!path)
		return true;
	r = read_start_ticks(path, &ticks);
	/* Without /proc nothing can be told. */
	if (r == -ENOENT)
		return access("/proc/self/stat", F_OK) < 0;
	return r < 0 || p->start_ticks == 0 || ticks == p->start_ticks;
}

/* --- rows ----------------------------------------------------------------- */

/* The order that read_run() expects. */
#define RUN_COLUMNS                                                         \
	"id, started, ended, uuid, title, device, serial, boot_id, pid, "   \
	"start_ticks, result, exit_code, step, passes, files_total, "       \
	"files_copied, files_deleted, bytes_total, bytes_copied, plan_ms, " \
	"copy_ms, verify_ms, flush_ms, free_bytes, size_bytes, flushed, "   \
	"warnings, error_message, error_meaning, error_action"

static void read_head(struct db_stmt *st, struct ledger_run *run)
{
	run->id = db_int(st, 0);
	run->started = db_int(st, 1);
	run->ended = db_int(st, 2);
	ledger_copy_text(run->uuid, sizeof(run->uuid), st, 3);
	ledger_copy_text(run->title, sizeof(run->title), st, 4);
	ledger_copy_text(run->device, sizeof(run->device), st, 5);
	ledger_copy_text(run->serial, sizeof(run->serial), st, 6);
	ledger_copy_text(
	        run->process.boot_id, sizeof(run->process.boot_id), st, 7);
	run->process.pid = db_int(st, 8);
	run->process.start_ticks = db_int(st, 9);
}

static void read_run(struct db_stmt *st, struct ledger_run *run)
{
	read_head(st, run);
	run->result = parse_result(db_text(st, 10));
	run->exit_code = (int)db_int(st, 11);
	ledger_copy_text(run->step, sizeof(run->step), st, 12);
	run->passes = (int)db_int(st, 13);
	run->files_total = (uint64_t)db_int(st, 14);
	run->files_copied = (uint64_t)db_int(st, 15);
	run->files_deleted = (uint64_t)db_int(st, 16);
	run->bytes_total = (uint64_t)db_int(st, 17);
	run->bytes_copied = (uint64_t)db_int(st, 18);
	run->plan_ms = db_int(st, 19);
	run->copy_ms = db_int(st, 20);
	run->verify_ms = db_int(st, 21);
	run->flush_ms = db_int(st, 22);
	run->free_bytes = (uint64_t)db_int(st, 23);
	run->size_bytes = (uint64_t)db_int(st, 24);
	run->flushed = db_int(st, 25) != 0;
	run->warnings = db_text(st, 26);
	run->error = ERR_INIT;
	ledger_copy_text(
	        run->error.message, sizeof(run->error.message), st, 27);
	ledger_copy_text(
	        run->error.meaning, sizeof(run->error.meaning), st, 28);
	ledger_copy_text(run->error.action, sizeof(run->error.action), st, 29);
}

/* More runs than this cannot have been: such a number, read from a disk that
 * anybody may have prepared, must not use up ours. */
#define RUN_SANE_MAX "1099511627776"

/* --- writing -------------------------------------------------------------- */

int ledger_run_begin(struct ledger *l, const struct ledger_run *run,
        int64_t after, int64_t *ret_id, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int64_t id;
	int r;

	/* One statement is one transaction: two runs that begin at the same
	 * time get different numbers. */
	r = db_prepare(l->db,
	        "INSERT INTO runs(id, started, uuid, title, device, serial, "
	        "boot_id, pid, start_ticks, result) VALUES(1 + max("
	        "CASE WHEN ?1 < " RUN_SANE_MAX " THEN ?1 ELSE 0 END, "
	        "coalesce((SELECT max(id) FROM runs), 0), "
	        "coalesce((SELECT max(marker_run) FROM disks "
	        "WHERE marker_run < " RUN_SANE_MAX "), 0), "
	        "coalesce((SELECT seq FROM sqlite_sequence "
	        "WHERE name = 'runs'), 0)), "
	        "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'running') RETURNING id",
	        &st, err);
	if (r < 0)
		return r;
	db_bind_int(st, 1, after);
	db_bind_int(st, 2, run->started);
	ledger_bind_uuid(st, 3, run->uuid);
	db_bind_text(st, 4, run->title);
	db_bind_text(st, 5, run->device);
	db_bind_text(st, 6, run->serial);
	db_bind_text(st, 7, run->process.boot_id);
	db_bind_int(st, 8, run->process.pid);
	db_bind_int(st, 9, run->process.start_ticks);
	r = db_step(st, err);
	if (r < 0)
		return r;
	id = db_int(st, 0);
	/* The row is durable when the statement is done, not before. */
	r = db_step(st, err);
	if (r < 0)
		return r;
	*ret_id = id;
	return 0;
}

static void bind_figures(struct db_stmt *st, const struct ledger_run *run)
{
	db_bind_int(st, 9, run->passes);
	ledger_bind_size(st, 10, run->files_total);
	ledger_bind_size(st, 11, run->files_copied);
	ledger_bind_size(st, 12, run->files_deleted);
	ledger_bind_size(st, 13, run->bytes_total);
	ledger_bind_size(st, 14, run->bytes_copied);
	db_bind_int(st, 15, run->plan_ms);
	db_bind_int(st, 16, run->copy_ms);
	db_bind_int(st, 17, run->verify_ms);
	db_bind_int(st, 18, run->flush_ms);
	ledger_bind_size(st, 19, run->free_bytes);
	ledger_bind_size(st, 20, run->size_bytes);
	db_bind_int(st, 21, run->flushed);
}

/* An update of one row that must be there. */
static int update_one(
        struct ledger *l, struct db_stmt *st, int64_t id, struct err *err)
{
	int r = ledger_execute(st, err);

	if (r == 0 && db_changes(l->db) == 0)
		r = err_set(err, -ENOENT, _("Run %lld is not in the history"),
		        (long long)id);
	return r;
}

int ledger_run_end(
        struct ledger *l, const struct ledger_run *run, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(l->db,
	        "UPDATE runs SET ended = ?2, uuid = ?3, title = ?4, "
	        "device = ?5, serial = ?6, result = ?7, exit_code = ?8, "
	        "passes = ?9, files_total = ?10, files_copied = ?11, "
	        "files_deleted = ?12, bytes_total = ?13, bytes_copied = ?14, "
	        "plan_ms = ?15, copy_ms = ?16, verify_ms = ?17, "
	        "flush_ms = ?18, free_bytes = ?19, size_bytes = ?20, "
	        "flushed = ?21, step = ?22, warnings = ?23, "
	        "error_message = ?24, error_meaning = ?25, "
	        "error_action = ?26, started = ?27 WHERE id = ?1",
	        &st, err);
	if (r < 0)
		return r;
	db_bind_int(st, 1, run->id);
	db_bind_int(st, 2, run->ended);
	ledger_bind_uuid(st, 3, run->uuid);
	db_bind_text(st, 4, run->title);
	db_bind_text(st, 5, run->device);
	db_bind_text(st, 6, run->serial);
	db_bind_text(st, 7, ledger_result_name(run->result));
	db_bind_int(st, 8, run->exit_code);
	bind_figures(st, run);
	db_bind_text(st, 22, run->step);
	db_bind_text(st, 23, run->warnings);
	db_bind_text(st, 24, run->error.message);
	db_bind_text(st, 25, run->error.meaning);
	db_bind_text(st, 26, run->error.action);
	db_bind_int(st, 27, run->started);
	return update_one(l, st, run->id, err);
}

int ledger_run_died(
        struct ledger *l, int64_t id, int64_t noticed, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(l->db,
	        "UPDATE runs SET "
	        "ended = CASE WHEN result = 'running' THEN ?2 ELSE ended END, "
	        "result = CASE WHEN result = 'running' THEN 'died' "
	        "ELSE result END WHERE id = ?1",
	        &st, err);
	if (r < 0)
		return r;
	db_bind_int(st, 1, id);
	db_bind_int(st, 2, noticed);
	return update_one(l, st, id, err);
}

/* --- lists ---------------------------------------------------------------- */

int ledger_find_dead(struct ledger *l,
        bool (*is_alive)(const struct ledger_process *p), ledger_run_fn *fn,
        void *arg, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	if (!is_alive)
		is_alive = ledger_process_is_alive;
	r = db_prepare(l->db,
	        "SELECT " RUN_COLUMNS " FROM runs WHERE result = 'running' "
	        "ORDER BY id",
	        &st, err);
	if (r < 0)
		return r;
	while ((r = db_step(st, err)) > 0) {
		struct ledger_run run;

		read_run(st, &run);
		if (is_alive(&run.process))
			continue;
		r = fn(&run, arg);
		if (r != 0)
			return r;
	}
	return r;
}

int ledger_history(struct ledger *l, uint64_t n, ledger_run_fn *fn, void *arg,
        struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	/* A negative limit is none. */
	r = db_prepare(l->db,
	        "SELECT " RUN_COLUMNS " FROM runs ORDER BY id DESC LIMIT ?1",
	        &st, err);
	if (r < 0)
		return r;
	db_bind_int(st, 1, n == 0 || n > INT64_MAX ? -1 : (int64_t)n);
	while ((r = db_step(st, err)) > 0) {
		struct ledger_run run;

		read_run(st, &run);
		r = fn(&run, arg);
		if (r != 0)
			return r;
	}
	return r;
}

int ledger_last_run(struct ledger *l, const char *uuid, ledger_run_fn *fn,
        void *arg, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	struct ledger_run run;
	int r;

	r = db_prepare(l->db,
	        uuid ? "SELECT " RUN_COLUMNS " FROM runs WHERE uuid = ?1 "
	               "ORDER BY id DESC LIMIT 1"
	             : "SELECT " RUN_COLUMNS " FROM runs "
	               "ORDER BY id DESC LIMIT 1",
	        &st, err);
	if (r < 0)
		return r;
	if (uuid)
		ledger_bind_uuid(st, 1, uuid);
	r = db_step(st, err);
	if (r <= 0)
		return r;
	read_run(st, &run);
	r = fn(&run, arg);
	return r != 0 ? r : 1;
}

/* SPDX-License-Identifier: MIT */
/* manifest_list: reading the manifest: what is due, totals, export. */
#include <errno.h>
#include <string.h>

#include "atomicfile.h"
#include "buf.h"
#include "core/manifest.h"
#include "core/manifest_internal.h"
#include "err.h"
#include "str.h"
#include "util.h"

#define EXPORT_CHUNK 65536

/*
 * Listings by path walk the table's own tree and hold no memory.  Changing
 * the row that the walk stands on is safe: its key stays, or the row goes.
 */
static const char sql_doubtful[] =
        "SELECT " MANIFEST_COLUMNS " FROM files WHERE state = 3 OR "
        "(run <> ?1 AND (state = 0 OR (state = 1 AND run IN "
        "(SELECT id FROM runs WHERE flushed = 0)))) ORDER BY path";
/* Longest without any proof first: the later of being written and being read
 * back counts, so that a stream of new files cannot keep the old ones from
 * their turn.  Sorted (in a temporary file when large), so that no change is
 * seen. */
static const char sql_to_verify[] =
        "SELECT " MANIFEST_COLUMNS " FROM files WHERE state = 2 OR "
        "(state = 1 AND (run = ?1 OR run NOT IN "
        "(SELECT id FROM runs WHERE flushed = 0))) "
        "ORDER BY max(verified, coalesce("
        "(SELECT begun FROM runs WHERE id = files.run), 0)), run, path";
static const char sql_all[] = "SELECT " MANIFEST_COLUMNS " FROM files "
                              "WHERE state <> 0 ORDER BY path";
static const char sql_totals[] =
        "SELECT sum(state <> 0), sum(CASE WHEN state <> 0 THEN size END), "
        "sum(state = 0), sum(state = 3), sum(state <> 0 AND hash IS NULL), "
        "sum(state <> 0 AND verified = 0), "
        "min(CASE WHEN state <> 0 AND verified > 0 THEN verified END) "
        "FROM files";

/* 16 bytes, else it is not known. */
static bool read_hash(struct db_stmt *st, int col, struct hash128 *ret)
{
	size_t len;
	const unsigned char *b = db_blob(st, col, &len);
	struct hash128 h = {0, 0};

	*ret = h;
	if (!b || len != 16)
		return false;
	for (unsigned i = 0; i < 8; i++) {
		h.high = h.high << 8 | b[i];
		h.low = h.low << 8 | b[8 + i];
	}
	*ret = h;
	return true;
}

int manifest_read_row(
        struct db_stmt *st, struct manifest_file *ret, struct err *err)
{
	/* SQLite puts a NUL behind it. */
	ret->path = db_text(st, 0);
	if (!ret->path)
		return err_nomem(err);
	ret->size = (uint64_t)db_int(st, 1);
	ret->old_size = db_int(st, 2);
	ret->mtime_s = db_int(st, 3);
	ret->has_hash = read_hash(st, 4, &ret->hash);
	ret->run = db_int(st, 5);
	ret->verified = db_int(st, 6);
	ret->state = (enum manifest_state)db_int(st, 7);
	return 0;
}

/* Every row of @sql (its parameter: the run that goes on) to @fn. */
static int list(struct manifest *m, const char *sql, bool has_run,
        manifest_fn *fn, void *arg, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(m->db, sql, &st, err);
	if (r < 0)
		return r;
	if (has_run)
		db_bind_int(st, 1, m->run);
	while ((r = db_step(st, err)) > 0) {
		struct manifest_file f;

		r = manifest_read_row(st, &f, err);
		if (r == 0)
			r = fn(&f, arg);
		if (r != 0)
			return r;
	}
	return r;
}

int manifest_doubtful(
        struct manifest *m, manifest_fn *fn, void *arg, struct err *err)
{
	return list(m, sql_doubtful, true, fn, arg, err);
}

/* --- what to verify ------------------------------------------------------ */

/* Larger than any callback's own value should be. */
#define ENOUGH 0x40000001

struct budget {
	manifest_fn *fn;
	void *arg;
	uint64_t left;
	bool any;
};

static int within_budget(const struct manifest_file *f, void *arg)
{
	struct budget *b = arg;

	if (b->any && f->size > b->left)
		return ENOUGH;
	b->any = true;
	b->left -= f->size < b->left ? f->size : b->left;
	return b->fn(f, b->arg);
}

int manifest_next_to_verify(struct manifest *m, uint64_t max_bytes,
        manifest_fn *fn, void *arg, struct err *err)
{
	struct budget b = {.fn = fn, .arg = arg, .left = max_bytes};
	int r = list(m, sql_to_verify, true, within_budget, &b, err);

	return r == ENOUGH ? 0 : r;
}

struct part {
	manifest_fn *fn;
	void *arg;
	unsigned n, t;
};

static int within_part(const struct manifest_file *f, void *arg)
{
	struct part *p = arg;

	if (hash_bytes(f->path, strlen(f->path)).low % p->t != p->n - 1)
		return 0;
	return p->fn(f, p->arg);
}

int manifest_part(struct manifest *m, unsigned n, unsigned t, manifest_fn *fn,
        void *arg, struct err *err)
{
	struct part p = {.fn = fn, .arg = arg, .n = n, .t = t};

	if (n < 1 || n > t)
		return err_set(err, -EINVAL, "part %u/%u", n, t);
	return list(m, sql_all, false, within_part, &p, err);
}

/* --- totals -------------------------------------------------------------- */

int manifest_totals(
        struct manifest *m, struct manifest_totals *ret, struct err *err)
{
	_cleanup_(db_finishp) struct db_stmt *st = NULL;
	int r;

	r = db_prepare(m->db, sql_totals, &st, err);
	if (r < 0)
		return r;
	r = db_step(st, err);
	if (r < 0)
		return r;
	/* Sums over nothing are NULL, which reads as 0. */
	*ret = (struct manifest_totals){
	        .files = (uint64_t)db_int(st, 0),
	        .bytes = (uint64_t)db_int(st, 1),
	        .pending = (uint64_t)db_int(st, 2),
	        .bad = (uint64_t)db_int(st, 3),
	        .without_hash = (uint64_t)db_int(st, 4),
	        .never_verified = (uint64_t)db_int(st, 5),
	        .oldest_verified = db_int(st, 6),
	};
	return 0;
}

/* --- export -------------------------------------------------------------- */

struct export
{
	int fd;
	struct buf out;
	struct manifest_exported counts;
	struct err *err;
};

static int export_flush(struct export *e)
{
	int r;

	if (buf_failed(&e->out))
		return err_nomem(e->err);
	r = atomicfile_write_all(e->fd, e->out.data, e->out.len);
	buf_reset(&e->out);
	return r < 0 ? err_sys(e->err, r, "xxhsum") : 0;
}

static void add_escaped(struct buf *out, const char *path)
{
	for (; *path; path++) {
		if (*path == '\n')
			buf_adds(out, "\\n");
		else if (*path == '\r')
			buf_adds(out, "\\r");
		else if (*path == '\\')
			buf_adds(out, "\\\\");
		else
			buf_addc(out, *path);
	}
}

static int export_line(const struct manifest_file *f, void *arg)
{
	struct export *e = arg;
	bool escape = strchr(f->path, '\n') != NULL;
	char hex[HASH_HEX_SIZE];

	if (!f->has_hash) {
		e->counts.without_hash++;
		return 0;
	}
	if (escape)
		buf_addc(&e->out, '\\');
	buf_adds(&e->out, hash_hex(hex, f->hash));
	buf_adds(&e->out, "  ");
	/* This name alone would be the standard input. */
	if (str_eq(f->path, "stdin"))
		buf_adds(&e->out, "./");
	if (escape)
		add_escaped(&e->out, f->path);
	else
		buf_adds(&e->out, f->path);
	buf_addc(&e->out, '\n');
	e->counts.written++;
	e->counts.escaped += escape;
	return e->out.len < EXPORT_CHUNK ? 0 : export_flush(e);
}

int manifest_export(struct manifest *m, int fd, struct manifest_exported *ret,
        struct err *err)
{
	struct export e = {.fd = fd, .out = BUF_INIT, .err = err};
	int r;

	r = list(m, sql_all, false, export_line, &e, err);
	if (r == 0)
		r = export_flush(&e);
	buf_done(&e.out);
	if (r == 0)
		*ret = e.counts;
	return r;
}

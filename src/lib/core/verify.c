/* SPDX-License-Identifier: MIT */
#include "core/verify.h"

#include <errno.h>
#include <stddef.h>

#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "core/manifest.h"
#include "core/readback.h"
#include "core/settings.h"
#include "core/target.h"

struct progress_arg {
	const struct verify *v;
	const struct readback *batch;
	struct verify_result *res;
};

static int tick(void *arg)
{
	struct progress_arg *p = arg;
	struct verify_result now = *p->res;

	now.bytes += p->batch->bytes_read;
	return p->v->on_tick ? p->v->on_tick(&now, p->v->arg) : 0;
}

static void note_bad(struct verify_result *res, const char *path)
{
	log_err(_("not as it was written: %s"), path);
	if (res->names_len < VERIFY_NAMES)
		(void)str_copy(res->names[res->names_len++],
		        sizeof res->names[0], path);
}

/* A file that is bad is doubtful from now on: the next run sees to it. */
static int settle(const struct verify *v, const struct readback_item *item,
        struct verify_result *res, struct err *err)
{
	int64_t now = clock_real_s();

	switch (item->verdict) {
	case READBACK_NOT_READ:
		return 0;
	case READBACK_SAME:
		res->files++;
		res->good++;
		return manifest_set_verified(
		        v->manifest, item->path, now, true, err);
	case READBACK_NO_HASH:
		res->files++;
		res->learned++;
		return manifest_set_hash(
		        v->manifest, item->path, now, item->hash, err);
	case READBACK_OTHER:
	case READBACK_ERROR:
		res->files++;
		res->damaged++;
		break;
	case READBACK_CHANGED:
	case READBACK_MISSING:
		if (v->is_compared)
			return manifest_deleted(v->manifest, item->path, err);
		res->missing++;
		break;
	}
	note_bad(res, item->path);
	return manifest_set_verified(v->manifest, item->path, now, false, err);
}

/* Errors of a disk that is not there any more say nothing about its files. */
static int check_disk(const struct target *t, struct err *err)
{
	if (t->disk.devno == 0 || disk_check(&t->disk) != DISK_GONE)
		return 0;
	return target_explain_gone(t, err);
}

static int read_batch(const struct verify *v, struct readback *b,
        struct verify_result *res, struct err *err)
{
	struct progress_arg p = {.v = v, .batch = b, .res = res};
	struct err err2 = ERR_INIT;
	int r, r2 = 0;

	r = readback_read(b, v->target, v->settings->disk_idle_timeout_seconds,
	        tick, &p, err);
	if (r == 0)
		r = check_disk(v->target, err);
	res->bytes += b->bytes_read;
	b->bytes_read = 0;
	/* Also after a cancellation: what was read counts. */
	for (size_t i = 0; i < b->len && r2 == 0; i++)
		if (r == 0 || b->items[i].verdict != READBACK_ERROR)
			r2 = settle(v, &b->items[i], res, &err2);
	if (r2 == 0)
		r2 = manifest_commit(v->manifest, &err2);
	if (r < 0)
		return r;
	if (r2 < 0 && err)
		*err = err2;
	return r2;
}

int verify_share(const struct verify *v, int64_t percent,
        struct verify_result *ret, struct err *err)
{
	struct manifest_totals totals;
	uint64_t want;
	bool more = true;
	int r;

	*ret = (struct verify_result){.files = 0};
	r = manifest_totals(v->manifest, &totals, err);
	if (r < 0 || percent == 0 || totals.files == 0)
		return r;
	want = totals.bytes / 100 * (uint64_t)percent +
	       totals.bytes % 100 * (uint64_t)percent / 100 + 1;
	while (more && r == 0) {
		struct readback b = READBACK_INIT;

		r = manifest_next_to_verify(
		        v->manifest, want, readback_collect, &b, err);
		more = b.more && b.bytes < want;
		want -= b.bytes < want ? b.bytes : want;
		if (r >= 0)
			r = read_batch(v, &b, ret, err);
		readback_done(&b);
	}
	return r;
}

static int read_part(const struct verify *v, unsigned n, unsigned t,
        struct verify_result *ret, struct err *err)
{
	struct readback b = READBACK_INIT;
	int r;

	/* A part may be larger than a batch: every file of it counts. */
	r = manifest_part(v->manifest, n, t, readback_collect_all, &b, err);
	if (r >= 0)
		r = read_batch(v, &b, ret, err);
	readback_done(&b);
	return r;
}

int verify_part(const struct verify *v, unsigned n, unsigned t,
        struct verify_result *ret, struct err *err)
{
	struct manifest_totals totals;
	unsigned slices;
	int r;

	*ret = (struct verify_result){.files = 0};
	if (n < 1 || n > t)
		return err_set(err, -EINVAL,
		        _("there is no part %u of %u parts"), n, t);
	r = manifest_totals(v->manifest, &totals, err);
	if (r < 0)
		return r;
	/* Finer parts of the same part, so that a batch stays small. */
	slices = (unsigned)(totals.files / READBACK_FILES / t) + 1;
	for (unsigned i = 0; i < slices && r >= 0; i++)
		r = read_part(v, n + t * i, t * slices, ret, err);
	return r;
}

void verify_describe(const struct verify_result *res, struct err *err)
{
	char n[32], name[600];

	err_set(err, -EIO,
	        P_("%s file on the disk is not as it was written: %s",
	                "%s files on the disk are not as they were written, "
	                "among them %s",
	                res->damaged + res->missing),
	        text_count(n, res->damaged + res->missing),
	        text_visible_str(name, sizeof name,
	                res->names_len > 0 ? res->names[0] : "?"));
	err_meaning(err, "%s",
	        _("The disk loses data, or somebody changed it. What is on it "
	          "cannot be relied on."));
	err_action(err, "%s",
	        _("Use another disk as soon as possible and look at this one "
	          "(\"smartctl -a\"). The next run copies the damaged files "
	          "anew."));
}

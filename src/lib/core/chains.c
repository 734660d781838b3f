/* SPDX-License-Identifier: MIT */
#include "core/chains.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "i18n.h"
#include "util.h"

/* --- names -----------------------------------------------------------------
 */

/* "2026-11-14T220000" */
#define STAMP "dddd-dd-ddTdddddd"
#define STAMP_LEN (sizeof STAMP - 1)

static bool is_stamp(const char *p, size_t len)
{
	if (len < STAMP_LEN)
		return false;
	for (size_t i = 0; i < STAMP_LEN; i++)
		if (STAMP[i] == 'd' ? !isdigit((unsigned char)p[i])
		                    : p[i] != STAMP[i])
			return false;
	return true;
}

static bool kind_of(const char *extension, enum chains_kind *ret)
{
	if (str_eq_nocase(extension, ".vbk"))
		*ret = CHAINS_FULL;
	else if (str_eq_nocase(extension, ".vib"))
		*ret = CHAINS_INCREMENT;
	else if (str_eq_nocase(extension, ".vrb"))
		*ret = CHAINS_REVERSE;
	else
		return false;
	return true;
}

/* Where the job's name ends: "Job", "Job_" and "Job" + "D" before the date are
 * written; a D behind a capital may belong to the name ("HDD"). */
static size_t job_len(const char *name, size_t len)
{
	if (len > 1 && name[len - 1] == 'D' &&
	        !isupper((unsigned char)name[len - 2]))
		len--;
	while (len > 1 && strchr("_- ", name[len - 1]))
		len--;
	return len;
}

bool chains_parse_name(const char *name, enum chains_kind *ret_kind,
        char *ret_job, size_t size, char ret_time[CHAINS_TIME_SIZE])
{
	size_t len = strlen(name);

	if (len <= 4 || !kind_of(name + len - 4, ret_kind))
		return false;
	len -= 4;
	ret_job[0] = ret_time[0] = '\0';
	/* The last one: a job may have a date in its own name. */
	for (size_t i = len; i-- > 0;) {
		size_t job;

		if (!is_stamp(name + i, len - i))
			continue;
		job = job_len(name, i);
		if (job >= size)
			return false;
		memcpy(ret_job, name, job);
		ret_job[job] = '\0';
		memcpy(ret_time, name + i, STAMP_LEN);
		ret_time[STAMP_LEN] = '\0';
		break;
	}
	return true;
}

/* --- collecting ------------------------------------------------------------
 */

/* @items with room for one more element of @size bytes; NULL = no memory. */
static void *grown(void *items, size_t len, size_t *allocated, size_t size)
{
	size_t want = *allocated ? *allocated * 2 : 16;
	void *p;

	if (len < *allocated)
		return items;
	p = reallocarray(items, want, size);
	if (p)
		*allocated = want;
	return p;
}

static void free_point(struct chains_point *p)
{
	free(p->directory);
	free(p->name);
	free(p->job);
}

static int add_point(struct chains *c, const char *directory, size_t dir_len,
        const char *name, const struct chains_point *what)
{
	struct chains_point p = *what, *room;
	char job[256];

	if (!chains_parse_name(name, &p.kind, job, sizeof job, p.time))
		return 0;
	room = grown(c->points, c->points_len, &c->points_size, sizeof *room);
	if (!room)
		return -ENOMEM;
	c->points = room;
	p.directory = strndup(directory, dir_len);
	p.name = strdup(name);
	p.job = strdup(job);
	if (!p.directory || !p.name || !p.job) {
		free_point(&p);
		return -ENOMEM;
	}
	c->points[c->points_len++] = p;
	return 0;
}

/* Length of the directory in @path; *ret_name is what follows. */
static size_t split(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');

	*ret_name = slash ? slash + 1 : path;
	return slash ? (size_t)(slash - path) : 0;
}

int chains_add_vbm(
        struct chains *c, const char *path, const char *data, size_t len)
{
	struct chains_vbm v = {.empty = len == 0}, *room;
	const char *name;
	size_t dir_len = split(path, &name);

	room = grown(c->vbms, c->vbms_len, &c->vbms_size, sizeof *room);
	if (!room)
		return -ENOMEM;
	c->vbms = room;
	v.directory = strndup(path, dir_len);
	v.name = strdup(name);
	if (!v.directory || !v.name ||
	        chains_scan_vbm(data, len, &v.listed) < 0) {
		free(v.directory);
		free(v.name);
		return -ENOMEM;
	}
	c->vbms[c->vbms_len++] = v;
	return 0;
}

/* ".NAME.Ab12Cd" as rsync calls what it has not finished: length of NAME. */
static size_t rest_of(const char *name, size_t len)
{
	if (len < 9 || name[0] != '.' || name[len - 7] != '.')
		return 0;
	for (size_t i = len - 6; i < len; i++)
		if (!isalnum((unsigned char)name[i]))
			return 0;
	return len - 8;
}

int chains_add(struct chains *c, const char *path, uint64_t size)
{
	struct chains_point p = {.size = size};
	const char *name;
	size_t dir_len = split(path, &name);
	size_t len = strlen(name), rest = rest_of(name, len);

	if (rest > 0) {
		_cleanup_free_ char *whole = strndup(name + 1, rest);

		p = (struct chains_point){.missing = true, .partial = true};
		return whole ? add_point(c, path, dir_len, whole, &p) : -ENOMEM;
	}
	if (len > 4 && str_eq_nocase(name + len - 4, ".vbm"))
		return chains_add_vbm(c, path, "", 0);
	return add_point(c, path, dir_len, name, &p);
}

/* --- order -----------------------------------------------------------------
 */

static int by_place(const struct chains_point *a, const struct chains_point *b)
{
	int d = strcmp(a->directory, b->directory);

	if (d == 0)
		d = strcmp(a->job, b->job);
	if (d == 0)
		d = strcmp(a->time, b->time);
	if (d == 0)
		d = (int)a->kind - (int)b->kind;
	return d ? d : strcmp(a->name, b->name);
}

/* The file itself before a rest of it before its shadow from a .vbm. */
static int by_order(const void *a, const void *b)
{
	const struct chains_point *p = a, *q = b;
	int d = by_place(p, q);

	if (d == 0)
		d = (int)p->missing - (int)q->missing;
	return d ? d : (int)q->partial - (int)p->partial;
}

static int add_missing(struct chains *c)
{
	const struct chains_point p = {.missing = true};

	for (size_t i = 0; i < c->vbms_len; i++) {
		const struct chains_vbm *v = &c->vbms[i];

		for (size_t k = 0; k < v->listed.len; k++) {
			int r = add_point(c, v->directory, strlen(v->directory),
			        v->listed.items[k], &p);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* After sorting: every name once. */
static void drop_doubles(struct chains *c)
{
	size_t out = 0;

	for (size_t i = 0; i < c->points_len; i++) {
		if (out > 0 &&
		        by_place(&c->points[out - 1], &c->points[i]) == 0)
			free_point(&c->points[i]);
		else
			c->points[out++] = c->points[i];
	}
	c->points_len = out;
}

/* --- judging ---------------------------------------------------------------
 */

static _printf_(2, 3) int problem(struct chain *ch, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	ch->complete = false;
	if (ch->problems_total++ >= CHAINS_PROBLEMS_MAX)
		return 0;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	return strv_add(&ch->problems, text);
}

static bool is_usable(const struct chains_point *p)
{
	return !p->missing && p->size > 0;
}

static int tell_unusable(struct chain *ch, const struct chains_point *p)
{
	if (p->partial)
		return problem(ch,
		        _("%s is not on the disk, only a part of it from a "
		          "copy that was interrupted"),
		        p->name);
	if (p->missing)
		return problem(ch,
		        _("%s is named in the .vbm but not on the disk"),
		        p->name);
	return problem(ch, _("%s has size 0"), p->name);
}

static struct chain *new_chain(
        struct chains *c, const struct chains_point *newest)
{
	struct chain *ch, *room;

	room = grown(c->items, c->items_len, &c->items_size, sizeof *room);
	if (!room)
		return NULL;
	c->items = room;
	ch = &c->items[c->items_len++];
	*ch = (struct chain){
	        .directory = newest->directory,
	        .job = newest->job,
	        .complete = true,
	        .newest = newest,
	};
	return ch;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The .vbm belongs to the job: "Job.vbm", "Job_1A2B.vbm", or in it the name of
 * one of the points [from, to). */
static bool is_vbm_of(const struct chains_vbm *v,
        const struct chains_point *from, const struct chains_point *to)
{
	size_t len = strlen(from->job);

	if (strcmp(v->directory, from->directory) != 0)
		return false;
	if (len == 0 || (str_starts(v->name, from->job) &&
	                        (v->name[len] == '.' || v->name[len] == '_')))
		return true;
	for (; from < to; from++)
		if (v->listed.len > 0 &&
		        bsearch(&from->name, v->listed.items, v->listed.len,
		                sizeof(char *), by_text) != NULL)
			return true;
	return false;
}

static int find_vbm(const struct chains *c, struct chain *ch,
        const struct chains_point *from, const struct chains_point *to)
{
	for (size_t i = 0; i < c->vbms_len; i++) {
		const struct chains_vbm *v = &c->vbms[i];

		if (!is_vbm_of(v, from, to))
			continue;
		ch->vbm = true;
		if (v->empty && problem(ch, _("%s is empty or cannot be read"),
		                        v->name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/*
 * Points that need each other, from the one that stands alone outwards: after
 * the first that is not there, none can be restored.
 */
struct line {
	struct chain *ch;
	bool good;
	size_t lost; /* there, but what they need is not */
};

static int next_in_line(struct line *l, const struct chains_point *p)
{
	struct chain *ch = l->ch;

	if (!p->missing)
		ch->points++;
	if (!is_usable(p)) {
		l->good = false;
		return tell_unusable(ch, p);
	}
	if (!l->good) {
		l->lost++;
		return 0;
	}
	ch->restorable++;
	if (!ch->newest_restorable || by_place(p, ch->newest_restorable) > 0)
		ch->newest_restorable = p;
	return 0;
}

static int tell_lost(struct chain *ch, size_t lost)
{
	if (lost == 0)
		return 0;
	return problem(ch,
	        P_("%zu restore point that depends on it is lost",
	                "%zu restore points that depend on it are lost", lost),
	        lost);
}

/* The chain of the full backup @full; @from and @to limit what could belong
 * to it: reverse increments before it, increments after it. */
static int judge_full(struct chains *c, const struct chains_point *from,
        const struct chains_point *full, const struct chains_point *to)
{
	const struct chains_point *last = full;
	struct line back, forth;
	struct chain *ch;
	int r;

	for (const struct chains_point *p = full + 1; p < to; p++)
		if (p->kind == CHAINS_INCREMENT)
			last = p;
	ch = new_chain(c, last);
	if (!ch)
		return -ENOMEM;
	back = (struct line){.ch = ch, .good = true};
	r = next_in_line(&back, full);
	forth = back;
	for (const struct chains_point *p = full; r == 0 && p-- > from;)
		if (p->kind == CHAINS_REVERSE)
			r = next_in_line(&back, p);
	for (const struct chains_point *p = full + 1; r == 0 && p < to; p++)
		if (p->kind == CHAINS_INCREMENT)
			r = next_in_line(&forth, p);
	if (r == 0)
		r = tell_lost(ch, back.lost + forth.lost);
	if (r == 0)
		r = find_vbm(c, ch, full, last + 1);
	return r;
}

static int orphan(
        struct chains *c, struct chain **ch, const struct chains_point *p)
{
	if (!*ch)
		*ch = new_chain(c, p);
	if (!*ch)
		return -ENOMEM;
	(*ch)->newest = p;
	if (!p->missing)
		(*ch)->points++;
	if (!is_usable(p))
		return tell_unusable(*ch, p);
	return p->kind == CHAINS_INCREMENT
	               ? problem(*ch, _("%s has no full backup before it"),
	                         p->name)
	               : problem(*ch, _("%s has no full backup after it"),
	                         p->name);
}

/* What stands before the first full backup or after the last one and needs
 * one there. */
static int judge_orphans(struct chains *c, const struct chains_point *from,
        const struct chains_point *first, const struct chains_point *last,
        const struct chains_point *to)
{
	struct chain *ch = NULL;
	int r = 0;

	for (const struct chains_point *p = from; r == 0 && p < first; p++)
		if (p->kind == CHAINS_INCREMENT || first == to)
			r = orphan(c, &ch, p);
	for (const struct chains_point *p = last; r == 0 && p < to; p++)
		if (p->kind == CHAINS_REVERSE)
			r = orphan(c, &ch, p);
	return r == 0 && ch ? find_vbm(c, ch, from, to) : r;
}

static const struct chains_point *next_full(
        const struct chains_point *p, const struct chains_point *to)
{
	while (p < to && p->kind != CHAINS_FULL)
		p++;
	return p;
}

/* All points of one job, oldest first. */
static int judge_job(struct chains *c, const struct chains_point *from,
        const struct chains_point *to)
{
	const struct chains_point *first = next_full(from, to);
	const struct chains_point *last = first;
	const struct chains_point *begin = from;
	int r = 0;

	for (const struct chains_point *full = first; r == 0 && full < to;) {
		const struct chains_point *next = next_full(full + 1, to);

		r = judge_full(c, begin, full, next);
		begin = full + 1;
		last = full;
		full = next;
	}
	if (r < 0)
		return r;
	return judge_orphans(c, from, first, last, to);
}

/* By directory and job, the newest first. */
static int by_age(const void *a, const void *b)
{
	const struct chain *p = a, *q = b;
	int d = strcmp(p->directory, q->directory);

	if (d == 0)
		d = strcmp(p->job, q->job);
	return d ? d : by_place(q->newest, p->newest);
}

int chains_judge(struct chains *c, struct err *err)
{
	size_t from = 0;

	if (add_missing(c) < 0)
		return err_nomem(err);
	if (c->points_len == 0)
		return 0;
	qsort(c->points, c->points_len, sizeof *c->points, by_order);
	drop_doubles(c);
	for (size_t i = 1; i <= c->points_len; i++) {
		const struct chains_point *p = &c->points[from];

		if (i < c->points_len &&
		        str_eq(p->directory, c->points[i].directory) &&
		        str_eq(p->job, c->points[i].job))
			continue;
		if (judge_job(c, p, &c->points[i]) < 0)
			return err_nomem(err);
		from = i;
	}
	qsort(c->items, c->items_len, sizeof *c->items, by_age);
	return 0;
}

void chains_done(struct chains *c)
{
	for (size_t i = 0; i < c->points_len; i++)
		free_point(&c->points[i]);
	for (size_t i = 0; i < c->vbms_len; i++) {
		free(c->vbms[i].directory);
		free(c->vbms[i].name);
		strv_done(&c->vbms[i].listed);
	}
	for (size_t i = 0; i < c->items_len; i++)
		strv_done(&c->items[i].problems);
	free(c->points);
	free(c->vbms);
	free(c->items);
	*c = CHAINS_INIT;
}

/* SPDX-License-Identifier: MIT */
/* Who holds what since when, who waits, and what will happen next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "veeam_lock.h"
#include "../common/json_print.h"
#include "core/exitcode.h"
#include "core/jobs.h"
#include "core/lease.h"
#include "core/lockjob.h"
#include "core/settings.h"
#include "sys/jsondoc.h"

struct view {
	const struct settings *s;
	struct lease_entry *entries;
	size_t len;
	bool copying;
	bool has_holder;
	struct lease_record holder; /* of the copy's lock */
	struct strv old;            /* lock files of the old script */
	struct lease_now now;
};

/* --- gathering --------------------------------------------------------------
 */

static int add_entry(const struct lease_entry *e, void *arg)
{
	struct view *v = arg;
	struct lease_entry *p = reallocarray(v->entries, v->len + 1, sizeof *p);

	if (!p)
		return -ENOMEM;
	v->entries = p;
	p[v->len++] = *e;
	return 0;
}

static int gather_leases(struct view *v, struct err *err)
{
	_cleanup_free_ char *dir = settings_lock_dir(v->s);
	struct lease l = LEASE_INIT;
	int r;

	if (!dir)
		return err_nomem(err);
	r = lease_open_existing(&l, dir, v->s->lease_hours * 3600, err);
	if (r == -ENOENT)
		return 0; /* nobody has ever locked anything */
	if (r == 0)
		r = lease_list(&l, add_entry, v, err);
	if (r == -ENOMEM)
		r = err_nomem(err);
	if (r == 0) {
		v->copying = lease_is_copying(&l);
		v->has_holder =
		        v->copying && lease_copy_holder(&l, &v->holder) == 0;
	}
	lease_close(&l);
	return r;
}

static int gather_old(struct view *v, struct err *err)
{
	_cleanup_strv_ struct strv dirs = STRV_INIT;
	struct jobs *jobs = NULL;
	int r;

	if (settings_veeam_lock_dirs(v->s, &dirs) < 0)
		return err_nomem(err);
	if (dirs.len == 0)
		return 0;
	r = jobs_open(&dirs, &jobs, err);
	if (r == 0)
		r = jobs_list(jobs, &v->old, err);
	jobs_free(jobs);
	return r;
}

/* As it is as soon as somebody reaps: a copy that died while it waited is
 * none, a pre-job script that did leaves a job that runs. */
static int kind_of(const struct lease_entry *e)
{
	if (e->kind == LEASE_ENTRY_LEASE)
		return e->verdict == LEASE_LIVE ? LEASE_ENTRY_LEASE : -1;
	if (e->is_alive)
		return (int)e->kind;
	return e->kind == LEASE_ENTRY_JOB ? LEASE_ENTRY_LEASE : -1;
}

static size_t count(const struct view *v, int kind)
{
	size_t n = kind == LEASE_ENTRY_LEASE ? v->old.len : 0;

	for (size_t i = 0; i < v->len; i++)
		n += kind_of(&v->entries[i]) == kind;
	return n;
}

/* --- for people -------------------------------------------------------------
 */

static const char *lease_note(const struct lease_entry *e)
{
	if (e->verdict != LEASE_LIVE)
		return _("its time is over");
	if (!e->is_readable)
		return _("cannot be read");
	if (e->record.forced)
		return _("may have run beside a copy");
	return e->record.remote ? _("on another machine") : "";
}

static void print_lease(const struct view *v, const struct lease_entry *e)
{
	char job[300], run[300], since[32], left[32], note[128] = "";

	text_visible_str(job, sizeof job, e->record.job);
	text_visible_str(run, sizeof run, e->record.run);
	if (lease_note(e)[0])
		(void)snprintf(note, sizeof note, ", %s", lease_note(e));
	printf(_("  %s%s%s  since %s, at most %s more%s\n"), job,
	        run[0] ? ", " : "", run, clock_local(since, e->record.taken),
	        text_duration(left, lease_judge_left_ms(&e->record, &v->now)),
	        note);
}

static void print_jobs(const struct view *v)
{
	bool any = v->old.len > 0;
	char name[300];

	for (size_t i = 0; i < v->len; i++)
		any |= v->entries[i].kind == LEASE_ENTRY_LEASE;
	if (any)
		printf("%s\n", _("Veeam jobs that run:"));
	for (size_t i = 0; i < v->len; i++)
		if (v->entries[i].kind == LEASE_ENTRY_LEASE)
			print_lease(v, &v->entries[i]);
	for (size_t i = 0; i < v->old.len; i++)
		printf(_("  unknown  lock file %s\n"),
		        text_visible_str(name, sizeof name, v->old.items[i]));
}

static void print_copy(const struct view *v)
{
	char disk[300], since[32];

	if (!v->copying)
		return;
	if (v->has_holder)
		printf(_("A backup copy to %s has been running since %s.\n"),
		        text_visible_str(disk, sizeof disk, v->holder.job),
		        clock_local(since, v->holder.taken));
	else
		printf("%s\n", _("A backup copy is running."));
}

static const char *dead_note(const struct lease_entry *e)
{
	if (e->is_alive)
		return "";
	return e->kind == LEASE_ENTRY_JOB
	               ? _(", its script was killed: counts as running")
	               : _(", has died");
}

static void print_queue(const struct view *v)
{
	bool first = true;

	for (size_t i = 0; i < v->len; i++) {
		const struct lease_entry *e = &v->entries[i];
		char name[300], since[32];

		if (e->kind == LEASE_ENTRY_LEASE)
			continue;
		if (first)
			printf("%s\n", _("Waiting, in this order:"));
		first = false;
		text_visible_str(name, sizeof name,
		        e->is_readable ? e->record.job : "?");
		printf(e->kind == LEASE_ENTRY_COPY
		                ? _("  copy to %s  since %s%s\n")
		                : _("  Veeam job %s  since %s%s\n"),
		        name, clock_local(since, e->record.taken),
		        dead_note(e));
	}
}

static const char *next(const struct view *v)
{
	bool waits = count(v, LEASE_ENTRY_COPY) > 0;

	if (v->copying && str_eq(v->s->when_copy_runs, "yield"))
		return _("The copy gives way to a Veeam job that waits, and "
		         "goes on after it.");
	if (v->copying)
		return _("Veeam jobs that start now wait for the copy.");
	if (count(v, LEASE_ENTRY_LEASE) > 0 && waits)
		return _("The copy starts when these jobs have ended; jobs "
		         "that start now wait for it.");
	if (count(v, LEASE_ENTRY_LEASE) > 0)
		return _("More Veeam jobs may start; a copy would wait for "
		         "them.");
	if (waits)
		return _("The copy starts now.");
	return _("Nobody holds a lock: a copy or a Veeam job may start at "
	         "once.");
}

static void print_view(const struct view *v)
{
	print_copy(v);
	print_jobs(v);
	print_queue(v);
	printf("%s\n", next(v));
}

/* --- for programs -----------------------------------------------------------
 */

static const char *verdict_name(enum lease_verdict v)
{
	switch (v) {
	case LEASE_LIVE:
		return "live";
	case LEASE_EXPIRED:
		return "expired";
	case LEASE_REBOOTED:
		return "rebooted";
	case LEASE_SUPERSEDED:
		break;
	}
	return "superseded";
}

/* When its time is over, or was, as far as the wall clock can tell. */
static int64_t expires(const struct view *v, const struct lease_entry *e)
{
	int64_t left_s = lease_judge_left_ms(&e->record, &v->now) / 1000;
	int64_t told = e->record.taken + e->record.ttl_s;

	return left_s == 0 && told < v->now.real ? told : v->now.real + left_s;
}

static void json_lease(
        struct jsondoc *o, const struct view *v, const struct lease_entry *e)
{
	int64_t left_s = lease_judge_left_ms(&e->record, &v->now) / 1000;

	jsondoc_set_string(o, "job", e->record.job);
	jsondoc_set_string(o, "run", e->record.run);
	jsondoc_set_string(o, "host", e->record.host);
	jsondoc_set_time(o, "since", e->record.taken);
	jsondoc_set_time(o, "expires", expires(v, e));
	jsondoc_set_int(o, "left_seconds", left_s);
	jsondoc_set_string(o, "state", verdict_name(e->verdict));
	jsondoc_set_bool(o, "readable", e->is_readable);
	jsondoc_set_bool(o, "remote", e->record.remote);
	jsondoc_set_bool(o, "forced", e->record.forced);
}

static void json_ticket(struct jsondoc *o, const struct lease_entry *e)
{
	jsondoc_set_string(
	        o, "kind", e->kind == LEASE_ENTRY_COPY ? "copy" : "job");
	jsondoc_set_string(o, "name", e->record.job);
	jsondoc_set_time(o, "since", e->record.taken);
	jsondoc_set_bool(o, "alive", e->is_alive);
}

static void json_copy(struct jsondoc *o, const struct view *v)
{
	jsondoc_set_bool(o, "held", v->copying);
	jsondoc_set_string(o, "disk", v->has_holder ? v->holder.job : "");
	jsondoc_set_time(o, "since", v->has_holder ? v->holder.taken : 0);
}

static int print_json(const struct view *v)
{
	_cleanup_(jsondoc_freep) struct jsondoc *root = jsondoc_new_object();
	struct jsondoc *leases, *waiting, *old;

	jsondoc_set_int(root, "version", 1);
	json_copy(jsondoc_add_object(root, "copy"), v);
	leases = jsondoc_add_array(root, "leases");
	waiting = jsondoc_add_array(root, "waiting");
	old = jsondoc_add_array(root, "old_lock_files");
	for (size_t i = 0; i < v->len; i++)
		if (v->entries[i].kind == LEASE_ENTRY_LEASE)
			json_lease(jsondoc_append_object(leases), v,
			        &v->entries[i]);
		else
			json_ticket(
			        jsondoc_append_object(waiting), &v->entries[i]);
	for (size_t i = 0; i < v->old.len; i++)
		jsondoc_append_string(old, v->old.items[i]);
	return json_print(root);
}

/* --- commands ---------------------------------------------------------------
 */

static int show(const struct lock_options *o, const struct view *v)
{
	struct err err = ERR_INIT;

	if (o->json)
		return print_json(v);
	print_view(v);
	if (fflush(stdout) == 0)
		return EXITCODE_DONE;
	err_sys(&err, -errno, "%s", _("the result cannot be printed"));
	log_show_err(LOG_LEVEL_ERR, &err);
	return EXITCODE_FAILED;
}

int lock_list(const struct lock_options *o, const struct settings *s)
{
	struct view v = {.s = s, .old = STRV_INIT};
	struct err err = ERR_INIT;
	int code = EXITCODE_FAILED;
	int r;

	lease_now(&v.now);
	r = gather_leases(&v, &err);
	if (r == 0)
		r = gather_old(&v, &err);
	if (r < 0)
		log_show_err(LOG_LEVEL_ERR, &err);
	else
		code = show(o, &v);
	free(v.entries);
	strv_done(&v.old);
	return code;
}

static void tell_reaped(const char *job, enum lease_verdict why, void *arg)
{
	unsigned *n = arg;
	char text[400];

	(*n)++;
	printf("%s\n", lockjob_reaped(text, sizeof text, job, why));
}

int lock_clean(const struct lock_options *o, const struct settings *s)
{
	_cleanup_free_ char *dir = settings_lock_dir(s);
	struct lease l = LEASE_INIT;
	struct err err = ERR_INIT;
	unsigned n = 0;
	int r;

	(void)o;
	l.on_reaped = tell_reaped;
	l.arg = &n;
	r = dir ? lease_open(&l, dir, s->lease_hours * 3600, &err)
	        : err_nomem(&err);
	if (r == 0)
		r = lease_clean(&l, &err);
	if (r == 0 && n == 0)
		printf("%s\n", _("There is no lock whose time is over."));
	if (r < 0)
		log_show_err(LOG_LEVEL_ERR, &err);
	lease_close(&l);
	return r < 0 ? EXITCODE_FAILED : EXITCODE_DONE;
}

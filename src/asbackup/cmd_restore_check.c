/* SPDX-License-Identifier: MIT */
/* cmd_restore_check: which backup chains on the disk are complete. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "i18n.h"
#include "log.h"
#include "session.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "../common/json_print.h"
#include "core/chains.h"
#include "core/exitcode.h"
#include "sys/jsondoc.h"

#define WIDTH_JOB 32
#define WIDTH_POINTS 9
#define WIDTH_TIME 18

static void set_point(
        struct jsondoc *o, const char *key, const struct chains_point *p)
{
	if (p)
		jsondoc_set_string(o, key, p->name);
	else
		jsondoc_set_null(o, key);
}

static int print_json(const struct chains *c)
{
	_cleanup_(jsondoc_freep) struct jsondoc *o = jsondoc_new_object();
	struct jsondoc *list;

	jsondoc_set_int(o, "version", 1);
	list = jsondoc_add_array(o, "chains");
	for (size_t i = 0; i < c->items_len; i++) {
		const struct chain *ch = &c->items[i];
		struct jsondoc *e = jsondoc_append_object(list);
		struct jsondoc *problems;

		jsondoc_set_string(e, "directory", ch->directory);
		jsondoc_set_string(e, "job", ch->job);
		jsondoc_set_bool(e, "complete", ch->complete);
		jsondoc_set_int(e, "points", (int64_t)ch->points);
		set_point(e, "newest_restorable", ch->newest_restorable);
		set_point(e, "newest", ch->newest);
		jsondoc_set_bool(e, "vbm", ch->vbm);
		problems = jsondoc_add_array(e, "problems");
		for (size_t k = 0; k < ch->problems.len; k++)
			jsondoc_append_string(problems, ch->problems.items[k]);
	}
	return json_print(o);
}

/* "2026-11-14 22:00"; without a date in the name the name itself. */
static void show_point(char *dst, size_t size, const struct chains_point *p)
{
	if (!p)
		(void)str_copy(dst, size, _("none"));
	else if (p->time[0])
		(void)snprintf(dst, size, "%.10s %.2s:%.2s", p->time,
		        p->time + 11, p->time + 13);
	else
		(void)str_copy(dst, size, p->name);
}

/* "directory: job"; Veeam gives both the same name as a rule. */
static void show_job(char *dst, size_t size, const struct chain *ch)
{
	const char *slash = strrchr(ch->directory, '/');
	const char *last = slash ? slash + 1 : ch->directory;

	if (!*ch->job || str_eq(last, ch->job))
		(void)str_copy(dst, size, *ch->directory ? ch->directory : ".");
	else
		(void)snprintf(dst, size, "%s%s%s", ch->directory,
		        *ch->directory ? ": " : "", ch->job);
}

static void print_chain(const struct chain *ch)
{
	char job[600], points[64], time[300];

	show_job(job, sizeof job, ch);
	cli_print_safe(job, WIDTH_JOB);
	(void)snprintf(
	        points, sizeof points, " %zu/%zu", ch->restorable, ch->points);
	cli_print_safe(points, WIDTH_POINTS);
	show_point(time, sizeof time, ch->newest_restorable);
	cli_print_safe(time, WIDTH_TIME);
	printf("%s\n", ch->complete ? _("complete") : _("NOT complete"));

	for (size_t i = 0; i < ch->problems.len; i++) {
		printf("    ");
		cli_print_safe(ch->problems.items[i], 0);
		printf("\n");
	}
	if (ch->problems_total > ch->problems.len) {
		size_t more = ch->problems_total - ch->problems.len;

		printf("    ");
		printf(P_("and %zu more problem\n", "and %zu more problems\n",
		               more),
		        more);
	}
}

static bool is_same_job(const struct chain *a, const struct chain *b)
{
	return str_eq(a->directory, b->directory) && str_eq(a->job, b->job);
}

/* The newest chain of a job lost its newest points: how old is the newest one
 * that can still be had, from whatever chain? */
static void print_fallback(const struct chains *c, size_t first)
{
	const struct chain *newest = &c->items[first];
	char time[300];

	if (newest->newest_restorable)
		return;
	for (size_t i = first + 1; i < c->items_len; i++) {
		const struct chain *ch = &c->items[i];

		if (!is_same_job(newest, ch))
			break;
		if (!ch->newest_restorable)
			continue;
		show_point(time, sizeof time, ch->newest_restorable);
		printf("    ");
		printf(_("the newest restore point that is left is of an older "
		         "chain: "));
		cli_print_safe(time, 0);
		printf("\n");
		return;
	}
	printf("    %s\n", _("nothing of this job can be restored"));
}

static void print_text(const struct chains *c)
{
	if (c->items_len == 0)
		return;
	cli_print_safe(_("JOB"), WIDTH_JOB);
	printf(" ");
	cli_print_safe(_("POINTS"), WIDTH_POINTS - 1);
	cli_print_safe(_("RESTORABLE TO"), WIDTH_TIME);
	printf("%s\n", _("CHAIN"));
	for (size_t i = 0; i < c->items_len; i++) {
		print_chain(&c->items[i]);
		if (i == 0 || !is_same_job(&c->items[i - 1], &c->items[i]))
			print_fallback(c, i);
	}
}

static int judge(struct session *s, const struct chains *c)
{
	size_t bad = 0;

	if (c->unreadable > 0) {
		err_set(&s->err, -EIO,
		        _("%zu directories or files of the disk cannot be "
		          "read, the first: %s"),
		        c->unreadable, c->unreadable_name);
		err_action(
		        &s->err, "%s", _("Check the file system of the disk."));
		return session_fail(s, EXITCODE_FAILED);
	}
	if (c->items_len == 0) {
		err_set(&s->err, -ENOENT, "%s",
		        _("there is no Veeam backup on this disk"));
		err_action(&s->err, "%s",
		        _("Is backup-source the repository? Copy to the disk "
		          "first."));
		return session_fail(s, EXITCODE_FAILED);
	}
	for (size_t i = 0; i < c->items_len; i++)
		bad += !c->items[i].complete;
	if (bad == 0)
		return EXITCODE_DONE;
	err_set(&s->err, -EIO,
	        P_("%zu backup chain is not complete",
	                "%zu backup chains are not complete", bad),
	        bad);
	err_action(&s->err, "%s",
	        _("See whether the files are in the source, and copy again. "
	          "What the source does not have either, only Veeam can "
	          "make anew: run an active full backup."));
	return session_fail(s, EXITCODE_FAILED);
}

static int restore_check(struct session *s, const struct cli *cli)
{
	_cleanup_(chains_done) struct chains c = CHAINS_INIT;
	int code, printed = EXITCODE_DONE;

	if (chains_read(&c, s->target.dest_fd, &s->err) < 0 ||
	        chains_judge(&c, &s->err) < 0)
		return session_fail(s, EXITCODE_FAILED);
	if (cli->json)
		printed = print_json(&c);
	else
		print_text(&c);
	code = judge(s, &c);
	return code ? code : printed;
}

int cmd_restore_check(const struct cli *cli)
{
	struct session s;
	int code = session_open(&s, cli, NULL, true);

	if (code == 0)
		code = restore_check(&s, cli);
	return session_close(&s, code);
}

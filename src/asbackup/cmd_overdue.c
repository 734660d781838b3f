/* SPDX-License-Identifier: MIT */
/*
 * cmd_overdue: for the timer: is the last good copy too old?  The company is
 * safe as long as one disk is young enough; that others of a rotation are
 * older is what a rotation is.  Needs no root.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cli.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "text.h"
#include "util.h"
#include "../common/json_print.h"
#include "../common/load_settings.h"
#include "core/copies.h"
#include "core/exitcode.h"
#include "core/mailer.h"
#include "core/settings.h"
#include "sys/jsondoc.h"

struct overdue {
	const struct settings *s;
	struct copies *copies; /* NULL = none was ever made */
	int64_t last_good;     /* on any configured disk; 0 = never */
};

static int64_t last_good(const struct overdue *o, size_t i)
{
	if (!o->copies)
		return 0;
	return copies_last_good(o->copies, o->s->disks[i].uuid);
}

static bool is_overdue(const struct overdue *o)
{
	return cli_is_overdue(o->s, o->last_good);
}

static void add_disks(struct buf *b, const struct overdue *o)
{
	for (size_t i = 0; i < o->s->disks_len; i++) {
		const char *title = settings_disk_title(&o->s->disks[i]);
		int64_t when = last_good(o, i);
		char local[32];

		buf_adds(b, "  ");
		text_visible(b, title, strlen(title));
		buf_printf(b, ": %s\n",
		        when ? clock_local(local, when) : _("never"));
	}
}

static char *compose(const struct overdue *o)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char age[32];

	if (o->last_good)
		buf_printf(&b,
		        _("The last good backup copy is %s old; overdue-days "
		          "allows %lld days.\n"),
		        cli_age(age, o->last_good),
		        (long long)o->s->overdue_days);
	else
		buf_adds(&b, _("There is no good backup copy yet.\n"));
	buf_adds(&b, _("What Veeam has backed up since then exists only on "
	               "the server itself: a fire or an attack would take "
	               "both.\n"
	               "Please plug in one of the backup disks and wait for "
	               "its mail.\n\n"
	               "Last good copies:\n"));
	add_disks(&b, o);
	return buf_take(&b);
}

static void warn(const struct overdue *o, bool no_mail)
{
	_cleanup_free_ char *body = compose(o);
	struct mailer_message m = {
	        .subject = o->last_good
	                           ? _("asbackup: the backup copy is overdue")
	                           : _("asbackup: there is no backup copy yet"),
	        .body = body,
	};
	struct err err = ERR_INIT;

	if (!body)
		return;
	log_warn("%.*s", (int)strcspn(body, "\n"), body);
	if (!no_mail && mailer_send(o->s, &m, &err) < 0)
		log_show_err(LOG_LEVEL_WARNING, &err);
}

static int print_json(const struct overdue *o)
{
	_cleanup_(jsondoc_freep) struct jsondoc *root = jsondoc_new_object();
	int code;

	jsondoc_set_int(root, "version", 1);
	jsondoc_set_bool(root, "overdue", is_overdue(o));
	jsondoc_set_time(root, "last_good", o->last_good);
	jsondoc_set_int(root, "overdue_days", o->s->overdue_days);
	code = json_print(root);
	if (code)
		return code;
	return is_overdue(o) ? EXITCODE_FAILED : EXITCODE_DONE;
}

static int judge(const struct overdue *o, const struct cli *cli)
{
	char age[32];

	if (cli->json)
		return print_json(o);
	if (is_overdue(o)) {
		warn(o, cli->run.no_mail);
		return EXITCODE_FAILED;
	}
	log_info(_("the last good copy is %s old"), cli_age(age, o->last_good));
	return EXITCODE_DONE;
}

/* A fresh installation is not overdue, though the rest of its configuration
 * may not be usable yet. */
static bool has_disks(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;

	return settings_load_disks(cli->config, &s, NULL) < 0 ||
	       s->disks_len > 0;
}

int cmd_overdue(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_(copies_freep) struct copies *copies = NULL;
	struct overdue o = {.last_good = 0};
	struct err err = ERR_INIT;
	int code, r;

	if (!has_disks(cli)) {
		log_info("%s", _("no backup disk is configured"));
		return EXITCODE_DONE;
	}
	code = load_settings(cli->config, &s);
	if (code)
		return code;
	r = copies_read(s->state_directory, &copies, &err);
	if (r < 0 && r != -ENOENT) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_CONFIG;
	}
	o.s = s;
	o.copies = copies;
	for (size_t i = 0; i < s->disks_len; i++)
		if (last_good(&o, i) > o.last_good)
			o.last_good = last_good(&o, i);
	return judge(&o, cli);
}

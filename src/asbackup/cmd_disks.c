/* SPDX-License-Identifier: MIT */
/* cmd_disks: the configured disks, and making them ours or not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "disks_add.h"
#include "disks_adopt.h"
#include "../common/json_print.h"
#include "../common/load_settings.h"
#include "core/exitcode.h"
#include "core/ledger.h"
#include "core/settings.h"
#include "sys/disk.h"
#include "sys/jsondoc.h"

struct listing {
	const struct settings *s;
	struct ledger *ledger; /* NULL = no run yet */
	struct disk *attached;
	size_t attached_len;
	struct jsondoc *items; /* NULL = for people */
};

static size_t count_attached(
        const struct listing *l, const char *uuid, const struct disk **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < l->attached_len; i++)
		if (str_eq_nocase(l->attached[i].uuid, uuid)) {
			*ret = &l->attached[i];
			n++;
		}
	return n;
}

static void look_up(
        const struct listing *l, const char *uuid, struct ledger_disk *row)
{
	struct err err = ERR_INIT;

	memset(row, 0, sizeof *row);
	if (l->ledger && ledger_disk_get(l->ledger, uuid, row, &err) < 0)
		log_warn("%s", err.message);
}

static void print_disk(
        const struct listing *l, const struct settings_disk *disk)
{
	const struct disk *d = NULL;
	size_t n = count_attached(l, disk->uuid, &d);
	struct ledger_disk row;
	char age[32], free_bytes[32];

	look_up(l, disk->uuid, &row);
	cli_print_safe(settings_disk_title(disk), 24);
	printf(" %-36s ", disk->uuid);
	cli_print_safe(n == 0 ? "-" : n == 1 ? d->device : _("TWICE!"), 14);
	putchar(' ');
	cli_print_safe(cli_age(age, row.last_good), 13);
	printf(" %-12s",
	        row.free_bytes ? text_bytes(free_bytes, row.free_bytes) : "-");
	printf("%s\n", row.last_good && cli_is_overdue(l->s, row.last_good)
	                       ? _("overdue")
	                       : "");
}

static void add_disk(const struct listing *l, const struct settings_disk *disk)
{
	struct jsondoc *o = jsondoc_append_object(l->items);
	const struct disk *d = NULL;
	size_t n = count_attached(l, disk->uuid, &d);
	struct ledger_disk row;

	look_up(l, disk->uuid, &row);
	jsondoc_set_string(o, "uuid", disk->uuid);
	jsondoc_set_string(o, "title", settings_disk_title(disk));
	jsondoc_set_bool(o, "attached", n > 0);
	jsondoc_set_bool(o, "ambiguous", n > 1);
	if (d)
		jsondoc_set_string(o, "device", d->device);
	else
		jsondoc_set_null(o, "device");
	jsondoc_set_string(o, "serial", row.serial);
	jsondoc_set_time(o, "last_good", row.last_good);
	jsondoc_set_int(o, "last_good_run", row.last_good_run);
	jsondoc_set_int(o, "free_bytes", (int64_t)row.free_bytes);
	jsondoc_set_int(o, "size_bytes", (int64_t)row.fs_size_bytes);
	jsondoc_set_bool(o, "overdue", cli_is_overdue(l->s, row.last_good));
}

static void print_head(void)
{
	cli_print_safe(_("DISK"), 24);
	printf(" %-36s ", "UUID");
	cli_print_safe(_("ATTACHED AS"), 14);
	putchar(' ');
	cli_print_safe(_("LAST GOOD"), 13);
	printf(" %s\n", _("FREE"));
}

static int print_listing(struct listing *l, bool json)
{
	_cleanup_(jsondoc_freep) struct jsondoc *root = NULL;

	if (json) {
		root = jsondoc_new_object();
		jsondoc_set_int(root, "version", 1);
		l->items = jsondoc_add_array(root, "disks");
	} else if (l->s->disks_len == 0) {
		printf("%s\n", _("No disk is configured. Plug one in and run "
		                 "\"asbackup disks --add\"."));
	} else {
		print_head();
	}
	for (size_t i = 0; i < l->s->disks_len; i++) {
		if (json)
			add_disk(l, &l->s->disks[i]);
		else
			print_disk(l, &l->s->disks[i]);
	}
	return json ? json_print(root) : EXITCODE_DONE;
}

static int list(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_(ledger_closep) struct ledger *ledger = NULL;
	_cleanup_free_ struct disk *attached = NULL;
	struct listing l = {.s = NULL};
	struct err err = ERR_INIT;
	int code = load_settings(cli->config, &s), r;

	if (code)
		return code;
	r = ledger_open(s->state_directory, true, &ledger, &err);
	if (r < 0 && r != -ENOENT)
		log_show_err(LOG_LEVEL_WARNING, &err);
	if (disk_list(NULL, &attached, &l.attached_len, &err) < 0)
		log_show_err(LOG_LEVEL_WARNING, &err);
	l.s = s;
	l.ledger = ledger;
	l.attached = attached;
	return print_listing(&l, cli->json);
}

static int forget(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_(ledger_closep) struct ledger *ledger = NULL;
	struct err err = ERR_INIT;
	int code = load_settings(cli->config, &s), r;

	if (code)
		return code;
	r = ledger_open(s->state_directory, false, &ledger, &err);
	if (r == 0)
		r = ledger_disk_forget(ledger, cli->forget, &err);
	if (r == -ENOENT)
		err_set(&err, r, _("no disk with UUID %s was ever used here"),
		        cli->forget);
	if (r < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		return EXITCODE_FAILED;
	}
	printf(_("The disk %s is forgotten. Remove it from %s as well, or it "
	         "is adopted again when it is plugged in.\n"),
	        cli->forget, s->path);
	return EXITCODE_DONE;
}

int cmd_disks(const struct cli *cli)
{
	if ((cli->add ? 1 : 0) + (cli->adopt ? 1 : 0) + (cli->forget ? 1 : 0) >
	        1) {
		log_err("%s",
		        _("--add, --adopt and --forget exclude each other"));
		return EXITCODE_USAGE;
	}
	if (cli->add)
		return disks_add(cli);
	if (cli->adopt)
		return disks_adopt(cli, cli->adopt);
	if (cli->forget)
		return forget(cli);
	return list(cli);
}

/* SPDX-License-Identifier: MIT */
/* cmd_history: past runs, as a table or JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "../common/json_print.h"
#include "../common/load_settings.h"
#include "core/exitcode.h"
#include "core/ledger.h"
#include "core/settings.h"
#include "sys/jsondoc.h"

static const char *result_text(enum ledger_result result)
{
	switch (result) {
	case LEDGER_RUNNING:
		return _("running");
	case LEDGER_GOOD:
		return _("good");
	case LEDGER_WARNINGS:
		return _("good, with warnings");
	case LEDGER_FAILED:
		return _("FAILED");
	case LEDGER_SKIPPED:
		return _("skipped");
	case LEDGER_DIED:
		return _("died");
	case LEDGER_RESULT_COUNT:
		break;
	}
	return "?";
}

static int print_row(const struct ledger_run *run, void *arg)
{
	char when[32], took[32], bytes[32];

	(void)arg;
	printf("%5lld  %s  ", (long long)run->id,
	        clock_local(when, run->started));
	cli_print_safe(run->title, 20);
	printf("  ");
	cli_print_safe(result_text(run->result), 20);
	printf("  %10s  %10s",
	        run->ended ? text_duration(
	                             took, (run->ended - run->started) * 1000)
	                   : "-",
	        text_bytes(bytes, run->bytes_copied));
	if (run->error.message[0]) {
		printf("  %s: ", run->step);
		cli_print_safe(run->error.message, 0);
	}
	putchar('\n');
	return 0;
}

static void add_warnings(struct jsondoc *o, const char *warnings)
{
	struct jsondoc *a = jsondoc_add_array(o, "warnings");
	_cleanup_strv_ struct strv lines = STRV_INIT;

	if (!warnings || strv_split(&lines, warnings, "\n") < 0)
		return;
	for (size_t i = 0; i < lines.len; i++)
		jsondoc_append_string(a, lines.items[i]);
}

static int add_row(const struct ledger_run *run, void *arg)
{
	struct jsondoc *o = jsondoc_append_object(arg);

	jsondoc_set_int(o, "run", run->id);
	jsondoc_set_time(o, "started", run->started);
	jsondoc_set_time(o, "ended", run->ended);
	jsondoc_set_string(o, "uuid", run->uuid);
	jsondoc_set_string(o, "title", run->title);
	jsondoc_set_string(o, "result", ledger_result_name(run->result));
	jsondoc_set_int(o, "exit_code", run->exit_code);
	jsondoc_set_string(o, "step", run->step);
	jsondoc_set_int(o, "passes", run->passes);
	jsondoc_set_int(o, "files_total", (int64_t)run->files_total);
	jsondoc_set_int(o, "bytes_total", (int64_t)run->bytes_total);
	jsondoc_set_int(o, "files_copied", (int64_t)run->files_copied);
	jsondoc_set_int(o, "bytes_copied", (int64_t)run->bytes_copied);
	jsondoc_set_int(o, "files_deleted", (int64_t)run->files_deleted);
	jsondoc_set_int(o, "plan_milliseconds", run->plan_ms);
	jsondoc_set_int(o, "copy_milliseconds", run->copy_ms);
	jsondoc_set_int(o, "verify_milliseconds", run->verify_ms);
	jsondoc_set_int(o, "flush_milliseconds", run->flush_ms);
	jsondoc_set_int(o, "free_bytes", (int64_t)run->free_bytes);
	jsondoc_set_int(o, "size_bytes", (int64_t)run->size_bytes);
	jsondoc_set_bool(o, "flushed", run->flushed);
	jsondoc_set_string(o, "error", run->error.message);
	add_warnings(o, run->warnings);
	return 0;
}

static int failed(const struct err *err)
{
	log_show_err(LOG_LEVEL_ERR, err);
	return EXITCODE_FAILED;
}

static int print_json(struct ledger *l, uint64_t n)
{
	_cleanup_(jsondoc_freep) struct jsondoc *root = jsondoc_new_object();
	struct err err = ERR_INIT;
	struct jsondoc *runs;

	jsondoc_set_int(root, "version", 1);
	runs = jsondoc_add_array(root, "runs");
	if (l && ledger_history(l, n, add_row, runs, &err) < 0)
		return failed(&err);
	return json_print(root);
}

static int print_table(struct ledger *l, uint64_t n)
{
	struct err err = ERR_INIT;

	if (!l) {
		printf("%s\n", _("No run yet."));
		return EXITCODE_DONE;
	}
	printf("%5s  ", _("RUN"));
	cli_print_safe(_("STARTED"), 16);
	printf("  ");
	cli_print_safe(_("DISK"), 20);
	printf("  ");
	cli_print_safe(_("RESULT"), 20);
	printf("  ");
	cli_print_safe(_("DURATION"), 10);
	printf("  %s\n", _("COPIED"));
	if (ledger_history(l, n, print_row, NULL, &err) < 0)
		return failed(&err);
	return EXITCODE_DONE;
}

int cmd_history(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	_cleanup_(ledger_closep) struct ledger *l = NULL;
	struct err err = ERR_INIT;
	int code = load_settings(cli->config, &s), r;

	if (code)
		return code;
	r = ledger_open(s->state_directory, true, &l, &err);
	if (r < 0 && r != -ENOENT)
		return failed(&err);
	return cli->json ? print_json(l, (uint64_t)cli->count)
	                 : print_table(l, (uint64_t)cli->count);
}

/* SPDX-License-Identifier: MIT */
/* cmd_run: a copy, shown on the terminal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "buf.h"
#include "i18n.h"
#include "log.h"
#include "notify.h"
#include "str.h"
#include "util.h"
#include "../common/load_settings.h"
#include "core/exitcode.h"
#include "core/report.h"
#include "core/settings.h"
#include "core/status.h"
#include "sys/disk.h"

extern char **environ;

#define BAR_WIDTH 20

/* With a loose cable it would go on for ever. */
#define TRIES_MAX 3

static void add_bar(struct buf *b, double percent)
{
	int full = (int)(percent / 100 * BAR_WIDTH);

	buf_addc(b, '[');
	for (int i = 0; i < BAR_WIDTH; i++)
		buf_addc(b, i < full ? '#' : '.');
	buf_adds(b, "] ");
}

static void show(const struct status *st)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char line[512];

	status_line(st, line, sizeof line);
	if (st->step == STEP_COPY && st->progress.bytes_total > 0)
		add_bar(&b, st->progress.percent);
	buf_adds(&b, line);
	if (!buf_failed(&b))
		log_progress(b.data);
}

/* A name that smells of a secret: its value is never shown. */
static bool is_secret_name(const char *name, size_t len)
{
	static const char *const words[] = {
	        "PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (memmem(name, len, words[i], strlen(words[i])))
			return true;
	return false;
}

static void dump_environment(void)
{
	for (char **e = environ; *e; e++) {
		const char *eq = strchr(*e, '=');
		int len = eq ? (int)(eq - *e) : (int)strlen(*e);

		if (!eq || is_secret_name(*e, (size_t)len))
			log_debug("environment: %.*s=****", len, *e);
		else
			log_debug("environment: %s", *e);
	}
}

static void print_result(const struct cli *cli, const struct status *st)
{
	_cleanup_free_ char *text = NULL;

	text = cli->json ? status_json(st) : report_terminal(st);
	if (text)
		fputs(text, stdout);
	if (fflush(stdout) != 0)
		log_warn("%s", _("the result cannot be printed"));
}

/*
 * The disk was pulled out and is plugged in again while the run was still
 * putting things in order.  systemd saw a unit that was running all the time
 * and started nothing: it is up to us.
 */
static bool is_back(const struct status *st)
{
	_cleanup_free_ struct disk *list = NULL;
	struct err err = ERR_INIT;
	size_t len = 0;

	if (disk_list(st->disk.uuid, &list, &len, &err) < 0)
		log_debug("%s", err.message);
	return len > 0;
}

static int run_once(
        const struct cli *cli, const struct settings *s, bool *ret_again)
{
	struct status st;
	int code;

	status_init(&st);
	code = run_copy(s, &cli->run, &st);
	log_progress("");
	print_result(cli, &st);
	*ret_again =
	        cli->run.queue && code == EXITCODE_DISK_LOST && is_back(&st);
	status_done(&st);
	return code;
}

int cmd_run(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	int code = load_settings(cli->config, &s);
	bool again = true;

	if (code)
		return code;
	if (s->debug)
		dump_environment();
	run_on_status = show;
	notify_ready();
	for (int i = 0; i < TRIES_MAX && again; i++) {
		if (i > 0)
			log_notice("%s",
			        _("the disk is plugged in again: starting "
			          "anew"));
		code = run_once(cli, s, &again);
	}
	notify_stopping();
	log_close();
	return code;
}

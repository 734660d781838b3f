/* SPDX-License-Identifier: MIT */
/* cmd_status: the running copy, or how the last one ended. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "i18n.h"
#include "lockfile.h"
#include "log.h"
#include "path.h"

#include "sig.h"
#include "text.h"
#include "util.h"
#include "../common/load_settings.h"
#include "core/exitcode.h"
#include "core/ledger.h"
#include "core/settings.h"
#include "core/report.h"
#include "core/status.h"

/* Says who wrote "running" but is gone. */
static void judge_dead(const struct settings *s, struct status *st)
{
	_cleanup_free_ char *path = path_join(s->state_directory, "lock/run");

	if (st->state != STATUS_RUNNING && st->state != STATUS_WAITING)
		return;
	if (!path || lockfile_is_held(AT_FDCWD, path))
		return;
	st->state = STATUS_FAILED;
	st->exit_code = EXITCODE_FAILED;
	err_set(&st->error, -ESRCH, "%s",
	        _("the run ended without a word (killed, or power cut)"));
	err_meaning(
	        &st->error, "%s", _("The copy on the disk is NOT complete."));
	err_action(&st->error, "%s",
	        _("Start the copy again; it goes on where this one ended."));
}

static int from_ledger(const struct ledger_run *run, void *arg)
{
	struct status *st = arg;

	st->run = run->id;
	st->started = run->started;
	st->ended = run->ended;
	st->took.total_ms = (run->ended - run->started) * 1000;
	st->exit_code = run->exit_code;
	(void)str_copy(st->disk.uuid, sizeof st->disk.uuid, run->uuid);
	(void)str_copy(st->disk.title, sizeof st->disk.title, run->title);
	st->files_copied = run->files_copied;
	st->bytes_copied = run->bytes_copied;
	st->files_deleted = run->files_deleted;
	st->disk.free_bytes = run->free_bytes;
	st->disk.size_bytes = run->size_bytes;
	st->error = run->error;
	st->state = run->result == LEDGER_GOOD ||
	                            run->result == LEDGER_WARNINGS ||
	                            run->result == LEDGER_SKIPPED
	                    ? STATUS_SUCCEEDED
	                    : STATUS_FAILED;
	/* The machine was restarted since: nothing is mounted any more. */
	st->may_be_unplugged = true;
	if (run->warnings && strv_split(&st->warnings, run->warnings, "\n") < 0)
		return -ENOMEM;
	return 0;
}

static int read_status(
        const struct settings *s, struct status *st, struct err *err)
{
	_cleanup_(ledger_closep) struct ledger *l = NULL;
	int r = status_read(st, s, err);

	if (r != -ENOENT) {
		judge_dead(s, st);
		return r;
	}
	/* The runtime directory does not survive a restart. */
	*err = ERR_INIT;
	r = ledger_open(s->state_directory, true, &l, err);
	if (r == 0)
		r = ledger_last_run(l, NULL, from_ledger, st, err);
	return r == -ENOENT || r > 0 ? 0 : r;
}

static void print_running(const struct status *st)
{
	char line[512], since[32];

	status_line(st, line, sizeof line);
	printf(_("A copy is running since %s.\n%s\n"),
	        clock_local(since, st->started), line);
	printf("%s\n", _("Do NOT unplug the disk."));
}

static void print_ended(const struct status *st)
{
	_cleanup_free_ char *text = report_body(st, REPORT_END, NULL);
	char when[32];

	printf(_("Last run: %s\n"), clock_local(when, st->started));
	if (text)
		fputs(text, stdout);
}

static int print_status(const struct cli *cli, const struct status *st)
{
	_cleanup_free_ char *text = NULL;

	if (cli->json) {
		text = status_json(st);
		if (!text)
			return EXITCODE_FAILED;
		fputs(text, stdout);
	} else if (st->state == STATUS_IDLE) {
		printf("%s\n", _("No run yet."));
	} else if (st->state == STATUS_RUNNING || st->state == STATUS_WAITING) {
		print_running(st);
	} else {
		print_ended(st);
	}
	fflush(stdout);
	return EXITCODE_DONE;
}

static bool is_running(const struct status *st)
{
	return st->state == STATUS_RUNNING || st->state == STATUS_WAITING;
}

/* Until status.json is replaced; the 5 s are for a run that was killed. */
static void wait_change(int fd)
{
	struct pollfd fds[2] = {
	        {.fd = fd, .events = POLLIN},
	        {.fd = sig_fd(), .events = POLLIN},
	};
	char buf[4096];

	(void)poll(fds, ARRAY_SIZE(fds), 5000);
	while (fd >= 0 && read(fd, buf, sizeof buf) > 0)
		;
}

static void show_line(const struct cli *cli, const struct status *st)
{
	char line[512];

	if (cli->json) {
		(void)print_status(cli, st);
		return;
	}
	status_line(st, line, sizeof line);
	if (isatty(STDERR_FILENO))
		log_progress(line);
	else
		printf("%s\n", line);
	fflush(stdout);
}

static int follow(const struct cli *cli, const struct settings *s)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct err err = ERR_INIT;

	if (fd >= 0 &&
	        inotify_add_watch(fd, s->runtime_directory, IN_MOVED_TO) < 0)
		log_debug("no inotify");
	for (;;) {
		struct status st;
		int r;

		status_init(&st);
		r = read_status(s, &st, &err);
		if (r < 0 || !is_running(&st) || sig_caught()) {
			log_progress("");
			if (r == 0 && !sig_caught())
				(void)print_status(cli, &st);
			status_done(&st);
			return r < 0 ? r : 0;
		}
		show_line(cli, &st);
		status_done(&st);
		wait_change(fd);
	}
}

int cmd_status(const struct cli *cli)
{
	_cleanup_(settings_freep) struct settings *s = NULL;
	struct err err = ERR_INIT;
	struct status st;
	int code = load_settings(cli->config, &s), r;

	if (code)
		return code;
	if (cli->follow)
		return follow(cli, s) < 0 ? EXITCODE_FAILED : EXITCODE_DONE;
	status_init(&st);
	r = read_status(s, &st, &err);
	if (r < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		code = EXITCODE_FAILED;
	} else {
		code = print_status(cli, &st);
	}
	status_done(&st);
	return code;
}

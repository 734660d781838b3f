/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <string.h>

#include "i18n.h"
#include "log.h"
#include "proc.h"
#include "sig.h"
#include "util.h"
#include "../common/load_settings.h"
#include "core/exitcode.h"
#include "core/precheck.h"
#include "core/settings.h"

int session_fail(struct session *s, int code)
{
	int sig = sig_caught();

	log_show_err(LOG_LEVEL_ERR, &s->err);
	return sig ? EXITCODE_SIGNAL + sig : code;
}

static int open_books(struct session *s)
{
	int r;

	r = ledger_open(
	        s->settings->state_directory, false, &s->ledger, &s->err);
	if (r == 0)
		r = manifest_open(s->settings->state_directory,
		        s->target.disk.uuid, false, &s->manifest, NULL,
		        &s->err);
	return r < 0 ? session_fail(s, EXITCODE_FAILED) : 0;
}

static int lock(struct session *s)
{
	if (precheck_directories(s->settings, &s->err) < 0)
		return session_fail(s, EXITCODE_CONFIG);
	s->run_lock_fd = precheck_run_lock(s->settings, &s->err);
	if (s->run_lock_fd == -EWOULDBLOCK)
		return session_fail(s, EXITCODE_BUSY);
	if (s->run_lock_fd < 0)
		return session_fail(s, EXITCODE_CONFIG);
	proc_task_hide_fd(s->run_lock_fd);
	return 0;
}

int session_open(struct session *s, const struct cli *cli, const char *uuid,
        bool read_only)
{
	int code;

	*s = (struct session){.target = TARGET_INIT, .run_lock_fd = -1};
	code = load_settings(cli->config, &s->settings);
	if (code == 0)
		code = lock(s);
	if (code)
		return code;
	if (target_find(&s->target, s->settings, uuid ? uuid : cli->run.uuid,
	            cli->run.device, &s->err) < 0)
		return session_fail(s, EXITCODE_MATCH);
	code = open_books(s);
	if (code)
		return code;
	if (target_mount(&s->target, s->settings, read_only, &s->err) < 0)
		return session_fail(s, EXITCODE_MOUNT);
	if (marker_read(&s->target, s->settings->state_directory, &s->marker,
	            &s->verdict, &s->err) < 0)
		return session_fail(s, EXITCODE_MATCH);
	return 0;
}

int session_close(struct session *s, int code)
{
	struct err err = ERR_INIT;

	sig_reset();
	if (s->target.root_fd >= 0 && !s->target.mounted_read_only &&
	        target_flush(&s->target, s->settings->disk_idle_timeout_seconds,
	                NULL, NULL, &err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		code = code ? code : EXITCODE_UNMOUNT;
	}
	if (target_unmount(&s->target, &err) < 0) {
		log_show_err(LOG_LEVEL_ERR, &err);
		code = code ? code : EXITCODE_UNMOUNT;
	}
	manifest_close(s->manifest);
	ledger_close(s->ledger);
	proc_task_show_fd(s->run_lock_fd);
	util_closep(&s->run_lock_fd);
	settings_free(s->settings);
	return code;
}

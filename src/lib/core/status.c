/* SPDX-License-Identifier: MIT */
#include "core/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "text.h"
#include "util.h"

/* A hostile or broken run must not fill the mail with warnings. */
#define WARNINGS_MAX 50

static const struct {
	const char *name;
	const char *text;
} steps[STEP_COUNT] = {
        [STEP_NONE] = {"none", N_("Starting")},
        [STEP_CONFIG] = {"config", N_("Checking the configuration")},
        [STEP_MATCH] = {"match", N_("Looking for the disk")},
        [STEP_GUARD] = {"guard", N_("Checking the source")},
        [STEP_VEEAM_WAIT] = {"veeam-wait", N_("Waiting for Veeam jobs")},
        [STEP_MOUNT] = {"mount", N_("Mounting the disk")},
        [STEP_LOCK] = {"lock", N_("Locking the disk")},
        [STEP_PLAN] = {"plan", N_("Finding out what is to be copied")},
        [STEP_COPY] = {"copy", N_("Copying")},
        [STEP_VERIFY] = {"verify", N_("Checking the copy")},
        [STEP_UNLOCK] = {"unlock", N_("Unlocking the disk")},
        [STEP_FREE_SPACE] = {"free-space", N_("Looking at the free space")},
        [STEP_UNMOUNT] = {"unmount",
                N_("Writing everything to the disk and unmounting it")},
        [STEP_REPORT] = {"report", N_("Reporting")},
};

static const char *const states[] = {
        [STATUS_IDLE] = "idle",
        [STATUS_WAITING] = "waiting",
        [STATUS_RUNNING] = "running",
        [STATUS_SUCCEEDED] = "succeeded",
        [STATUS_FAILED] = "failed",
};

const char *status_step_name(enum status_step step)
{
	return steps[step].name;
}

const char *status_step_text(enum status_step step)
{
	return _(steps[step].text);
}

const char *status_state_name(enum status_state state)
{
	return states[state];
}

void status_init(struct status *st)
{
	*st = (struct status){
	        .state = STATUS_IDLE,
	        .exit_code = -1,
	        .progress.eta_seconds = -1,
	};
}

void status_done(struct status *st)
{
	strv_done(&st->waiting_for);
	strv_done(&st->warnings);
}

void status_warn(struct status *st, const char *fmt, ...)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (buf_failed(&b) || strv_has(&st->warnings, b.data))
		return;
	log_warn("%s", b.data);
	/* Out of memory: it stands in the log, which is all we can do. */
	if (st->warnings.len < WARNINGS_MAX && strv_add(&st->warnings, b.data))
		return;
}

/* How far the plan, the copy or the reading back is, in words. */
static void line_detail(const struct status *st, struct buf *b)
{
	char done[32], total[32], rate[32], eta[32];

	if (st->progress.bytes_total == 0)
		return;
	buf_printf(b, _(": %d %%, %s of %s"), (int)st->progress.percent,
	        text_bytes(done, st->progress.bytes_done),
	        text_bytes(total, st->progress.bytes_total));
	if (st->progress.rate > 0)
		buf_printf(b, _(", %s/s"), text_bytes(rate, st->progress.rate));
	if (st->progress.eta_seconds >= 0)
		buf_printf(b, _(", about %s left"),
		        text_duration(eta, st->progress.eta_seconds * 1000));
	if (st->progress.file[0]) {
		buf_adds(b, "  ");
		text_visible(b, st->progress.file, strlen(st->progress.file));
	}
}

void status_line(const struct status *st, char *dst, size_t size)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	dst[0] = '\0';
	buf_adds(&b, status_step_text(st->step));
	if (st->step == STEP_COPY || st->step == STEP_VERIFY ||
	        st->step == STEP_PLAN)
		line_detail(st, &b);
	if (st->step == STEP_VEEAM_WAIT && st->waiting_for.len > 0) {
		buf_adds(&b, ": ");
		text_visible(&b, st->waiting_for.items[0],
		        strlen(st->waiting_for.items[0]));
	}
	if (!buf_failed(&b))
		(void)str_copy(dst, size, b.data);
}

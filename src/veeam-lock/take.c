/* SPDX-License-Identifier: MIT */
/* The lock is taken, waited for, or refused. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "log.h"
#include "sig.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "veeam_lock.h"
#include "core/exitcode.h"
#include "core/lease.h"
#include "core/lockjob.h"
#include "core/mailer.h"
#include "core/settings.h"

/* How often a wait says that it goes on. */
#define TELL_MS (10 * 60 * 1000)

struct taking {
	const struct lock_options *o;
	const struct settings *s;
	struct lease lease;
	struct lease_record rec;
	char job[300]; /* for people */
	int64_t began_ms;
	int64_t limit_ms; /* of the wait */
	int limit_code;   /* the exit code when it is over */
	bool is_wait_mailed;
	bool is_unheard; /* whoever called us has gone meanwhile */
	struct err err;
};

/* --- what is said -----------------------------------------------------------
 */

static int granted(const struct taking *t)
{
	printf(_("The Veeam job %s has the lock.\n"), t->job);
	/* The exit code tells of the lock, not of the terminal. */
	if (fflush(stdout) != 0)
		log_warn(_("the Veeam job %s has the lock, but that cannot be "
		           "printed: %s"),
		        t->job, err_text(errno));
	return EXITCODE_DONE;
}

/* At once, for whoever looks at the job's log. */
static void tell_wait(const struct taking *t)
{
	bool is_copying = lease_is_copying(&t->lease);
	struct lease_record copy;
	char since[32], limit[32], disk[300];

	text_duration(limit, t->limit_ms);
	if (is_copying && lease_copy_holder(&t->lease, &copy) == 0)
		printf(_("A backup copy to %s has been running since %s; the "
		         "Veeam job %s waits for it, at most %s.\n"),
		        text_visible_str(disk, sizeof disk, copy.job),
		        clock_local(since, copy.taken), t->job, limit);
	else
		printf(_("A backup copy comes first; the Veeam job %s waits "
		         "for it, at most %s.\n"),
		        t->job, limit);
	/* Perhaps for ever, if it was not for our limit: of a run without an
	 * id nobody knows whether it is over. */
	if (!is_copying && lease_job_is_held(&t->lease, t->rec.job))
		printf(_("The copy waits for a lock that the job %s has "
		         "already. If that is left over from a run that has "
		         "ended, call veeam-unlock for it.\n"),
		        t->job);
	fflush(stdout);
}

static void tell_still(const struct taking *t)
{
	char waited[32];

	printf(_("The Veeam job %s has waited for %s.\n"), t->job,
	        text_duration(waited, clock_mono_ms() - t->began_ms));
	fflush(stdout);
}

/* --- what is mailed ---------------------------------------------------------
 */

static char *mail_text(const struct err *err)
{
	const char *const parts[] = {err->message, err->meaning, err->action};
	_cleanup_buf_ struct buf b = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i][0]) {
			text_visible(&b, parts[i], strlen(parts[i]));
			buf_adds(&b, i == 0 ? ".\n\n" : "\n\n");
		}
	return buf_take(&b);
}

/* @subject is freed. */
static void send_mail(
        const struct taking *t, char *subject, const struct err *what)
{
	_cleanup_free_ char *owned = subject;
	_cleanup_free_ char *body = mail_text(what);
	struct mailer_message m = {.subject = owned, .body = body};
	struct err err = ERR_INIT;

	if (t->o->no_mail || !owned || !body)
		return;
	if (mailer_keep(t->s, &m, NULL, &err) < 0)
		log_show_err(LOG_LEVEL_WARNING, &err);
}

/* Once, when it has waited for long. */
static void mail_wait(struct taking *t, int64_t waited_ms)
{
	struct err err = ERR_INIT;
	char waited[32], left[32];

	if (t->is_wait_mailed ||
	        waited_ms < t->s->wait_mail_minutes * 60 * 1000)
		return;
	t->is_wait_mailed = true;
	err_set(&err, -EBUSY,
	        _("the Veeam job %s has waited %s for a backup copy"), t->job,
	        text_duration(waited, waited_ms));
	err_meaning(&err,
	        _("It has not begun. If the copy does not end, it gives up in "
	          "%s."),
	        text_duration(left, t->limit_ms - waited_ms));
	err_action(&err, "%s",
	        _("See how far the copy is: asbackup status; veeam-lock "
	          "--list."));
	send_mail(t,
	        str_printf(_("asbackup: the Veeam job %s waits for a copy"),
	                t->job),
	        &err);
}

static int refused(const struct taking *t, int code)
{
	log_show_err(LOG_LEVEL_ERR, &t->err);
	send_mail(t,
	        str_printf(_("asbackup: no lock for the Veeam job %s"), t->job),
	        &t->err);
	return code;
}

static int failed(struct taking *t)
{
	err_meaning_default(&t->err, "%s",
	        _("The backup copy does not know of this job. If both run at "
	          "the same time, the copy sees it only by the files that "
	          "change."));
	err_action_default(&t->err, "%s",
	        _("See that the disk with the locks can be written to and has "
	          "room (veeam-lockfiles in section [VEEAM]), then start the "
	          "job again."));
	return refused(t, EXITCODE_FAILED);
}

/* --- waiting ----------------------------------------------------------------
 */

/* sshd tells nobody that its client has gone, but closes our output. */
static bool is_heard(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO};

	return poll(&p, 1, 0) <= 0 || !(p.revents & (POLLERR | POLLHUP));
}

/* 0 granted, 1 the time is over, negative errno. */
static int wait_for_copy(struct taking *t)
{
	int64_t told = t->began_ms;

	tell_wait(t);
	for (;;) {
		int64_t now = clock_mono_ms();
		int64_t left = t->began_ms + t->limit_ms - now;
		int r;

		t->is_unheard = !is_heard();
		if (left <= 0 || sig_caught() || t->is_unheard)
			return 1;
		lease_wait(&t->lease, left < INT32_MAX ? (int)left : INT32_MAX);
		r = lease_job_try(&t->lease, &t->rec, &t->err);
		if (r <= 0)
			return r;
		mail_wait(t, now - t->began_ms);
		if (now - told >= TELL_MS) {
			tell_still(t);
			told = now;
		}
	}
}

/* The copy runs, and the job, if it starts, runs beside it. */
static void explain_forced(struct taking *t)
{
	char waited[32];

	if (t->is_unheard) {
		t->limit_code = EXITCODE_FAILED;
		err_set(&t->err, -EPIPE,
		        _("whoever locked for the Veeam job %s has gone while "
		          "a backup copy is running: nobody reads standard "
		          "output any more"),
		        t->job);
		err_action(&t->err, "%s",
		        _("See why the connection, or the script that called "
		          "veeam-lock, ended before the answer. If the job "
		          "does not run, call veeam-unlock for it."));
		return;
	}
	err_set(&t->err, -EBUSY,
	        _("a backup copy is still running after %s: no lock for the "
	          "Veeam job %s"),
	        text_duration(waited, clock_mono_ms() - t->began_ms), t->job);
	err_action(&t->err, "%s",
	        _("Let the job start at another time than the copy, or set "
	          "when-copy-runs = yield in section [VEEAM]. If Veeam does "
	          "not start it, call veeam-unlock for it: until then copies "
	          "wait for it."));
}

/* It is entered in spite of that. */
static void tell_failed(struct taking *t)
{
	err_meaning(&t->err, "%s",
	        _("The Veeam job is entered as running all the same, as far as "
	          "that can be done; no copy begins beside it."));
	log_show_err(LOG_LEVEL_WARNING, &t->err);
}

/* Veeam may start the job whatever we say, so it is entered as one that runs:
 * the copy learns it.  @why is that of wait_for_copy(). */
static int force(struct taking *t, int why)
{
	struct err err = ERR_INIT;
	int sig = sig_caught(), r;
	/* A signal ends a wait for the gate with an error; it is none. */
	bool has_failed = why < 0 && !sig;

	/* It has done its work, and must not disturb what it asks for. */
	sig_reset();
	r = lease_job_force(&t->lease, &t->rec, &err);
	if (r == 0) {
		if (has_failed)
			tell_failed(t);
		return granted(t);
	}
	if (r < 0) {
		if (!has_failed)
			t->err = err;
		return failed(t);
	}
	if (!has_failed)
		explain_forced(t);
	err_meaning(&t->err, "%s",
	        _("If Veeam starts the job all the same, the copy that runs is "
	          "not consistent. It has been told, and copies once more what "
	          "has changed."));
	if (sig)
		return refused(t, EXITCODE_SIGNAL + sig);
	return refused(t, has_failed ? EXITCODE_FAILED : t->limit_code);
}

/* --- all of it --------------------------------------------------------------
 */

static void set_limit(struct taking *t)
{
	int64_t wait = t->o->wait_minutes >= 0 ? t->o->wait_minutes
	                                       : t->s->wait_for_backup_minutes;

	t->limit_code = EXITCODE_BUSY;
	if (wait > t->s->script_limit_minutes) {
		wait = t->s->script_limit_minutes;
		t->limit_code = EXITCODE_FAILED;
	}
	t->limit_ms = wait * 60 * 1000;
}

static void set_record(struct taking *t)
{
	const struct lock_options *o = t->o;

	lockjob_record(&t->rec,
	        3600 * (o->lease_hours ? o->lease_hours : t->s->lease_hours));
	lockjob_from_environment(&t->rec);
	t->rec.remote |= o->remote;
	if (o->job)
		(void)str_copy(t->rec.job, sizeof t->rec.job, o->job);
	if (o->run)
		(void)str_copy(t->rec.run, sizeof t->rec.run, o->run);
	text_visible_str(t->job, sizeof t->job, t->rec.job);
}

static int take(struct taking *t)
{
	_cleanup_free_ char *dir = settings_lock_dir(t->s);
	int r;

	if (!dir) {
		err_nomem(&t->err);
		return failed(t);
	}
	if (lease_open(&t->lease, dir, 3600 * t->s->lease_hours, &t->err) < 0)
		return failed(t);
	r = lease_job_queue(&t->lease, &t->rec, &t->err);
	if (r == 1)
		r = wait_for_copy(t);
	/* Also without a place in the queue: the copy has to learn that. */
	return r == 0 ? granted(t) : force(t, r);
}

int lock_take(const struct lock_options *o, const struct settings *s)
{
	struct taking t = {
	        .o = o,
	        .s = s,
	        .lease = LEASE_INIT,
	        .began_ms = clock_mono_ms(),
	};
	int code;

	t.lease.on_reaped = lockjob_log_reaped;
	set_record(&t);
	set_limit(&t);
	code = take(&t);
	lease_close(&t.lease);
	return code;
}

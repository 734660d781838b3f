/* SPDX-License-Identifier: MIT */
#include "core/claim.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "i18n.h"
#include "lockfile.h"
#include "notify.h"
#include "sig.h"
#include "util.h"
#include "core/jobs.h"

/* How often to look where the kernel cannot tell. */
#define LOOK_AGAIN_MS 5000

struct claim {
	struct jobs *jobs;
	struct lease lease;
	struct lease_record self;
	int fd; /* the lock; -1 = not taken */
};

int claim_open(
        const struct claim_spec *spec, struct claim **ret, struct err *err)
{
	struct claim *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return err_nomem(err);
	c->fd = -1;
	c->self = *spec->self;
	c->lease = LEASE_INIT;
	c->lease.on_reaped = spec->on_reaped;
	c->lease.arg = spec->arg;
	r = jobs_open(spec->old_dirs, &c->jobs, err);
	if (r == 0)
		r = lease_open(&c->lease, spec->lock_dir, spec->lease_s, err);
	if (r < 0) {
		claim_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

void claim_close(struct claim *c)
{
	if (!c)
		return;
	claim_release(c);
	lease_close(&c->lease);
	jobs_free(c->jobs);
	free(c);
}

int claim_fd(const struct claim *c)
{
	return c ? c->fd : -1;
}

void claim_release(struct claim *c)
{
	if (!c)
		return;
	c->lease.copy_fd = -1;
	util_closep(&c->fd);
}

/* --- waiting ----------------------------------------------------------------
 */

/* For those who ask who holds it. */
static void note_self(struct claim *c)
{
	_cleanup_buf_ struct buf b = BUF_INIT;

	c->self.taken = clock_real_s();
	c->self.taken_boot_ms = clock_boot_ms();
	lease_record_format(&b, &c->self);
	if (!buf_failed(&b))
		(void)lockfile_note(c->fd, b.data);
}

/* 0: it is ours; 1: not yet, for @names. */
static int attempt(struct claim *c, struct strv *names, struct err *err)
{
	int r = jobs_list(c->jobs, names, err);

	if (r < 0 || names->len > 0)
		return r < 0 ? r : 1;
	r = lease_copy_try(&c->lease, &c->fd, names, err);
	if (r != 0)
		return r;
	/* An old lock file comes without asking: what is there now counts as
	 * before us, what comes later as an overlap. */
	r = jobs_mark(c->jobs, err);
	if (r == 0)
		r = jobs_list(c->jobs, names, err);
	if (r == 0 && names->len == 0) {
		note_self(c);
		return 0;
	}
	claim_release(c);
	if (r == 0)
		r = lease_copy_queue(&c->lease, &c->self, err);
	return r < 0 ? r : 1;
}

static void wait_change(struct claim *c, int64_t timeout_ms)
{
	struct pollfd fds[3] = {
	        {.fd = jobs_fd(c->jobs), .events = POLLIN},
	        {.fd = lease_fd(&c->lease), .events = POLLIN},
	        {.fd = sig_fd(), .events = POLLIN},
	};
	int ms = timeout_ms < LOOK_AGAIN_MS ? (int)timeout_ms : LOOK_AGAIN_MS;

	notify_watchdog();
	(void)poll(fds, ARRAY_SIZE(fds), ms);
	jobs_drain(c->jobs);
	lease_wait(&c->lease, 0);
}

static bool same_names(const struct strv *a, const struct strv *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (!strv_has(b, a->items[i]))
			return false;
	return true;
}

/* Why the wait is over although nothing is free; 0: it is not. */
static int give_up(const struct claim *c, const struct claim_wait *w,
        const struct strv *names, int64_t left, struct err *err)
{
	if (names->len == 0 && lease_is_copying(&c->lease))
		return err_set(err, -EWOULDBLOCK, "%s",
		        _("rsync of an earlier run is still at work"));
	if (sig_caught())
		return err_set(err, -EINTR, "%s",
		        _("the wait for Veeam was interrupted"));
	if (left <= 0 && names->len == 0)
		return err_set(
		        err, -ETIMEDOUT, "%s", _("another copy comes first"));
	if (left <= 0)
		return err_set(err, -ETIMEDOUT,
		        _("Veeam jobs are still running: %s"), names->items[0]);
	if (w->on_look && w->on_look(w->arg) != 0)
		return err_set(err, -ECANCELED, "%s",
		        _("the wait for Veeam was given up"));
	return 0;
}

static int wait_for_turn(
        struct claim *c, const struct claim_wait *w, struct err *err)
{
	int64_t deadline = clock_mono_ms() + w->limit_ms;
	_cleanup_strv_ struct strv shown = STRV_INIT;

	for (;;) {
		_cleanup_strv_ struct strv names = STRV_INIT;
		int64_t left = deadline - clock_mono_ms();
		int r = attempt(c, &names, err);

		if (r <= 0)
			return r;
		if (w->on_wait && names.len > 0 && !same_names(&names, &shown))
			w->on_wait(&names, w->arg);
		r = give_up(c, w, &names, left, err);
		if (r < 0)
			return r;
		wait_change(c, left);
		strv_done(&shown);
		shown = names;
		names = STRV_INIT;
	}
}

int claim_take(struct claim *c, const struct claim_wait *wait, struct err *err)
{
	int r;

	claim_release(c);
	r = lease_copy_queue(&c->lease, &c->self, err);
	if (r == 0)
		r = wait_for_turn(c, wait, err);
	lease_leave_queue(&c->lease);
	return r;
}

/* --- while it is ours -------------------------------------------------------
 */

int claim_waiting(struct claim *c, struct strv *ret, struct err *err)
{
	return lease_copy_waiting(&c->lease, ret, err);
}

int claim_overlap(struct claim *c, char *ret_name, struct err *err)
{
	_cleanup_strv_ struct strv names = STRV_INIT;
	int r = jobs_overlap(c->jobs, ret_name, err);

	if (r != 0)
		return r;
	r = lease_copy_verdict(&c->lease, &names, err);
	if (r > 0)
		(void)str_copy(
		        ret_name, 256, names.len > 0 ? names.items[0] : "?");
	return r;
}

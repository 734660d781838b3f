/* SPDX-License-Identifier: MIT */
/* lease_job: a job's side, steps V1 to V4 and U of lease.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "i18n.h"
#include "str.h"
#include "util.h"
#include "core/lease_internal.h"

/* --- V1 to V3 ---------------------------------------------------------------
 */

static int is_older_copy(const struct ticket_entry *e, void *arg)
{
	const struct ticket *mine = arg;

	return e->kind == TICKET_COPY && e->is_alive &&
	       (mine->fd < 0 || e->place < mine->place);
}

/* What the job's lease tells that is there already. */
enum earlier {
	EARLIER_NONE,
	EARLIER_SAME,    /* of this very run: a renewal */
	EARLIER_OTHER,   /* of another run */
	EARLIER_UNKNOWN, /* of a run that is not known, as perhaps ours */
};

static enum earlier look_earlier(
        const struct lease *l, const struct lease_record *rec)
{
	struct lease_record old;
	char name[LEASE_NAME_MAX];

	if (lease_file_read(l->dir.lease_fd, lease_record_name(name, rec->job),
	            &old) < 0)
		return EARLIER_NONE;
	if (!rec->run[0] || !old.run[0])
		return EARLIER_UNKNOWN;
	return str_eq(old.run, rec->run) ? EARLIER_SAME : EARLIER_OTHER;
}

/* 1: not now. */
static int is_blocked(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	if (lease_is_copying(l))
		return 1;
	/* A copy that waits for this very lease would wait for us, and we for
	 * it. */
	if (look_earlier(l, rec) == EARLIER_SAME)
		return 0;
	return ticket_each(l->dir.queue_fd, is_older_copy, &l->ticket, err);
}

static void tell_superseded(struct lease *l, const struct lease_record *rec)
{
	if (l->on_reaped)
		l->on_reaped(rec->job, LEASE_SUPERSEDED, l->arg);
}

/* The earlier run is over, or this one would not begin.  A copy that waits for
 * it need not wait any longer. */
static int supersede(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	char name[LEASE_NAME_MAX];

	if (look_earlier(l, rec) != EARLIER_OTHER)
		return 0;
	(void)lease_record_name(name, rec->job);
	if (unlinkat(l->dir.lease_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, -errno,
		        _("cannot remove the lease of the job %s"), rec->job);
	tell_superseded(l, rec);
	return 0;
}

/* The ticket goes when the lease is safely on the disk, not before. */
static int grant(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	enum earlier earlier = look_earlier(l, rec);
	int r = lease_file_write(l, rec, err);

	if (r < 0)
		return r;
	if (earlier == EARLIER_OTHER || earlier == EARLIER_UNKNOWN)
		tell_superseded(l, rec);
	ticket_drop(l->dir.queue_fd, &l->ticket);
	return 0;
}

/* Under the gate. 0 granted, 1 not now. */
static int decide(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	int r = lease_reap_queue(l, err);

	if (r == 0)
		r = is_blocked(l, rec, err);
	return r == 0 ? grant(l, rec, err) : r;
}

int lease_job_queue(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	_cleanup_close_ int gate = lockdir_enter(&l->dir, err);
	struct lease_record waiting = *rec;
	int r;

	if (gate < 0)
		return gate;
	r = decide(l, rec, err);
	if (r != 1)
		return r;
	/* What becomes of the ticket when we are killed. */
	waiting.forced = true;
	r = ticket_take(l->dir.queue_fd, TICKET_JOB, &waiting, &l->ticket, err);
	/* Not before the ticket is there: one of them always tells of the job.
	 */
	if (r == 0)
		r = supersede(l, rec, err);
	return r < 0 ? r : 1;
}

int lease_job_try(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	_cleanup_close_ int gate = lockdir_enter(&l->dir, err);

	return gate < 0 ? gate : decide(l, rec, err);
}

bool lease_job_is_held(const struct lease *l, const char *job)
{
	char name[LEASE_NAME_MAX];

	return faccessat(l->dir.lease_fd, lease_record_name(name, job), F_OK,
	               AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- V4 ---------------------------------------------------------------------
 */

/* Without room for a lease the ticket becomes it, by its name. */
static bool ticket_is_lease(struct lease *l, const struct lease_record *rec)
{
	char name[LEASE_NAME_MAX];

	if (l->ticket.fd < 0 ||
	        renameat(l->dir.queue_fd, l->ticket.name, l->dir.lease_fd,
	                lease_record_name(name, rec->job)) < 0)
		return false;
	util_closep(&l->ticket.fd);
	(void)fsync(l->dir.lease_fd);
	return true;
}

/* A name needs no room where a text does; and the lease of this very run says
 * more than an empty one. */
static int write_lease(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	int r = grant(l, rec, err);

	if (r == 0 || ticket_is_lease(l, rec) ||
	        look_earlier(l, rec) == EARLIER_SAME ||
	        lease_file_mark(l, rec->job) == 0)
		return 0;
	return r;
}

int lease_job_force(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	_cleanup_close_ int gate = lockdir_enter(&l->dir, err);
	struct lease_record lease = *rec;
	int r = 0;

	/* Even if nobody can enter the gate: it only makes a copy unclean. */
	lease.forced = gate < 0 || lease_is_copying(l);
	if (lease.forced)
		r = lease_taint(l, err);
	if (gate < 0)
		r = gate;
	/* V1 may not have come so far: a dead ticket of an earlier run would
	 * replace the lease later. */
	if (r == 0)
		r = lease_reap_queue(l, err);
	if (r == 0)
		r = write_lease(l, &lease, err);
	if (r == 0)
		return lease.forced;
	/* The job runs all the same: left behind without its lock, the ticket
	 * is that of a killed script, and whoever comes next reaps it. */
	util_closep(&l->ticket.fd);
	return r;
}

/* --- U ----------------------------------------------------------------------
 */

int lease_release(
        struct lease *l, const char *job, const char *run, struct err *err)
{
	_cleanup_close_ int gate = lockdir_enter(&l->dir, err);
	struct lease_record rec;
	char name[LEASE_NAME_MAX];
	int r;

	if (gate < 0)
		return gate;
	/* If its pre-job script was killed, the copy has to learn that. */
	r = lease_reap_queue(l, err);
	if (r < 0)
		return r;
	r = lease_file_read(
	        l->dir.lease_fd, lease_record_name(name, job), &rec);
	if (r == -ENOENT)
		return LEASE_NOT_THERE;
	/* With a run it may be that of another. */
	if (r < 0 && r != -EBADMSG && run[0])
		return err_sys(
		        err, r, _("cannot read the lease of the job %s"), job);
	if (r == 0 && run[0] && rec.run[0] && !str_eq(rec.run, run))
		return LEASE_NEWER_RUN;
	if (unlinkat(l->dir.lease_fd, name, 0) < 0)
		return err_sys(err, -errno,
		        _("cannot remove the lease of the job %s"), job);
	(void)fsync(l->dir.lease_fd);
	return r == 0 && rec.forced ? LEASE_RELEASED_FORCED : LEASE_RELEASED;
}

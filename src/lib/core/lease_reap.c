/* SPDX-License-Identifier: MIT */
/* lease_reap: what nobody stands behind any more. Under the gate only. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "i18n.h"
#include "str.h"
#include "util.h"
#include "core/lease_internal.h"

static void told(struct lease *l, const char *job, enum lease_verdict why)
{
	if (l->on_reaped)
		l->on_reaped(job, why, l->arg);
}

/* --- the queue --------------------------------------------------------------
 */

int lease_taint(const struct lease *l, struct err *err)
{
	if (unlinkat(l->dir.fd, "untouched", 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(err, -errno, _("cannot remove %s/%s"), l->dir.path,
	        "untouched");
}

/* A ticket's text is that of a lease, so that one rename does it, also on a
 * full disk. */
static int ticket_to_lease(
        struct lease *l, const struct ticket_entry *e, struct err *err)
{
	struct lease_record rec;
	char name[LEASE_NAME_MAX];

	/* Whose job it is nobody knows then; it is one all the same. */
	if (lease_file_read(l->dir.queue_fd, e->name, &rec) < 0)
		(void)str_copy(rec.job, sizeof rec.job, e->name);
	(void)lease_record_name(name, rec.job);
	if (renameat(l->dir.queue_fd, e->name, l->dir.lease_fd, name) < 0)
		return err_sys(err, -errno,
		        _("cannot make the lease of the job %s"), rec.job);
	(void)fsync(l->dir.lease_fd);
	told(l, rec.job, LEASE_LIVE);
	return 0;
}

static int drop_copy(
        struct lease *l, const struct ticket_entry *e, struct err *err)
{
	if (unlinkat(l->dir.queue_fd, e->name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(
	        err, -errno, _("cannot clear %s/%s"), l->dir.path, "queue");
}

struct reaping {
	struct lease *l;
	struct err *err;
};

static int reap_ticket(const struct ticket_entry *e, void *arg)
{
	struct reaping *a = arg;
	int r;

	if (e->is_alive)
		return 0;
	if (e->kind == TICKET_COPY)
		return drop_copy(a->l, e, a->err);
	/* First: afterwards nothing tells of it any more. */
	r = lease_taint(a->l, a->err);
	return r < 0 ? r : ticket_to_lease(a->l, e, a->err);
}

int lease_reap_queue(struct lease *l, struct err *err)
{
	struct reaping a = {.l = l, .err = err};

	lockdir_clear_away(l->dir.queue_fd);
	return ticket_each(l->dir.queue_fd, reap_ticket, &a, err);
}

/* --- the leases -------------------------------------------------------------
 */

static int move_away(struct lease *l, const char *name, struct err *err)
{
	char to[300];

	/* A number in front: the same job may have been there before. */
	(void)snprintf(to, sizeof to, "%lld.%.230s",
	        (long long)(clock_real_ns() / 1000), name);
	if (renameat(l->dir.lease_fd, name, l->dir.stale_fd, to) == 0 ||
	        errno == ENOENT)
		return 0;
	/* No room for a name: it is only for people. */
	if (unlinkat(l->dir.lease_fd, name, 0) == 0)
		return 0;
	return err_sys(err, -errno, _("cannot remove the lease %s"), name);
}

static int reap_lease(const struct lease_entry *e, const char *name, void *arg)
{
	struct reaping *a = arg;
	int r;

	/* The clock was put back: its time begins now, so that it has an end.
	 */
	if (!e->is_readable && e->record.taken > clock_real_s())
		(void)utimensat(
		        a->l->dir.lease_fd, name, NULL, AT_SYMLINK_NOFOLLOW);
	if (e->verdict == LEASE_LIVE)
		return 0;
	r = move_away(a->l, name, a->err);
	if (r == 0)
		told(a->l, e->record.job, e->verdict);
	return r;
}

int lease_reap(struct lease *l, struct err *err)
{
	struct reaping a = {.l = l, .err = err};
	int r = lease_reap_queue(l, err);

	lockdir_clear_away(l->dir.lease_fd);
	return r < 0 ? r : lease_file_each(l, reap_lease, &a, err);
}

/* SPDX-License-Identifier: MIT */
/* lease_copy: the copy's side, steps C1 to C4 of lease.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "i18n.h"
#include "lockfile.h"
#include "path.h"
#include "str.h"
#include "util.h"
#include "core/lease_internal.h"

int lease_copy_queue(
        struct lease *l, const struct lease_record *rec, struct err *err)
{
	_cleanup_close_ int gate = -1;
	int r;

	/* Before the first look, so that nothing is missed after it. */
	(void)lease_fd(l);
	gate = lockdir_enter(&l->dir, err);
	if (gate < 0)
		return gate;
	r = lease_reap(l, err);
	if (r == 0)
		r = ticket_take(
		        l->dir.queue_fd, TICKET_COPY, rec, &l->ticket, err);
	if (r != -ENOSPC)
		return r;
	/* Without a place it comes after everybody who has one. */
	if (err)
		*err = ERR_INIT;
	l->ticket.place = UINT64_MAX;
	return 0;
}

/* --- C2 ---------------------------------------------------------------------
 */

struct blockers {
	const struct lease *l;
	struct strv *jobs;
	bool any;
};

static int add_job(struct blockers *b, const char *job)
{
	b->any = true;
	return strv_has(b->jobs, job) ? 0 : strv_add(b->jobs, job);
}

static int add_lease(const struct lease_entry *e, const char *name, void *arg)
{
	(void)name;
	return add_job(arg, e->record.job);
}

static int add_waiting_job(struct blockers *b, const struct ticket_entry *e)
{
	struct lease_record rec;
	int r = lease_file_read(b->l->dir.queue_fd, e->name, &rec);

	if (r == -ENOENT)
		return 0; /* it waits no more */
	return add_job(b, r == 0 ? rec.job : "?");
}

static int add_ticket(const struct ticket_entry *e, void *arg)
{
	struct blockers *b = arg;

	if (!e->is_alive || e->place >= b->l->ticket.place)
		return 0;
	if (e->kind == TICKET_JOB)
		return add_waiting_job(b, e);
	b->any = true;
	return 0;
}

/* 1: somebody comes first. */
static int find_blockers(
        const struct lease *l, struct strv *ret_jobs, struct err *err)
{
	struct blockers b = {.l = l, .jobs = ret_jobs};
	int r = lease_file_each(l, add_lease, &b, err);

	if (r == 0)
		r = ticket_each(l->dir.queue_fd, add_ticket, &b, err);
	if (r == -ENOMEM)
		return err_nomem(err);
	return r < 0 ? r : b.any;
}

static int make_untouched(struct lease *l, struct err *err)
{
	int r = lease_taint(l, err); /* of the copy before */

	if (r < 0)
		return r;
	util_closep(&l->untouched_fd);
	l->untouched_fd = openat(l->dir.fd, "untouched",
	        O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (l->untouched_fd < 0)
		return err_sys(err, -errno, _("cannot make %s/%s"), l->dir.path,
		        "untouched");
	return 0;
}

int lease_copy_try(
        struct lease *l, int *ret_fd, struct strv *ret_jobs, struct err *err)
{
	_cleanup_close_ int gate = lockdir_enter(&l->dir, err);
	_cleanup_close_ int fd = -1;
	int r;

	if (gate < 0)
		return gate;
	r = lease_reap(l, err);
	if (r == 0)
		r = find_blockers(l, ret_jobs, err);
	if (r != 0)
		return r;
	/* Looked at first: opening it for writing would wake all others. */
	if (lease_is_copying(l))
		return 1;
	fd = lockfile_take(l->dir.fd, "copy", NULL, err);
	if (fd < 0)
		return fd == -EWOULDBLOCK ? 1 : fd;
	r = make_untouched(l, err);
	if (r < 0)
		return r;
	ticket_drop(l->dir.queue_fd, &l->ticket);
	l->copy_fd = fd;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* --- C3, C4 -----------------------------------------------------------------
 */

static int add_waiting(const struct ticket_entry *e, void *arg)
{
	if (e->kind != TICKET_JOB || !e->is_alive)
		return 0;
	return add_waiting_job(arg, e);
}

int lease_copy_waiting(struct lease *l, struct strv *ret_jobs, struct err *err)
{
	struct blockers b = {.l = l, .jobs = ret_jobs};
	int r = ticket_each(l->dir.queue_fd, add_waiting, &b, err);

	return r == -ENOMEM ? err_nomem(err) : r;
}

int lease_copy_verdict(struct lease *l, struct strv *ret_jobs, struct err *err)
{
	struct blockers b = {.l = l, .jobs = ret_jobs};
	_cleanup_close_ int gate = lockdir_enter(&l->dir, err);
	int r;

	if (gate < 0)
		return gate;
	r = lease_reap(l, err);
	/* There was none when the lock was taken. */
	if (r == 0)
		r = lease_file_each(l, add_lease, &b, err);
	if (r < 0)
		return r == -ENOMEM ? err_nomem(err) : r;
	return b.any || !path_names(l->copy_fd, l->dir.fd, "copy") ||
	       !path_names(l->untouched_fd, l->dir.fd, "untouched");
}

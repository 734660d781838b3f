/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "i18n.h"
#include "lockfile.h"
#include "sig.h"
#include "str.h"
#include "util.h"
#include "core/clocksync.h"
#include "core/lease_internal.h"

/* How often to look where the kernel does not tell. */
#define LOOK_AGAIN_MS 5000
/* The kernel tells of a close(2), and then frees its lock: whoever was faster
 * saw it held, and hears nothing more. */
#define WOKEN_AGAIN_MS 20

/* --- waiting ----------------------------------------------------------------
 */

static bool watch(struct lease *l, int dir_fd, const char *name, uint32_t mask)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dir_fd, name);
	return inotify_add_watch(l->inotify_fd, path, mask) >= 0;
}

/* What becomes free, and nothing else: a waiter that looked would wake all
 * others, and they him.  (The queue and the copy's lock are looked at by
 * read-only descriptors, whose end is no IN_CLOSE_WRITE.) */
static void begin_watching(struct lease *l)
{
	l->is_watching = true;
	l->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (l->inotify_fd >= 0 &&
	        watch(l, l->dir.fd, "copy", IN_CLOSE_WRITE | IN_DELETE_SELF) &&
	        watch(l, l->dir.lease_fd, ".", IN_DELETE | IN_MOVED_FROM) &&
	        watch(l, l->dir.queue_fd, ".",
	                IN_DELETE | IN_MOVED_FROM | IN_CLOSE_WRITE))
		return;
	util_closep(&l->inotify_fd); /* LOOK_AGAIN_MS has to do */
}

void lease_wait(struct lease *l, int timeout_ms)
{
	struct pollfd fds[2] = {
	        {.fd = l->inotify_fd, .events = POLLIN},
	        {.fd = sig_fd(), .events = POLLIN},
	};
	char buf[8192];
	int longest = l->was_woken ? WOKEN_AGAIN_MS : LOOK_AGAIN_MS;

	/* What happened before is seen by who looks once more, at once. */
	if (!l->is_watching) {
		begin_watching(l);
		return;
	}
	if (timeout_ms > longest)
		timeout_ms = longest;
	/* A deadline that is over: poll(2) would wait for ever. */
	if (timeout_ms < 0)
		timeout_ms = 0;
	l->was_woken = poll(fds, 2, timeout_ms) > 0 && fds[0].revents != 0;
	while (l->inotify_fd >= 0 && read(l->inotify_fd, buf, sizeof buf) > 0)
		continue;
}

/* --- opening ----------------------------------------------------------------
 */

int lease_open(
        struct lease *l, const char *path, int64_t ttl_s, struct err *err)
{
	l->ttl_s = ttl_s;
	clocksync_ask(); /* before anybody asks in the gate */
	return lockdir_open(&l->dir, path, err);
}

int lease_open_existing(
        struct lease *l, const char *path, int64_t ttl_s, struct err *err)
{
	l->ttl_s = ttl_s;
	clocksync_ask(); /* before anybody asks in the gate */
	return lockdir_open_existing(&l->dir, path, err);
}

void lease_leave_queue(struct lease *l)
{
	ticket_drop(l->dir.queue_fd, &l->ticket);
}

int lease_fd(struct lease *l)
{
	if (!l->is_watching)
		begin_watching(l);
	return l->inotify_fd;
}

void lease_close(struct lease *l)
{
	lease_leave_queue(l);
	util_closep(&l->untouched_fd);
	util_closep(&l->inotify_fd);
	l->is_watching = false;
	lockdir_close(&l->dir);
}

/* --- for people -------------------------------------------------------------
 */

bool lease_is_copying(const struct lease *l)
{
	return lockfile_is_held(l->dir.fd, "copy");
}

int lease_copy_holder(const struct lease *l, struct lease_record *ret)
{
	return lease_file_read(l->dir.fd, "copy", ret);
}

struct listing {
	struct lease *l;
	int (*fn)(const struct lease_entry *e, void *arg);
	void *arg;
};

static int list_lease(const struct lease_entry *e, const char *name, void *arg)
{
	struct listing *a = arg;

	(void)name;
	return a->fn(e, a->arg);
}

static int list_ticket(const struct ticket_entry *t, void *arg)
{
	struct listing *a = arg;
	struct lease_entry e = {
	        .kind = t->kind == TICKET_COPY ? LEASE_ENTRY_COPY
	                                       : LEASE_ENTRY_JOB,
	        .is_alive = t->is_alive,
	        .place = t->place,
	};
	int r = lease_file_read(a->l->dir.queue_fd, t->name, &e.record);

	if (r == -ENOENT)
		return 0;
	e.is_readable = r == 0;
	return a->fn(&e, a->arg);
}

int lease_list(struct lease *l,
        int (*fn)(const struct lease_entry *e, void *arg), void *arg,
        struct err *err)
{
	struct listing a = {.l = l, .fn = fn, .arg = arg};
	/* In this order: a ticket becomes a lease, never the other way round.
	 */
	int r = ticket_each(l->dir.queue_fd, list_ticket, &a, err);

	return r != 0 ? r : lease_file_each(l, list_lease, &a, err);
}

int lease_clean(struct lease *l, struct err *err)
{
	_cleanup_close_ int gate = lockdir_enter(&l->dir, err);

	return gate < 0 ? gate : lease_reap(l, err);
}

/* SPDX-License-Identifier: MIT */
#include "core/ticket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomicfile.h"
#include "buf.h"
#include "i18n.h"
#include "num.h"
#include "path.h"
#include "str.h"
#include "util.h"
#include "core/lease_record.h"

/* "00000000000000000001.j.0123456789abcdef" */
#define PLACE_DIGITS 20
#define NAME_LEN (PLACE_DIGITS + 3 + 16)

/* --- names ------------------------------------------------------------------
 */

static bool parse_name(const char *name, struct ticket_entry *e)
{
	const char *digits = name;
	char place[PLACE_DIGITS + 1];

	if (strlen(name) != NAME_LEN || name[PLACE_DIGITS] != '.' ||
	        name[PLACE_DIGITS + 2] != '.')
		return false;
	memcpy(place, name, PLACE_DIGITS);
	place[PLACE_DIGITS] = '\0';
	while (*digits == '0' && digits < name + PLACE_DIGITS - 1)
		digits++;
	if (num_parse_u64(place + (digits - name), UINT64_MAX - 1, &e->place) <
	        0)
		return false;
	e->kind =
	        name[PLACE_DIGITS + 1] == TICKET_JOB ? TICKET_JOB : TICKET_COPY;
	if (name[PLACE_DIGITS + 1] != (char)e->kind)
		return false;
	(void)str_copy(e->name, sizeof e->name, name);
	return true;
}

static uint64_t nonce(void)
{
	uint64_t n;

	if (getrandom(&n, sizeof n, 0) != (ssize_t)sizeof n)
		n = (uint64_t)getpid();
	return n;
}

/* --- reading the queue ------------------------------------------------------
 */

/* Its lock is taken before it gets its name.  What cannot be found out counts
 * as alive: nobody's place is taken away for want of descriptors.  -ENOENT:
 * whoever waited has given up meanwhile, which needs no gate. */
static int look(int queue_fd, const char *name, bool *ret_is_alive)
{
	_cleanup_close_ int fd = openat(
	        queue_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	*ret_is_alive = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0;
	/* The file goes first, then the lock: see ticket_drop(). */
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0 ? -ENOENT : 0;
}

struct entries {
	struct ticket_entry *items;
	size_t len, size;
};

static int add_entry(struct entries *v, const struct ticket_entry *e)
{
	if (v->len == v->size) {
		size_t size = v->size ? v->size * 2 : 16;
		struct ticket_entry *p =
		        reallocarray(v->items, size, sizeof *p);

		if (!p)
			return -ENOMEM;
		v->items = p;
		v->size = size;
	}
	v->items[v->len++] = *e;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct ticket_entry *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

static int read_queue(int queue_fd, struct entries *ret, struct err *err)
{
	_cleanup_closedir_ DIR *dir = path_open_dir(queue_fd);
	struct dirent *de;

	if (!dir)
		return err_sys(err, -errno, "%s",
		        _("cannot read the queue of the locks"));
	while (errno = 0, (de = readdir(dir))) {
		struct ticket_entry e;

		if (parse_name(de->d_name, &e) && add_entry(ret, &e) < 0)
			return err_nomem(err);
	}
	if (errno != 0)
		return err_sys(err, -errno, "%s",
		        _("cannot read the queue of the locks"));
	if (ret->len > 1)
		qsort(ret->items, ret->len, sizeof *ret->items, by_place);
	return 0;
}

int ticket_each(int queue_fd,
        int (*fn)(const struct ticket_entry *e, void *arg), void *arg,
        struct err *err)
{
	struct entries v = {.len = 0};
	int r = read_queue(queue_fd, &v, err);

	for (size_t i = 0; i < v.len && r == 0; i++) {
		struct ticket_entry *e = &v.items[i];

		if (look(queue_fd, e->name, &e->is_alive) != -ENOENT)
			r = fn(e, arg);
	}
	free(v.items);
	return r;
}

/* --- taking one -------------------------------------------------------------
 */

static int write_record(int fd, const struct lease_record *rec)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	int r;

	lease_record_format(&b, rec);
	if (buf_failed(&b))
		return -ENOMEM;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	r = atomicfile_write_all(fd, b.data, b.len);
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	return r;
}

static int last_place(int queue_fd, uint64_t *ret, struct err *err)
{
	struct entries v = {.len = 0};
	int r = read_queue(queue_fd, &v, err);

	*ret = v.len > 0 ? v.items[v.len - 1].place : 0;
	free(v.items);
	return r;
}

int ticket_take(int queue_fd, enum ticket_kind kind,
        const struct lease_record *rec, struct ticket *ret, struct err *err)
{
	uint64_t id = nonce();
	char temp[32];
	int r;

	*ret = TICKET_INIT;
	r = last_place(queue_fd, &ret->place, err);
	if (r < 0)
		return r;
	ret->place++;
	(void)snprintf(temp, sizeof temp, ".%016" PRIx64, id);
	(void)snprintf(ret->name, sizeof ret->name,
	        "%0*" PRIu64 ".%c.%016" PRIx64, PLACE_DIGITS, ret->place,
	        (char)kind, id);
	ret->fd = openat(queue_fd, temp,
	        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ret->fd < 0)
		return err_sys(err, -errno, "%s", _("cannot join the queue"));
	r = write_record(ret->fd, rec);
	if (r == 0 && renameat(queue_fd, temp, queue_fd, ret->name) < 0)
		r = -errno;
	/* A job elsewhere goes on when the power fails here: its ticket has to
	 * be there afterwards. */
	if (r == 0 && fsync(queue_fd) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	(void)unlinkat(queue_fd, temp, 0);
	(void)unlinkat(queue_fd, ret->name, 0);
	util_closep(&ret->fd);
	return err_sys(err, r, "%s", _("cannot join the queue"));
}

void ticket_drop(int queue_fd, struct ticket *t)
{
	if (t->fd < 0)
		return;
	(void)unlinkat(queue_fd, t->name, 0);
	util_closep(&t->fd);
}

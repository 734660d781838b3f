/* SPDX-License-Identifier: MIT */
#include "core/readback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "i18n.h"
#include "idle.h"
#include "path.h"
#include "proc.h"
#include "util.h"
#include "core/manifest.h"
#include "core/target.h"
#include "core/target_driver.h"

/* What the child tells, in memory that both see: it needs no pipe and shows
 * how far it is even when it hangs. */
struct shared {
	uint64_t bytes_read; /* now */
	uint64_t before;     /* of the files before the one in work */
	uint64_t files;      /* that are done: small ones tell no bytes */
	struct {
		struct hash128 hash;
		enum readback_verdict verdict;
	} results[];
};

struct job {
	struct readback *b;
	const struct target *t;
	struct shared *shared;
	struct idle idle;
	bool hangs;
	int (*on_tick)(void *arg);
	void *arg;
};

int readback_collect_all(const struct manifest_file *file, void *arg)
{
	struct readback *b = arg;
	struct readback_item *item;

	if (b->len == b->capacity) {
		size_t n = b->capacity ? b->capacity * 2 : 64;
		struct readback_item *p = reallocarray(b->items, n, sizeof *p);

		if (!p)
			return -ENOMEM;
		b->items = p;
		b->capacity = n;
	}
	item = &b->items[b->len];
	*item = (struct readback_item){
	        .path = strdup(file->path),
	        .size = file->size,
	        .has_hash = file->has_hash,
	        .hash = file->hash,
	};
	if (!item->path)
		return -ENOMEM;
	b->len++;
	b->bytes += file->size;
	return 0;
}

int readback_collect(const struct manifest_file *file, void *arg)
{
	struct readback *b = arg;
	int r = readback_collect_all(file, b);

	if (r < 0)
		return r;
	b->more = b->len >= READBACK_FILES || b->bytes >= READBACK_BYTES;
	return b->more;
}

static int count_bytes(uint64_t bytes, void *arg)
{
	struct shared *shared = arg;

	__atomic_store_n(
	        &shared->bytes_read, shared->before + bytes, __ATOMIC_RELAXED);
	return 0;
}

/* @size: as read; the file may have changed after fstat(). */
static enum readback_verdict compare(
        const struct readback_item *item, uint64_t size, struct hash128 hash)
{
	if (size != item->size)
		return READBACK_CHANGED;
	if (!item->has_hash)
		return READBACK_NO_HASH;
	return hash_equal(hash, item->hash) ? READBACK_SAME : READBACK_OTHER;
}

static enum readback_verdict read_item(const struct job *job,
        const struct readback_item *item, struct hash128 *ret)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	uint64_t size;
	int r;

	fd = path_open_beneath(job->t->dest_fd, item->path,
	        O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
		return READBACK_MISSING;
	if (fd < 0 || fstat(fd, &st) < 0)
		return READBACK_ERROR;
	if (!S_ISREG(st.st_mode))
		return READBACK_MISSING;
	if ((uint64_t)st.st_size != item->size)
		return READBACK_CHANGED;
	r = hash_file(fd, true, count_bytes, job->shared, ret, &size);
	/* That is our fault, not the disk's. */
	if (r == -ENOMEM)
		return READBACK_NOT_READ;
	if (r < 0)
		return READBACK_ERROR;
	return compare(item, size, *ret);
}

static int read_task(void *arg, void *reply, struct err *err)
{
	struct job *job = arg;

	(void)reply;
	target_driver_forget(job->t);
	for (size_t i = 0; i < job->b->len; i++) {
		struct hash128 hash = {0, 0};
		enum readback_verdict v;

		job->shared->before = job->shared->bytes_read;
		v = read_item(job, &job->b->items[i], &hash);
		if (v == READBACK_NOT_READ)
			return err_nomem(err);
		job->shared->results[i].hash = hash;
		job->shared->results[i].verdict = v;
		__atomic_add_fetch(&job->shared->files, 1, __ATOMIC_RELEASE);
	}
	return 0;
}

static int tick(void *arg)
{
	struct job *job = arg;
	uint64_t bytes, files;

	bytes = __atomic_load_n(&job->shared->bytes_read, __ATOMIC_RELAXED);
	files = __atomic_load_n(&job->shared->files, __ATOMIC_RELAXED);
	job->b->bytes_read = bytes;
	if (idle_too_long(&job->idle, bytes + files)) {
		job->hangs = true;
		return -ETIMEDOUT;
	}
	return job->on_tick ? job->on_tick(job->arg) : 0;
}

static void take_results(struct readback *b, const struct shared *shared)
{
	b->bytes_read = shared->bytes_read;
	for (size_t i = 0; i < b->len; i++) {
		b->items[i].verdict = shared->results[i].verdict;
		if (b->items[i].verdict == READBACK_NO_HASH)
			b->items[i].hash = shared->results[i].hash;
	}
}

static int give_up(const struct job *job, struct err *err)
{
	err_set(err, -ETIMEDOUT, _("the disk %s does not answer"),
	        job->t->disk.device);
	err_action(err, "%s",
	        _("Unplug the disk, try another cable or port, then another "
	          "disk."));
	return -ETIMEDOUT;
}

int readback_read(struct readback *b, const struct target *t,
        int64_t idle_timeout_s, int (*on_tick)(void *arg), void *arg,
        struct err *err)
{
	struct job job = {
	        .b = b,
	        .t = t,
	        .on_tick = on_tick,
	        .arg = arg,
	};
	struct proc_task task = {
	        .name = "read back",
	        .fn = read_task,
	        .arg = &job,
	        .tick_ms = 500,
	        .on_tick = tick,
	        .tick_arg = &job,
	};
	size_t size =
	        sizeof *job.shared + b->len * sizeof job.shared->results[0];
	int r;

	if (b->len == 0)
		return 0;
	job.shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
	        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job.shared == MAP_FAILED)
		return err_nomem(err);
	idle_start(&job.idle, idle_timeout_s);
	r = proc_task(&task, err);
	take_results(b, job.shared);
	munmap(job.shared, size);
	if (job.hangs)
		return give_up(&job, err);
	return r;
}

void readback_done(struct readback *b)
{
	for (size_t i = 0; i < b->len; i++)
		free(b->items[i].path);
	free(b->items);
	*b = READBACK_INIT;
}

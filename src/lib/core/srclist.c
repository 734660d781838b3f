/* SPDX-License-Identifier: MIT */
#include "core/srclist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "i18n.h"
#include "log.h"
#include "proc.h"
#include "str.h"
#include "sys/hash.h"
#include "util.h"

/* One walk; the path of the entry in work grows and shrinks in @path. */
struct walk {
	struct srclist *list;
	struct buf path;
	int64_t since_ns;
	int depth;
	srclist_fn *fn; /* for each recent regular file; NULL */
	void *fn_arg;
	struct err *err;
};

/* No path that rsync can copy (PATH_MAX bytes) has more components. Each level
 * takes a descriptor. */
#define DEPTH_MAX 2048

struct task {
	const char *path;
	int64_t since_ns;
	srclist_fn *fn;
	void *fn_arg;
};

static int64_t ts_ns(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

static void note_newest(struct srclist *l, const struct stat *st)
{
	if (ts_ns(&st->st_ctim) > l->newest_ns)
		l->newest_ns = ts_ns(&st->st_ctim);
}

static int note_recent(struct walk *w, const struct stat *st)
{
	struct srclist *l = w->list;

	if (w->since_ns == 0 || S_ISDIR(st->st_mode))
		return 0;
	if (ts_ns(&st->st_ctim) < w->since_ns &&
	        ts_ns(&st->st_mtim) < w->since_ns)
		return 0;
	if (l->recent < SRCLIST_NAMES)
		(void)str_copy(l->recent_names[l->recent],
		        sizeof l->recent_names[0], w->path.data);
	l->recent++;
	if (!w->fn || !S_ISREG(st->st_mode))
		return 0;
	return w->fn(w->path.data, w->fn_arg, w->err);
}

/*
 * The sum of the entries' hashes does not depend on the order of readdir(3),
 * and 128 bits of a good hash make an accidental equal sum impossible.
 */
static int add_entry(struct walk *w, const struct stat *st)
{
	struct srclist *l = w->list;
	struct {
		uint64_t low, high;
		int64_t size, mtime, ctime;
		uint64_t mode;
	} record;
	struct hash128 h = hash_bytes(w->path.data, w->path.len);

	memset(&record, 0, sizeof record);
	record.low = h.low;
	record.high = h.high;
	record.mode = st->st_mode;
	record.mtime = ts_ns(&st->st_mtim);
	record.ctime = ts_ns(&st->st_ctim);
	if (S_ISREG(st->st_mode))
		record.size = st->st_size;
	h = hash_bytes(&record, sizeof record);
	l->sum_low += h.low;
	l->sum_high += h.high;

	note_newest(l, st);
	l->entries++;
	if (S_ISREG(st->st_mode)) {
		l->files++;
		l->bytes += (uint64_t)st->st_size;
	}
	return note_recent(w, st);
}

static int walk_dir(struct walk *w, int dir_fd);

static int walk_entry(struct walk *w, int dir_fd, const char *name)
{
	_cleanup_close_ int fd = -1;
	size_t len = w->path.len;
	struct stat st;
	int r = 0;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		/* Gone between readdir and here: the sum will differ. */
		if (errno != ENOENT)
			w->list->unreadable++;
		return 0;
	}
	if (len > 0)
		buf_addc(&w->path, '/');
	buf_adds(&w->path, name);
	if (buf_failed(&w->path))
		return -ENOMEM;

	r = add_entry(w, &st);
	if (r == 0 && S_ISDIR(st.st_mode)) {
		fd = openat(dir_fd, name,
		        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || w->depth >= DEPTH_MAX)
			w->list->unreadable++;
		else
			r = walk_dir(w, TAKE_FD(fd));
	}
	buf_cut(&w->path, len);
	return r;
}

/* Takes over @dir_fd. */
static int walk_dir(struct walk *w, int dir_fd)
{
	_cleanup_closedir_ DIR *dir = fdopendir(dir_fd);
	struct dirent *de;
	int r;

	if (!dir) {
		r = -errno;
		close(dir_fd);
		return r;
	}
	w->depth++;
	while (errno = 0, (de = readdir(dir))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		r = walk_entry(w, dirfd(dir), de->d_name);
		if (r < 0)
			return r;
	}
	if (errno != 0)
		w->list->unreadable++;
	w->depth--;
	return 0;
}

/* As many descriptors as we may have; without them deep directories count as
 * unreadable. */
static void allow_depth(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int read_task(void *arg, void *reply, struct err *err)
{
	const struct task *task = arg;
	struct srclist *list = reply;
	struct walk w = {
	        .list = list,
	        .path = BUF_INIT,
	        .since_ns = task->since_ns,
	        .fn = task->fn,
	        .fn_arg = task->fn_arg,
	        .err = err,
	};
	struct stat st;
	int fd, r;

	memset(list, 0, sizeof *list);
	allow_depth();
	fd = open(task->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		util_closep(&fd);
		return err_sys(
		        err, r, _("cannot read the source %s"), task->path);
	}
	note_newest(list, &st);
	r = walk_dir(&w, fd);
	buf_done(&w.path);
	if (r < 0 && err->code != 0)
		return r;
	if (r < 0)
		return err_sys(
		        err, r, _("cannot read the source %s"), task->path);
	return 0;
}

struct srclist_job {
	struct task task;
	struct srclist list;
	struct proc_running *running;
	int (*on_tick)(void *arg);
	void *arg;
	bool dropped;
};

static int job_tick(void *arg)
{
	const struct srclist_job *job = arg;

	if (job->dropped)
		return -ECANCELED;
	return job->on_tick ? job->on_tick(job->arg) : 0;
}

static int begin(const struct task *task, int (*on_tick)(void *arg), void *arg,
        struct srclist_job **ret, struct err *err)
{
	struct srclist_job *job = calloc(1, sizeof *job);
	int r;

	if (!job)
		return err_nomem(err);
	job->task = *task;
	job->on_tick = on_tick;
	job->arg = arg;

	struct proc_task p = {
	        .name = "source list",
	        .fn = read_task,
	        .arg = &job->task,
	        .reply = &job->list,
	        .reply_size = sizeof job->list,
	        .tick_ms = 1000,
	        .on_tick = job_tick,
	        .tick_arg = job,
	};

	r = proc_task_start(&p, &job->running, err);
	if (r < 0) {
		free(job);
		return r;
	}
	*ret = job;
	return 0;
}

int srclist_begin(const char *path, int64_t since_ns, int (*on_tick)(void *arg),
        void *arg, struct srclist_job **ret, struct err *err)
{
	struct task task = {.path = path, .since_ns = since_ns};

	return begin(&task, on_tick, arg, ret, err);
}

int srclist_end(struct srclist_job *job, struct srclist *ret, struct err *err)
{
	int r = proc_task_wait(job->running, err);

	if (r >= 0)
		*ret = job->list;
	free(job);
	return r;
}

void srclist_drop(struct srclist_job *job)
{
	if (!job)
		return;
	job->dropped = true;
	if (proc_task_wait(job->running, NULL) < 0)
		log_debug("the list of the source is not needed any more");
	free(job);
}

int srclist_read(const char *path, int64_t since_ns, int (*on_tick)(void *arg),
        void *arg, struct srclist *ret, struct err *err)
{
	struct srclist_job *job;
	int r = srclist_begin(path, since_ns, on_tick, arg, &job, err);

	return r < 0 ? r : srclist_end(job, ret, err);
}

int srclist_each_recent(const char *path, int64_t since_ns, srclist_fn *fn,
        void *fn_arg, int (*on_tick)(void *arg), void *arg, struct err *err)
{
	struct task task = {
	        .path = path,
	        .since_ns = since_ns,
	        .fn = fn,
	        .fn_arg = fn_arg,
	};
	struct srclist_job *job;
	struct srclist list;
	int r = begin(&task, on_tick, arg, &job, err);

	return r < 0 ? r : srclist_end(job, &list, err);
}

const char *srclist_own_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool srclist_equal(const struct srclist *a, const struct srclist *b)
{
	return a->sum_low == b->sum_low && a->sum_high == b->sum_high &&
	       a->entries == b->entries && a->files == b->files &&
	       a->bytes == b->bytes && a->unreadable == b->unreadable;
}

/* SPDX-License-Identifier: MIT */
#include "core/prefetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log.h"
#include "path.h"
#include "proc.h"
#include "str.h"
#include "util.h"
#include "core/srclist.h"

/* One part of this machine's memory in ... */
#define MEMORY_SHARE 16
/* Names that are kept, in bytes. */
#define NAMES_MAX (UINT64_C(16) << 20)
#define CACHED_ROW 64
#define SKIP 32

struct prefetch {
	FILE *names; /* each ended by NUL; in memory of no process */
	uint64_t names_len;
	uint64_t bytes; /* of the files */
	uint64_t limit;
	char *dir; /* the names are below it */
	struct proc_running *running;
};

uint64_t prefetch_limit(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	if (pages <= 0 || size <= 0)
		return 0;
	return (uint64_t)pages * (uint64_t)size / MEMORY_SHARE;
}

struct prefetch *prefetch_new(uint64_t limit)
{
	_cleanup_(prefetch_freep) struct prefetch *p = calloc(1, sizeof *p);
	int fd;

	if (!p || limit == 0)
		return NULL;
	p->limit = limit;
	fd = memfd_create("prefetch", MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	p->names = fdopen(fd, "w+");
	if (!p->names) {
		(void)close(fd);
		return NULL;
	}
	return TAKE_PTR(p);
}

void prefetch_add(struct prefetch *p, const char *name, uint64_t size)
{
	size_t len = strlen(name) + 1;

	if (!p || size == 0 || size > PREFETCH_FILE_MAX ||
	        p->bytes + size > p->limit || p->names_len + len > NAMES_MAX)
		return;
	if (fwrite(name, 1, len, p->names) != len)
		return;
	p->bytes += size;
	p->names_len += len;
}

/* Without waiting: where the file system cannot tell, it is not. */
static bool is_cached(int fd)
{
	char byte;
	struct iovec to = {.iov_base = &byte, .iov_len = 1};

	return preadv2(fd, &to, 1, 0, RWF_NOWAIT) > 0;
}

/* A warm source would cost a processor that rsync needs: after a row of files
 * that are there already only one in SKIP is looked at. */
static bool is_skipped(uint64_t n, unsigned cached_row)
{
	return cached_row >= CACHED_ROW && n % SKIP != 0;
}

static int read_ahead(void *arg, void *reply, struct err *err)
{
	struct prefetch *p = arg;
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int dir = -1;
	unsigned row = 0; /* files in the cache, one after the other */
	size_t size = 0;

	(void)reply;
	(void)err;
	dir = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	for (uint64_t n = 0; getdelim(&name, &size, '\0', p->names) > 0; n++) {
		int fd;

		if (is_skipped(n, row))
			continue;
		fd = path_open_beneath(dir, name,
		        O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0);
		if (fd < 0)
			continue;
		row = is_cached(fd) ? row + 1 : 0;
		if (row == 0)
			(void)posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
		(void)close(fd);
	}
	return 0;
}

static int stop(void *arg)
{
	(void)arg;
	return -ECANCELED;
}

void prefetch_start(struct prefetch *p, const char *source, int ioprio)
{
	struct proc_task task = {
	        .name = "read ahead",
	        .fn = read_ahead,
	        .arg = p,
	        .ioprio = ioprio,
	        .tick_ms = 1,
	        .on_tick = stop,
	        .ignore_signals = true,
	};

	if (!p || p->running || p->names_len == 0)
		return;
	p->dir = str_is_empty(srclist_own_name(source)) ? strdup(source)
	                                                : path_dirname(source);
	if (!p->dir || fflush(p->names) != 0)
		return;
	rewind(p->names);
	if (proc_task_start(&task, &p->running, NULL) < 0)
		p->running = NULL;
}

void prefetch_free(struct prefetch *p)
{
	if (!p)
		return;
	/* It is not waited for: rsync is through with the files. */
	if (p->running && proc_task_wait(p->running, NULL) < 0)
		log_debug("reading ahead was stopped");
	if (p->names)
		(void)fclose(p->names);
	free(p->dir);
	free(p);
}

void prefetch_freep(struct prefetch **p)
{
	prefetch_free(*p);
}

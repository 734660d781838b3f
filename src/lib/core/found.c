/* SPDX-License-Identifier: MIT */
#include "core/found.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomicfile.h"
#include "buf.h"
#include "path.h"
#include "util.h"
#include "core/manifest.h"
#include "core/settings.h"
#include "core/srclist.h"
#include "core/target.h"

/* From 1970 on: every file. */
#define SINCE_EVER 1

struct search {
	const struct target *t;
	const char *below; /* the source's own name, when it is copied too */
	int list_fd;       /* "SIZE PATH", NUL, ... */
};

/* In a child: the disk may hang.  What it finds goes into memory that both
 * have open. */
static int look_for(const char *path, void *arg, struct err *err)
{
	const struct search *search = arg;
	_cleanup_free_ char *joined = path_join(search->below, path);
	_cleanup_buf_ struct buf b = BUF_INIT;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!joined)
		return err_nomem(err);
	if (search->below[0])
		path = joined;
	fd = path_open_beneath(
	        search->t->dest_fd, path, O_PATH | O_NOFOLLOW, 0);
	/* Excluded from the copy, or gone meanwhile. */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	buf_printf(&b, "%llu %s", (unsigned long long)st.st_size, path);
	buf_add(&b, "", 1);
	if (buf_failed(&b) ||
	        atomicfile_write_all(search->list_fd, b.data, b.len) < 0)
		return err_nomem(err);
	return 0;
}

static int enter(struct manifest *m, FILE *list, struct err *err)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int r = 0;

	while (r == 0 && getdelim(&line, &size, '\0', list) > 0) {
		char *path;
		uint64_t bytes = strtoull(line, &path, 10);

		r = manifest_found(m, path + 1, bytes, 0, err);
	}
	return r < 0 ? r : manifest_commit(m, err);
}

int found_enter(struct manifest *m, const struct target *t,
        const struct settings *s, int (*on_tick)(void *arg), void *arg,
        struct err *err)
{
	struct search search = {
	        .t = t,
	        .below = srclist_own_name(s->source),
	        .list_fd = memfd_create("found", MFD_CLOEXEC),
	};
	FILE *list;
	int r;

	if (search.list_fd < 0)
		return err_nomem(err);
	list = fdopen(search.list_fd, "r");
	if (!list) {
		util_closep(&search.list_fd);
		return err_nomem(err);
	}
	r = srclist_each_recent(
	        s->source, SINCE_EVER, look_for, &search, on_tick, arg, err);
	rewind(list);
	if (r == 0)
		r = enter(m, list, err);
	(void)fclose(list);
	return r;
}

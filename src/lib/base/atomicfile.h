/* SPDX-License-Identifier: MIT */
/*
 * atomicfile: a file that others read appears whole or not at all.
 *
 *	struct atomicfile f;
 *	r = atomicfile_open(&f, dir_fd, "status.json", 0644, err);
 *	... write to f.fd ...
 *	r = atomicfile_commit(&f, err);   // fsync, rename, fsync directory
 *	atomicfile_abort(&f);             // always safe, also after commit
 *
 * The temporary file is ".NAME.XXXXXX" in the same directory, made with
 * O_EXCL | O_NOFOLLOW; a crash leaves at most that.
 */
#ifndef BASE_ATOMICFILE_H
#define BASE_ATOMICFILE_H

#include <stdbool.h>
#include <sys/types.h>
#include "err.h"

struct atomicfile {
	int fd;         /* write here; -1 when done */
	int dir_fd;     /* borrowed or AT_FDCWD */
	int own_dir_fd; /* opened by us, -1 else */
	char name[256]; /* final name inside the directory */
	char temp[300]; /* temporary name inside the directory */
};

/* @name is a path relative to @dir_fd (or AT_FDCWD); only its directory part
 * may contain slashes. Returns 0 or negative errno; nothing to undo then. */
int atomicfile_open(struct atomicfile *f, int dir_fd, const char *name,
        mode_t mode, struct err *err);
int atomicfile_commit(struct atomicfile *f, struct err *err);
/* The same without the two fsyncs, for files that a reboot may forget. */
int atomicfile_commit_volatile(struct atomicfile *f, struct err *err);
void atomicfile_abort(struct atomicfile *f);

/* All of it at once. @durable = with fsync. */
int atomicfile_write(int dir_fd, const char *name, const void *data, size_t len,
        mode_t mode, bool durable, struct err *err);

/* write(2) until everything is written; EINTR handled. 0 or negative errno. */
int atomicfile_write_all(int fd, const void *data, size_t len);

#endif

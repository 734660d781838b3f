/* SPDX-License-Identifier: MIT */
/*
 * util: the few macros that everything else uses.
 *
 * Releases that cannot usefully fail happen at the end of a scope
 * (_cleanup_*_).  Actions whose failure is news (unmount, fsync, rename,
 * unlock) are never written that way.
 */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _must_check_ __attribute__((warn_unused_result))
#define _unused_ __attribute__((unused))
#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Frees *(void **)p and sets it to NULL; for _cleanup_free_. */
void util_freep(void *p);
/* Closes *fd unless negative, keeps errno, sets *fd to -1. */
void util_closep(int *fd);
/* fclose(*(FILE **)f) unless NULL. Only for files that were read. */
void util_fclosep(void *f);
/* closedir(*(DIR **)d) unless NULL. */
void util_closedirp(void *d);

#define _cleanup_free_ _cleanup_(util_freep)
#define _cleanup_close_ _cleanup_(util_closep)
#define _cleanup_fclose_ _cleanup_(util_fclosep)
#define _cleanup_closedir_ _cleanup_(util_closedirp)

/* Hands the value of an owning variable to somebody else. */
#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) _taken = (p); \
		(p) = NULL;                 \
		_taken;                     \
	})
#define TAKE_FD(fd)                \
	({                         \
		int _taken = (fd); \
		(fd) = -1;         \
		_taken;            \
	})

#endif

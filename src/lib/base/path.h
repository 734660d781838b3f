/* SPDX-License-Identifier: MIT */
/*
 * path: opening files where nobody can play tricks.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "err.h"

/* Opens @path below @dir_fd with openat2(2) RESOLVE_BENEATH, NO_SYMLINKS,
 * NO_XDEV, NO_MAGICLINKS; O_CLOEXEC is added; O_PATH and O_CREAT allowed.
 * A ".." component is refused (-EXDEV), as is an absolute path.
 * Returns the descriptor or -ELOOP, -EXDEV, -ENOENT, ...  Where the kernel has
 * no openat2 (-ENOSYS) it walks the components with O_NOFOLLOW itself. */
int path_open_beneath(int dir_fd, const char *path, int flags, mode_t mode);
/* That walk, to be called directly only by the tests.  It cannot see a bind
 * mount of the same file system before Linux 5.8. */
int path_open_beneath_walk(
        int dir_fd, const char *path, int flags, mode_t mode);

/* mkdir -p below nothing: every missing component with @mode. */
int path_mkdirs(const char *path, mode_t mode, struct err *err);
/* The directory part of @path, caller frees; "." or "/" where it must be. */
char *path_dirname(const char *path);
/* "a/b" from a and b with exactly one slash between; caller frees. */
char *path_join(const char *a, const char *b);
/* Absolute, without ".." components, "//" and control characters. */
bool path_is_clean_absolute(const char *path);
/* @inner is @outer or lies below it; both are resolved with realpath(3).
 * 1 yes, 0 no, negative errno. */
int path_contains(const char *outer, const char *inner);
/* May root run it? Regular, executable, it and all its directories owned by
 * root (or by us when we are not root) and not writable by group or others.
 * 0 or negative errno with a sentence that names the chmod or chown. */
int path_check_program(const char *path, struct err *err);
/* First match of @name in /usr/sbin:/usr/bin:/sbin:/bin (never $PATH);
 * caller frees; NULL when there is none. */
char *path_find_program(const char *name);

/* Does @name below @dir_fd still name what @fd has open? Links are not
 * followed; false also when there is no telling. */
bool path_names(int fd, int dir_fd, const char *name);
/* For readdir(3) from the start; @dir_fd stays the caller's. NULL and errno. */
DIR *path_open_dir(int dir_fd);
/* read(2) until @size bytes are there or there are no more; EINTR handled.
 * The number of bytes, or negative errno. */
ssize_t path_read_all(int fd, void *dst, size_t size);
/* Reads a whole regular file of at most @max bytes; NUL-terminated; caller
 * frees. -EFBIG when larger, -EISDIR, ... */
int path_read_file(const char *path, size_t max, char **ret, size_t *ret_len);
/* The same of what is open already, up to its end; a pipe is fine. */
int path_read_fd(int fd, size_t max, char **ret, size_t *ret_len);
/* The same for a file with a secret: a symbolic link, another owner than root
 * or us, or access for group or others is -EPERM with the chmod to run. */
int path_read_secret(const char *path, size_t max, char **ret, struct err *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * spool_dir: the files of the spool directory (spool.h), without their
 * contents: listing, moving, removing, clearing away.
 *
 * "name" is always that of an .eml.
 */
#ifndef CORE_SPOOL_DIR_H
#define CORE_SPOOL_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include "err.h"
#include "str.h"

/* Opens the directory, and makes it (0700) if @create. One of somebody else
 * (for root: of somebody who is no service, with a number above 999),
 * or that others may write to, is refused: what lies there is sent in our
 * name. Returns a descriptor; -ENOENT; other negative errno with @err. */
int spool_dir_open(const char *dir, bool create, struct err *err);
/* root's new file or directory for the owner of the spool directory, who sends
 * what lies there. Best effort. */
void spool_dir_give(int dir_fd, int fd);
/* A plain file with one name, and not somebody else's. */
bool spool_dir_is_ours(int dir_fd, const struct stat *file);
/* "….eml" without a slash, not hidden, short enough. */
bool spool_dir_is_name(const char *name);
/* The .env that belongs to @name. */
void spool_dir_env_name(char dst[64], const char *name);
/* Names in order of time, oldest first. 0 or negative errno. */
int spool_dir_list(int dir_fd, struct strv *ret);
/* Unlinks the .eml, makes that durable, then the .env. */
int spool_dir_remove(int dir_fd, const char *name);
/* Moves both to failed/ (made if needed), the .env first: a crash in between
 * leaves a message without envelope, which is moved after it later. */
int spool_dir_fail(int dir_fd, const char *name, const char *env_name);
/* Keeps the @keep newest, warns of each one dropped. */
void spool_dir_limit(int dir_fd, const char *dir, size_t keep);
/* Removes what a crash left behind an hour ago or earlier: temporary files,
 * envelopes without message. */
void spool_dir_clean(int dir_fd);

#endif

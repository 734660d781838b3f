/* SPDX-License-Identifier: MIT */
/*
 * spool_env: the envelope of a waiting mail (the .env file of spool.h).
 */
#ifndef CORE_SPOOL_ENV_H
#define CORE_SPOOL_ENV_H

#include <stdint.h>
#include "err.h"
#include "str.h"

struct buf;

struct spool_env {
	char from[256];
	struct strv to;
	int attempts;
	int64_t next_s;   /* not before; seconds since 1970, 0 = at once */
	char error[1024]; /* what the last attempt ended with; for people */
};
#define SPOOL_ENV_INIT ((struct spool_env){.attempts = 0})
void spool_env_done(struct spool_env *env);
#define _cleanup_spool_env_ _cleanup_(spool_env_done)

/* Reads the text of a file. 0, -ENOMEM, or -EBADMSG for anything that
 * spool_env_format() does not write; unknown keys are passed over. @text is
 * changed. */
int spool_env_parse(char *text, struct spool_env *ret);
void spool_env_format(const struct spool_env *env, struct buf *b);

/* The same from and to the file @name below @dir_fd (replaced as a whole). */
int spool_env_read(
        int dir_fd, const char *name, struct spool_env *ret, struct err *err);
int spool_env_write(int dir_fd, const char *name, const struct spool_env *env,
        struct err *err);

#endif

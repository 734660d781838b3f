/* SPDX-License-Identifier: MIT */
/*
 * jobtext: what is sent to a host to start, follow, list, end and clean jobs.
 *
 * The command only makes a POSIX shell read a program from its standard input,
 * up to a line with the nonce: so no login shell has to understand it, nothing
 * secret stands in the list of processes, and what a broken line cuts off is
 * not executed.  The program (src/host) and its settings are jobtext's; what
 * comes behind it on standard input is the script.
 */
#ifndef CORE_JOBTEXT_H
#define CORE_JOBTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define JOBTEXT_NONCE_SIZE 33 /* 32 hexadecimal digits and NUL */
#define JOBTEXT_ID_MAX 64
/* What the shell ends with when the program did not arrive whole. */
#define JOBTEXT_CUT_OFF 75

/* How a job is kept alive on the host. */
enum jobtext_method {
	JOBTEXT_AUTO,
	JOBTEXT_SYSTEMD,
	JOBTEXT_TMUX,
	JOBTEXT_SETSID,
};

struct jobtext_start {
	const char *id;          /* jobtext_id_is_valid() */
	size_t script_size;      /* bytes that follow on standard input */
	const char *const *args; /* of the script, NULL-terminated, or NULL */
	const char *const *env;  /* "K=V", NULL-terminated, or NULL */
	const char *interpreter; /* NULL: the script's first line, or sh */
	const char *dir;         /* to run in; NULL: the login's */
	int64_t limit_s;         /* the host ends it after; 0 = never */
	enum jobtext_method method;
	bool again; /* when a job of that name has ended: run it anew;
	             * else its result is taken */
};

/* Letters, digits, '.', '_', '-'; not first '.' or '-'; at most 64. */
bool jobtext_id_is_valid(const char *id);
/* A variable's name and '='. */
bool jobtext_env_is_valid(const char *assignment);

/* A new one. 0 or negative errno. */
int jobtext_nonce(char dst[JOBTEXT_NONCE_SIZE]) _must_check_;

/* Appends "exec sh -c ..." for the login shell; @size is that of the program.
 */
void jobtext_command(struct buf *b, const char *nonce, size_t size, bool sudo);

/* Each appends the program for standard input, its first bytes. */
void jobtext_start(
        struct buf *b, const char *nonce, const struct jobtext_start *s);
void jobtext_follow(struct buf *b, const char *nonce, const char *id,
        uint64_t out_from, uint64_t err_from);
void jobtext_cancel(struct buf *b, const char *nonce, const char *id);
void jobtext_list(struct buf *b, const char *nonce);
void jobtext_clean(struct buf *b, const char *nonce, int64_t keep_days);

#endif

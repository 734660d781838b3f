/* SPDX-License-Identifier: MIT */
/*
 * jobquery: one question to a host about its jobs (list, cancel, clean).
 */
#ifndef CORE_JOBQUERY_H
#define CORE_JOBQUERY_H

#include <stdbool.h>
#include "err.h"

struct buf;
struct jobframe_line;
struct remote_options;

struct jobquery {
	const struct remote_options *remote;
	bool sudo;
	int silence_ms; /* as of a job; six times that for all of the answer */
	/* Appends the program (jobtext.h). */
	void (*compose)(struct buf *b, const char *nonce, void *arg);
	/* Each line of the answer: J (10,000 at most), F, Z. 0, or negative
	 * errno: the end. */
	int (*on_line)(
	        const struct jobframe_line *line, void *arg, struct err *err);
	/* The line broke, or the host was silent: it is asked anew, as often as
	 * the remote's retries say; what it has answered does not count.  NULL:
	 * that is the end. */
	void (*on_again)(const struct err *why, void *arg);
	void *arg;
	bool *ret_up; /* there was a login; may be NULL */
};

/*
 * Asks and waits for the whole answer.  0; -EHOSTUNREACH, -ECONNREFUSED,
 * -EACCES, -EKEYREJECTED, ...: not reached, see remote.h; -EPROTO: not
 * answered, or as jobshell_ended(); -ETIMEDOUT: not in time; -ENOTCONN: the
 * line broke; -EINTR: a signal came; with @err.
 */
int jobquery_ask(const struct jobquery *q, struct err *err) _must_check_;

#endif

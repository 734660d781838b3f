/* SPDX-License-Identifier: MIT */
/*
 * jobframe: what a host says about a job, read without trusting it.
 *
 * The host's answer (src/host) is a stream of lines, some followed by bytes:
 *
 *	vmexec NONCE BOOT           from here on it is us; noise before it (a
 *	                            chatty .bashrc) is passed over
 *	S HOW STATE METHOD STARTED BOOT DIRECTORY
 *	O OFFSET LENGTH             and LENGTH bytes of standard output
 *	E OFFSET LENGTH             of standard error
 *	H OUT ERR                   alive; so much is there
 *	X STATUS OUT ERR WHEN WHY   the job has ended; "lost" behind it: not
 *	                            all of its output found room on the disk,
 *	                            or it went with the power
 *	G STATE OUT ERR             it is gone without a result
 *	F CODE TEXT                 the request failed
 *	J NAME STATE ...            a job, in a list
 *	Z TEXT                      the request was served
 *
 * Offsets must fit to what came before: nothing twice, nothing missing.
 */
#ifndef CORE_JOBFRAME_H
#define CORE_JOBFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

#define JOBFRAME_LINE_MAX 4096 /* bytes of a line */
#define JOBFRAME_NOISE_MAX 65536
#define JOBFRAME_WORDS 12

struct jobframe_line {
	char letter;                       /* S H X G F J Z */
	const char *words[JOBFRAME_WORDS]; /* behind the letter; the last one
	                                    * has the rest of the line */
	size_t len;                        /* of words */
};

struct jobframe {
	/* Set by the caller: */
	const char *nonce;
	bool (*on_data)(
	        bool is_stderr, const char *data, size_t len, void *arg);
	/* 0, or a negative errno with @err: ends the reading. */
	int (*on_line)(
	        const struct jobframe_line *line, void *arg, struct err *err);
	void *arg;
	uint64_t out; /* bytes taken so far, for all time */
	uint64_t err;

	/* Its own: */
	char boot[80]; /* what the first line said; "" before it */
	char line[JOBFRAME_LINE_MAX];
	size_t line_len;
	size_t noise;
	uint64_t left; /* bytes of the frame that are still to come */
	bool is_stderr;
};

/*
 * Takes the next bytes.  0; -EPROTO: this is no answer of ours, or one that
 * contradicts itself; or what on_line returned; with @err.
 * @ret_more (may be NULL) gets what on_data said last.
 */
int jobframe_feed(struct jobframe *f, const char *data, size_t len,
        bool *ret_more, struct err *err) _must_check_;
/* Before the next connection: forgets the line and the frame, not the offsets.
 */
void jobframe_restart(struct jobframe *f);
/* The host's greeting has come since then: what answers is our program. */
bool jobframe_has_begun(const struct jobframe *f);

#endif

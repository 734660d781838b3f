/* SPDX-License-Identifier: MIT */
/*
 * output: where a job's bytes go: standard output and error, the log.
 *
 * Into pipes and files they go unchanged, unless --prefix or --strip-ansi ask
 * for something else; onto a terminal without what could reprogram it.
 */
#ifndef VMEXEC_OUTPUT_H
#define VMEXEC_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include "err.h"
#include "core/termsafe.h"

struct options;

struct output_stream {
	int fd;
	bool is_terminal;
	bool begun; /* a line, for the prefix */
	struct termsafe strip;
	struct termsafe safe;
};

struct output {
	struct output_stream streams[2]; /* standard output, error */
	const char *prefix;
	bool strip;
	bool json;
	bool has_notices;            /* on a terminal */
	struct termsafe_place place; /* there */
	int log_fd;                  /* -1: none */
};

/* Opens the log, which is written anew. 0 or negative errno with @err. */
int output_init(struct output *o, const struct options *options,
        struct err *err) _must_check_;
/* Waits for who reads. 0; -EPIPE, -ENOSPC and others with @err: it has not
 * arrived; -EINTR: a signal came first. */
int output_write(struct output *o, bool is_stderr, const char *data, size_t len,
        struct err *err) _must_check_;
/* The cursor is in the middle of a line now: the terminal has echoed a key. */
void output_end_line(struct output *o);
/* What was held back; the log is on its disk. */
int output_end(struct output *o, struct err *err) _must_check_;
void output_done(struct output *o);

#endif

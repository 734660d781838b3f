/* SPDX-License-Identifier: MIT */
/*
 * job: a script on a host, started once and followed to its end, however often
 * the line breaks.
 *
 *	r = job_start(&job, &loop, &spec, &handlers, err);
 *	while (!ended)
 *		loop_step(&loop, -1);       on_data, on_event, on_end
 *	job_free(job);
 *
 * Exactly once: the job's directory on the host is its lock, and the nonce in
 * it tells whether it is ours when the line broke before the host could say
 * so.  Byte-exact: the host is asked for what lies behind the bytes that
 * on_data has got.  docs/VMEXEC.md shows both.
 */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "core/jobtext.h"

struct job;
struct loop;
struct remote_options;

struct job_spec {
	const struct remote_options *remote; /* valid while the job is */
	/* What to start; only its id counts with @attach. Valid until on_end.
	 */
	const struct jobtext_start *start;
	const char *script; /* start->script_size bytes, likewise */
	bool attach;        /* follow a job that is there */
	bool sudo;          /* as root, by sudo(8) without a password */
	int64_t idle_ms;    /* no output for so long: it is ended; 0 = never */
	int silence_ms;     /* the host says nothing for so long: the line is
	                     * dead (it speaks every two seconds) */
	int retries;        /* new connections without a sign of life */
};

enum job_event {
	JOB_CONNECTED,
	JOB_STARTED, /* text: how it is kept alive */
	JOB_ADOPTED, /* it was there already; text likewise */
	JOB_RETRY,   /* text: why this attempt failed */
	JOB_LOST,    /* text: why; it is connected anew now */
	JOB_RESUMED,
	JOB_CANCELLING,
};

enum job_kind {
	JOB_EXITED,      /* with status (128+n: by signal n) */
	JOB_TIMED_OUT,   /* a limit was over, it was ended */
	JOB_CANCELLED,   /* by job_cancel() or somebody else */
	JOB_VANISHED,    /* killed with its runner, or its files are gone */
	JOB_REBOOTED,    /* the host, in the middle of it */
	JOB_UNREACHABLE, /* never started */
	JOB_UNKNOWN,     /* no connection any more; it may go on */
	JOB_REFUSED,     /* the host could not start it */
};

struct job_result {
	enum job_kind kind;
	int status;   /* 0-255; JOB_EXITED, _TIMED_OUT, _CANCELLED */
	uint64_t out; /* bytes that were delivered */
	uint64_t err;
	bool incomplete; /* the host's disk was full: output is missing */
	struct err why;  /* a sentence, unless JOB_EXITED */
};

struct job_handlers {
	/* Takes all of it. False: wait until job_resume(). */
	bool (*on_data)(
	        bool is_stderr, const char *data, size_t len, void *arg);
	void (*on_event)(enum job_event what, const char *text, void *arg);
	/* Once, at the end; job_free() is fine in it. */
	void (*on_end)(const struct job_result *result, void *arg);
	void *arg;
};

int job_start(struct job **ret, struct loop *loop, const struct job_spec *spec,
        const struct job_handlers *handlers, struct err *err) _must_check_;
/* The connection goes, the job on the host does not. */
void job_free(struct job *j);
void job_resume(struct job *j);
/* The host has said that it is there. */
bool job_is_known(const struct job *j);
/* Else the host has not heard of it yet, and will not after job_free(). */
bool job_was_asked(const struct job *j);
/* Ends it with all its processes; the result comes as usual. */
void job_cancel(struct job *j);

#endif

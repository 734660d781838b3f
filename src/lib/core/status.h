/* SPDX-License-Identifier: MIT */
/*
 * status: everything that is known about the running or the last run, in one
 * struct with one writer (the run).  Terminal, journal, status file, mail and
 * page show this and nothing else.
 *
 * status_publish() writes it as JSON to RUNTIME/status.json (format: the
 * manual page asbackup-json(5)); status_read() is the way back.
 */
#ifndef CORE_STATUS_H
#define CORE_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "str.h"

struct settings;

enum status_state {
	STATUS_IDLE,
	STATUS_WAITING, /* for Veeam jobs */
	STATUS_RUNNING,
	STATUS_SUCCEEDED,
	STATUS_FAILED,
};

/* The steps of a run; their names are promised (mail, status, manual). */
enum status_step {
	STEP_NONE,
	STEP_CONFIG,
	STEP_MATCH,
	STEP_GUARD,
	STEP_VEEAM_WAIT,
	STEP_MOUNT,
	STEP_LOCK,
	STEP_PLAN,
	STEP_COPY,
	STEP_VERIFY,
	STEP_UNLOCK,
	STEP_FREE_SPACE,
	STEP_UNMOUNT,
	STEP_REPORT,
	STEP_COUNT
};

struct status {
	enum status_state state;
	enum status_step step;
	int exit_code;         /* -1 while running */
	bool may_be_unplugged; /* the one thing people want to know */
	bool skipped;          /* pre-run said: not today */
	bool dry_run;
	int64_t run; /* number of the run; 0 = none yet */
	int64_t pid;
	int64_t started; /* seconds since 1970, UTC */
	int64_t ended;   /* 0 = still running */
	int64_t updated;

	struct {
		char uuid[64];
		char title[256]; /* what people call it; hostile */
		char device[256];
		char serial[128];
		char fstype[32];
		uint64_t size_bytes; /* of the file system */
		uint64_t free_bytes;
	} disk;
	char source[1024];

	struct {
		uint64_t files_total;
		uint64_t files_to_copy;
		uint64_t bytes_to_copy;
		uint64_t files_to_delete;
		bool delete_first; /* it does not fit otherwise */
	} plan;

	struct {
		uint64_t bytes_done;
		uint64_t bytes_total;
		double percent;
		uint64_t rate;
		int64_t eta_seconds; /* -1 = unknown */
		uint64_t files_done;
		char file[1024]; /* the last one that was finished; hostile */
	} progress;

	struct {
		int64_t plan_ms, copy_ms, verify_ms, flush_ms, total_ms;
	} took;
	int passes; /* of the copy */
	uint64_t files_copied;
	uint64_t bytes_copied;
	uint64_t files_deleted;
	uint64_t files_verified; /* read back and compared */
	uint64_t bytes_verified;

	bool adopted;            /* the disk was seen for the first time */
	struct strv waiting_for; /* Veeam jobs, as file names */
	struct strv warnings;    /* sentences */
	struct err error;        /* code 0 = none */
};

/* "copy", "veeam-wait", ...; fixed English words for machines. */
const char *status_step_name(enum status_step step);
/* For people, translated: "Copying the data". */
const char *status_step_text(enum status_step step);
const char *status_state_name(enum status_state state);

void status_init(struct status *st);
void status_done(struct status *st);
/* Adds a warning (once) and logs it. */
void status_warn(struct status *st, const char *fmt, ...) _printf_(2, 3);

/* The JSON document; caller frees. NULL = out of memory. */
char *status_json(const struct status *st);
/* Writes RUNTIME/status.json; 0 or negative errno (never fatal). */
int status_publish(
        const struct status *st, const struct settings *s, struct err *err);
/* Reads it back into an initialised @ret; -ENOENT when there is none. */
int status_read(struct status *ret, const struct settings *s,
        struct err *err) _must_check_;

/* One line for the terminal and systemd: "copy 43 % of 1.2 TB, ...". */
void status_line(const struct status *st, char *dst, size_t size);

#endif

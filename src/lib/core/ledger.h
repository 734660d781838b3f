/* SPDX-License-Identifier: MIT */
/*
 * ledger: the history of runs and the disks we know (STATE/asbackup.db,
 * SQLite).
 *
 * A run is written down when it begins ("running", with the process that does
 * it) and again when it ends.  One that is still "running" although its
 * process is gone died; the next run finds it with ledger_find_dead().
 *
 * Nothing here is needed to copy: whether an error ends a run is the caller's
 * decision.  Errors are those of sys/db.h.  UUIDs are compared without case
 * and kept in lower case.  Every call is durable when it returns.
 */
#ifndef CORE_LEDGER_H
#define CORE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

struct ledger;

enum ledger_result {
	LEDGER_RUNNING,
	LEDGER_GOOD,
	LEDGER_WARNINGS, /* good, but someone should look */
	LEDGER_FAILED,
	LEDGER_SKIPPED, /* pre-run said: not today */
	LEDGER_DIED,    /* killed, or the machine went down */
	LEDGER_RESULT_COUNT
};
/* "running", "good", ...: fixed words, in the file and in JSON. */
const char *ledger_result_name(enum ledger_result result);

/* A process that cannot be mistaken for a later one with the same number. */
struct ledger_process {
	char boot_id[40];
	int64_t pid;
	int64_t start_ticks; /* field 22 of /proc/PID/stat */
};
/* Fills in ourselves. */
void ledger_process_self(struct ledger_process *ret);
/* Does it still exist? When that cannot be found out: true. */
bool ledger_process_is_alive(const struct ledger_process *p);

struct ledger_run {
	int64_t id;      /* number of the run */
	int64_t started; /* seconds since 1970, UTC */
	int64_t ended;   /* 0 = not yet */
	char uuid[64];
	char title[256]; /* what people call the disk */
	char device[256];
	char serial[128];
	struct ledger_process process;
	enum ledger_result result;
	int exit_code; /* -1 = not yet */
	char step[32]; /* where it ended */
	int passes;    /* of the copy */
	uint64_t files_total;
	uint64_t files_copied;
	uint64_t files_deleted;
	uint64_t bytes_total;
	uint64_t bytes_copied;
	int64_t plan_ms;
	int64_t copy_ms;
	int64_t verify_ms;
	int64_t flush_ms;
	uint64_t free_bytes;
	uint64_t size_bytes;
	bool flushed;         /* everything reached the disk */
	const char *warnings; /* sentences, newline between; NULL = none */
	struct err error;     /* message "" = none; code is not kept */
};
/* Called for each; strings are valid during the call. Non-zero ends the list
 * and is handed up. */
typedef int ledger_run_fn(const struct ledger_run *run, void *arg);

struct ledger_disk {
	char uuid[64];
	char serial[128];
	char model[128];
	uint64_t size_bytes; /* of the hardware */
	char label[256];
	int64_t first_seen;
	int64_t last_seen;
	int64_t last_good; /* when the last good copy ended; 0 = never */
	int64_t last_good_run;
	int64_t last_run;
	uint64_t free_bytes; /* at the last visit */
	uint64_t fs_size_bytes;
	int64_t marker_run; /* the run number on its marker */
	bool forgotten;     /* "disks --forget": not adopted any more */
};
typedef int ledger_disk_fn(const struct ledger_disk *disk, void *arg);

/* Opens STATE/asbackup.db. Creates directory (0700) and file unless
 * @read_only (-ENOENT then). */
int ledger_open(const char *state_directory, bool read_only,
        struct ledger **ret, struct err *err) _must_check_;
void ledger_close(struct ledger *l);
void ledger_closep(struct ledger **l);

/* --- runs ---------------------------------------------------------------- */

/*
 * Writes down that @run begins (its started, uuid, title, device, serial and
 * process count) and gives it a number: higher than any in the ledger, on a
 * disk's marker that the ledger knows, and than @after (of the marker in
 * hand, or the manifest: a new ledger must not count from 1 again).  Absurd
 * numbers (2^40 and more) of markers are ignored.
 */
int ledger_run_begin(struct ledger *l, const struct ledger_run *run,
        int64_t after, int64_t *ret_id, struct err *err) _must_check_;
/* Writes down everything of @run (but its process) under run->id. -ENOENT. */
int ledger_run_end(struct ledger *l, const struct ledger_run *run,
        struct err *err) _must_check_;
/* Sets "died" and the time it was noticed, if it is still "running". */
int ledger_run_died(struct ledger *l, int64_t id, int64_t noticed,
        struct err *err) _must_check_;
/* Runs that are "running" but for which @is_alive (NULL:
 * ledger_process_is_alive()) says no. The callback may call
 * ledger_run_died(). */
int ledger_find_dead(struct ledger *l,
        bool (*is_alive)(const struct ledger_process *p), ledger_run_fn *fn,
        void *arg, struct err *err) _must_check_;
/* The last @n runs (0 = all), newest first. */
int ledger_history(struct ledger *l, uint64_t n, ledger_run_fn *fn, void *arg,
        struct err *err) _must_check_;
/* The newest run to the disk @uuid (NULL = to any). 1 when there was one and
 * @fn was called, 0 when not; what @fn returns when that is not 0. */
int ledger_last_run(struct ledger *l, const char *uuid, ledger_run_fn *fn,
        void *arg, struct err *err) _must_check_;

/* --- disks --------------------------------------------------------------- */

/* 1 and *ret (also when it is forgotten), 0 when it is not known. */
int ledger_disk_get(struct ledger *l, const char *uuid, struct ledger_disk *ret,
        struct err *err) _must_check_;
/* Adds or replaces the whole row. */
int ledger_disk_put(struct ledger *l, const struct ledger_disk *disk,
        struct err *err) _must_check_;
/* -ENOENT when it is not known, or forgotten already. */
int ledger_disk_forget(
        struct ledger *l, const char *uuid, struct err *err) _must_check_;
/* All, forgotten ones too, in the order they were first seen. */
int ledger_disk_list(struct ledger *l, ledger_disk_fn *fn, void *arg,
        struct err *err) _must_check_;

#endif

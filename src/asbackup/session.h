/* SPDX-License-Identifier: MIT */
/*
 * session: a disk in hand for the commands besides run: found, locked against
 * runs, mounted, known to be ours, and unmounted again.
 */
#ifndef ASBACKUP_SESSION_H
#define ASBACKUP_SESSION_H

#include <stdbool.h>
#include "cli.h"
#include "core/ledger.h"
#include "core/manifest.h"
#include "core/marker.h"
#include "core/target.h"

struct settings;

struct session {
	struct settings *settings;
	struct target target;
	struct ledger *ledger;
	struct manifest *manifest;
	struct marker marker;
	enum marker_verdict verdict;
	int run_lock_fd;
	struct err err;
};

/* 0, or the exit code with the error shown; session_close() is to be called
 * in both cases. @uuid NULL: as the command line says. */
int session_open(struct session *s, const struct cli *cli, const char *uuid,
        bool read_only);
/* Flushes (unless read-only) and unmounts; returns @code, or what went wrong
 * when @code is 0. */
int session_close(struct session *s, int code);
/* Shows s->err and returns @code. */
int session_fail(struct session *s, int code);

#endif

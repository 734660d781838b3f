/* SPDX-License-Identifier: MIT */
/*
 * manifest_internal: what manifest.c and manifest_list.c share; nobody else
 * includes it.
 */
#ifndef CORE_MANIFEST_INTERNAL_H
#define CORE_MANIFEST_INTERNAL_H

#include "core/manifest.h"
#include "sys/db.h"

enum manifest_statement {
	MANIFEST_ST_PENDING,
	MANIFEST_ST_COPIED,
	MANIFEST_ST_FOUND,
	MANIFEST_ST_DELETED,
	MANIFEST_ST_VERIFIED,
	MANIFEST_ST_HASH,
	MANIFEST_ST_GET,
	MANIFEST_ST_COUNT
};

struct manifest {
	struct db *db;
	int64_t run;       /* goes on now; 0 = none */
	struct err failed; /* of a write since the last commit; code 0 = none */
	struct db_stmt *statements[MANIFEST_ST_COUNT]; /* prepared when used */
};

/* The columns that manifest_read_row() expects, in this order. */
#define MANIFEST_COLUMNS \
	"path, size, old_size, mtime_s, hash, run, verified, state"

/* The row that @st stands on; ret->path is valid until the next step. */
int manifest_read_row(struct db_stmt *st, struct manifest_file *ret,
        struct err *err) _must_check_;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * ledger_internal: what ledger.c and ledger_run.c share; nobody else includes
 * it.
 */
#ifndef CORE_LEDGER_INTERNAL_H
#define CORE_LEDGER_INTERNAL_H

#include <stddef.h>
#include <stdint.h>
#include "err.h"

struct db;
struct db_stmt;

struct ledger {
	struct db *db;
};

/* A statement that gives no rows. */
int ledger_execute(struct db_stmt *st, struct err *err);
/* In lower case. */
void ledger_bind_uuid(struct db_stmt *st, int i, const char *uuid);
void ledger_bind_size(struct db_stmt *st, int i, uint64_t v);
/* Cut to what fits; NULL is "". */
void ledger_copy_text(char *dst, size_t size, struct db_stmt *st, int col);

#endif

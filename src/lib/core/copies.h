/* SPDX-License-Identifier: MIT */
/*
 * copies: when the last good copy to each disk was made, published for those
 * that may not read the ledger (STATE/public/copies.json, mode 0644): the
 * service that warns of overdue copies runs without root.
 */
#ifndef CORE_COPIES_H
#define CORE_COPIES_H

#include <stdint.h>
#include "err.h"

struct copies;
struct ledger;

/* Writes the file, whole or not at all; makes the directory (0755). */
int copies_publish(const char *state_directory, struct ledger *ledger,
        struct err *err) _must_check_;

/* -ENOENT (with no copy ever published); -EINVAL and others with @err. */
int copies_read(const char *state_directory, struct copies **ret,
        struct err *err) _must_check_;
void copies_free(struct copies *c);
void copies_freep(struct copies **c);

/* Seconds since 1970 when the last good copy to @uuid (compared without case)
 * ended; 0 = never. */
int64_t copies_last_good(const struct copies *c, const char *uuid);

#endif

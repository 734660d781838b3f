/* SPDX-License-Identifier: MIT */
/*
 * adopt: this disk is ours from now on, whatever it was before.
 */
#ifndef CORE_ADOPT_H
#define CORE_ADOPT_H

#include <stdbool.h>
#include "err.h"

struct ledger;
struct manifest;
struct settings;
struct target;

/* Writes our marker to the mounted disk and knows it in the ledger; forgets
 * what the manifest said of another disk with this UUID unless @same. */
int adopt_disk(const struct target *t, const struct settings *s,
        struct ledger *ledger, struct manifest *manifest, bool same,
        struct err *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * settings_disks: the disks of the old key and of [disk NAME] sections, merged.
 * Used by settings*.c only.
 */
#ifndef CORE_SETTINGS_DISKS_H
#define CORE_SETTINGS_DISKS_H

#include <stdbool.h>

#include "err.h"

#include "core/settings.h"

struct conf;
struct conf_entry;

/*
 * Adds the disks of the old key, "UUID[,mail]*[,UUID[,mail]*]*".
 * Returns 0; -ENOMEM; or -EINVAL with what is wrong and what to write, without
 * file and line; disks before the mistake (with @lenient also those behind it)
 * have been added then.
 */
int settings_disks_add_list(struct settings *s, const struct conf_entry *entry,
        bool lenient, struct err *err) _must_check_;
/* Adds, or merges with the disk of the same UUID, the disk of the section in
 * which @entry, the first of its section, stands. Returns as above, but
 * *ret_at is the entry that @err is about. */
int settings_disks_add_section(struct settings *s, const struct conf *conf,
        const struct conf_entry *entry, const struct conf_entry **ret_at,
        struct err *err) _must_check_;
/* The old key's value for the disks without a name; caller frees; NULL = out
 * of memory. */
char *settings_disks_list(const struct settings *s);
void settings_disks_done(struct settings *s);

#endif

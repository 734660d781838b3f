/* SPDX-License-Identifier: MIT */
/*
 * settings_value: from the text of one value to the member and back.
 * Used by settings*.c only.
 */
#ifndef CORE_SETTINGS_VALUE_H
#define CORE_SETTINGS_VALUE_H

#include "err.h"

#include "core/settings_table.h"

/*
 * Reads @value, which is not empty, into @spec's member of @s; types without
 * a member (SETTINGS_DISKS, SETTINGS_SECRET) are not handled here.
 * Returns 0; -ENOMEM; or -EINVAL with what is wrong and what to write in @err,
 * to which the caller adds file, line and key.  @s is unchanged then.
 */
int settings_value_set(struct settings *s, const struct settings_spec *spec,
        const char *value, struct err *err) _must_check_;
/* The member as one would write it; caller frees; NULL = out of memory. */
char *settings_value_get(
        const struct settings *s, const struct settings_spec *spec);

/* One absolute path of @type (SETTINGS_PATH, _FILE, _SOURCE), normalised. */
int settings_value_path(const char *value, enum settings_type type, char **ret,
        struct err *err) _must_check_;
/* "a@b", or the a@b of "Name <a@b>", into @ret. */
int settings_value_address(
        const char *value, char **ret, struct err *err) _must_check_;
/* The addresses of a list into @v, those that it has left out. */
int settings_value_addresses(
        const char *value, struct strv *v, struct err *err) _must_check_;
/* One line without control characters. */
int settings_value_check_line(const char *value, struct err *err) _must_check_;
/* @value made short enough for a message; returns @dst. */
char *settings_value_shown(char dst[64], const char *value);

#endif

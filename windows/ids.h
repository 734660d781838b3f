/* SPDX-License-Identifier: MIT */
/* ids: which job, and which run of it?
 *
 * Pure functions on text, without Windows, so that they can be tested
 * anywhere.  An id goes into a command line and, on the other side, into the
 * name of a file: only what ids_valid() accepts is ever passed on. */
#ifndef IDS_H
#define IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* The longest id, in characters, without the end of the string. */
#define IDS_LENGTH 80

/* ids_valid: 1 to 80 characters, letters, digits, ". _ - { }" only, and the
 * first one a letter, a digit or an opening brace. */
bool ids_valid(const wchar_t *id);

/* ids_find: the GUIDs that stand in a command line as words of their own, with
 * or without braces and quotes; not those that are a part of a path.
 *
 *	command_line	any text
 *	ret_ids		the first ones found: in small letters, without braces
 *	max		how many there is room for
 *
 * Returns how many were written to ret_ids. */
size_t ids_find(const wchar_t *command_line, wchar_t (*ret_ids)[IDS_LENGTH + 1],
        size_t max);

#endif

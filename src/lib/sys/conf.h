/* SPDX-License-Identifier: MIT */
/*
 * conf: reading an INI file (iniparser behind a strict wrapper).
 *
 * The wrapper opens the file itself (regular file, owner, mode), scans it by
 * lines for what iniparser reads wrongly or silently drops (long lines, ';'
 * and '#' inside values, quotes, trailing backslashes, BOM, NUL, "key: value",
 * values continued on indented lines, duplicate keys, keys outside a section),
 * hands iniparser a form of the file that it reads right, and keeps the line
 * number of every key.  What a file of Python's configparser means, it means
 * here too.
 *
 * Section and key names are compared without case. Values are UTF-8.
 */
#ifndef SYS_CONF_H
#define SYS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include "err.h"

struct conf;

/* One "key = value" of the file, in file order. */
struct conf_entry {
	const char *section; /* as written, trimmed; owned by the conf */
	const char *key;     /* lower case; owned by the conf */
	const char *value;   /* without the quotes around it; owned */
	unsigned line;       /* 1 = first line of the file */
};

/*
 * Reads @path.  Returns 0 and *ret (conf_free()), or a negative errno with a
 * sentence that names file, line, what is wrong and what to write.  All errors
 * of the file are collected: @err holds the first, and "(and N more)".
 */
int conf_load(
        const char *path, struct conf **ret, struct err *err) _must_check_;
/*
 * The same, but lines that are wrong are skipped without a word: for whoever
 * needs one fact of the file and leaves it to conf_load() to complain.
 */
int conf_load_lenient(
        const char *path, struct conf **ret, struct err *err) _must_check_;
void conf_free(struct conf *conf);
/* For _cleanup_(). */
void conf_freep(struct conf **conf);

size_t conf_count(const struct conf *conf);
const struct conf_entry *conf_at(const struct conf *conf, size_t i);
/* NULL when the key is not there. */
const struct conf_entry *conf_get(
        const struct conf *conf, const char *section, const char *key);

/* True when group or others may read the file (a secret in it is refused). */
bool conf_is_exposed(const struct conf *conf);
/*
 * May the file hold a secret?  0, or -EPERM with the command to run: the file
 * is open to group or others, belongs to somebody else than root or us, or is
 * reached through a symbolic link.
 */
int conf_check_secret(const struct conf *conf, struct err *err) _must_check_;
/*
 * May the file name a program to run?  0, or -EPERM with the command to run:
 * others than root or us can change the file.
 */
int conf_check_trusted(const struct conf *conf, struct err *err) _must_check_;
const char *conf_path(const struct conf *conf);

#endif

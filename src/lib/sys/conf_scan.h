/* SPDX-License-Identifier: MIT */
/*
 * conf_scan: the lines of an INI file, read as Python's configparser does.
 *
 * A pure function of its input without a foreign header, so that it can be
 * fuzzed; used by conf.c only.  It knows:
 *
 *   - "key = value" and "key: value", the first of the two signs counts;
 *   - a value goes on in lines that are indented deeper than its key, blank
 *     lines and comment lines between them included;
 *   - a comment is a line of its own that begins with '#' or ';';
 *   - LF, CRLF and CR as line ends, a UTF-8 byte order mark at the start;
 *   - "%%" is a percent sign (in values without quotes), "%(name)s", which
 *     Python replaces, is refused.
 *
 * Beyond Python: quotes around a whole value are taken off, and white space
 * followed by ';' or '#' in a value without quotes is refused, since half of
 * the readers of such a line take it for a comment.  Values of a key whose
 * name ends in "password" are exempt from that, and from all rules on quotes
 * but the outermost pair.
 *
 * No text of the file but section and key names gets into an error: the rest
 * may be a secret.
 */
#ifndef SYS_CONF_SCAN_H
#define SYS_CONF_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include "err.h"

enum {
	CONF_SCAN_NAME_MAX = 100,         /* bytes of a section or key name */
	CONF_SCAN_VALUE_MAX = 256 * 1024, /* bytes of a value */
	CONF_SCAN_ENTRIES_MAX = 5000,
	CONF_SCAN_PROBLEMS_MAX = 1000, /* then it gives up */
};

struct conf_scan_entry {
	char *section; /* as written, trimmed */
	char *key;     /* lower case */
	char *value;   /* lines joined by newlines, quotes taken off */
	unsigned line;
};

struct conf_scan {
	struct conf_scan_entry *entries; /* in file order; owned */
	size_t len;
	size_t size;
	unsigned problems;   /* how many things are wrong */
	unsigned first_line; /* where the first is */
	struct err first;    /* the first; its message has no file name */
};
#define CONF_SCAN_INIT ((struct conf_scan){.entries = NULL})

/*
 * Scans @len bytes at @data into @scan (CONF_SCAN_INIT before,
 * conf_scan_done() after).  Entries with a problem are left out.
 * Returns 0, also when there are problems, or -ENOMEM.
 */
int conf_scan_run(
        struct conf_scan *scan, const char *data, size_t len) _must_check_;
/* Frees everything; values are wiped first, they may be secrets. */
void conf_scan_done(struct conf_scan *scan);
/* Keys like this hold secrets: "password", "mail-password". */
bool conf_scan_is_secret(const char *key);

#endif

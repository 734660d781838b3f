/* SPDX-License-Identifier: MIT */
/*
 * attach: log files as attachments of a mail.
 *
 * What is attached is a copy: passwords are masked (log_add_secret()), broken
 * UTF-8 and control characters made visible.  A log of more than 64 KiB is
 * compressed with gzip; one that is too large even so is cut in the middle,
 * and a line there says how much was left out.  All attachments together,
 * encoded as they are in the mail, stay below the limit.
 *
 *	struct attach a = ATTACH_INIT;
 *	attach_logs(&a, logs, 2, max_kb, err);
 *	message.attachments = a.items;
 *	message.attachments_len = a.len;
 *	... mime_write() or spool_put() ...
 *	attach_done(&a);
 */
#ifndef CORE_ATTACH_H
#define CORE_ATTACH_H

#include <stdint.h>
#include "core/mime.h"
#include "err.h"
#include "util.h"

#define ATTACH_MAX 8
/* Not compressed up to this many bytes. */
#define ATTACH_PLAIN_MAX (64 * 1024)

struct attach {
	struct mime_attachment items[ATTACH_MAX];
	size_t len;
	char *names[ATTACH_MAX]; /* owned: items[].name */
	int fds[ATTACH_MAX];     /* owned: items[].fd */
};
#define ATTACH_INIT ((struct attach){.len = 0})

struct attach_log {
	const char *path;
	const char *name; /* in the mail; NULL = last component of path. ".gz"
	                   * is appended when it was compressed */
};

/*
 * Appends the @n files @logs to @a, which together take at most @max_kb KiB of
 * the mail; each may use what the smaller ones leave.  An empty file and a
 * path "" or NULL are left out.
 * Returns 0, or the errno of the first file that could not be read, with @err;
 * the others are attached all the same.  With less than 1 KiB for each
 * nothing is attached.
 */
int attach_logs(struct attach *a, const struct attach_log *logs, size_t n,
        int64_t max_kb, struct err *err);
void attach_done(struct attach *a);
#define _cleanup_attach_ _cleanup_(attach_done)

#endif

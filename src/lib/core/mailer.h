/* SPDX-License-Identifier: MIT */
/*
 * mailer: a report on its way: composed into the spool, then sent if there is
 * a server.  A mail that cannot be sent changes nothing but a warning.
 */
#ifndef CORE_MAILER_H
#define CORE_MAILER_H

#include <stddef.h>
#include <stdint.h>
#include "err.h"
#include "util.h"

struct attach_log;
struct settings;
struct settings_disk;

struct mailer_message {
	const struct settings_disk *disk; /* its addresses hear too; or NULL */
	const char *subject;
	const char *body;
	const struct attach_log *logs; /* attached */
	size_t logs_len;
	int64_t timeout_ms; /* 0 = as configured */
};

/*
 * To the sysops and the disk's own addresses, copy to cc.  Also tries what
 * waits in the spool.
 * 0: sent, or in the spool because no server is configured (told by a notice).
 * Negative errno with a sentence: it waits in the spool, or, when even that
 * failed, is lost.
 */
int mailer_send(const struct settings *s, const struct mailer_message *m,
        struct err *err);

/* Only into the spool; whoever sends next (asbackup-mail.timer) sends it.
 * *ret_path (free()) is where it lies.  0 or negative errno. */
int mailer_keep(const struct settings *s, const struct mailer_message *m,
        char **ret_path, struct err *err) _must_check_;

/* A mail that says nothing but that mails arrive, to the sysops and, unless
 * @disk is NULL, to those who hear of that disk. As mailer_send(). */
int mailer_test(const struct settings *s, const struct settings_disk *disk,
        struct err *err);

/* Only what waits: for the timer. Returns how many still wait, or negative. */
int mailer_flush(const struct settings *s, struct err *err);

#endif

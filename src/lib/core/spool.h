/* SPDX-License-Identifier: MIT */
/*
 * spool: mails that wait, in a directory.
 *
 * Each mail is two files with one name:
 *
 *	20261120T184509.123456Z-1f3a9c02.eml   the message, as it is sent
 *	20261120T184509.123456Z-1f3a9c02.env   from, to, attempts, next time,
 *	                                       last error; lines "key: value"
 *	failed/                                the same, refused for good
 *
 * The .env is written first; a mail exists from the moment its .eml has its
 * name (fsync, rename, fsync), and is gone from the moment that is unlinked.
 * So a crash at any instruction loses no mail.  It sends none twice except
 * when it comes between the server's "250" and the unlink, or when that "250"
 * is lost on the way (RFC 1047; the Message-ID is the same both times).
 * Whoever sends holds an flock(2) on the .eml; others pass it by meanwhile.
 *
 * Files have mode 0600, directories made here 0700.  The newest 200 are kept,
 * here and in failed/; what is dropped is warned of in the log.
 * To try a failed mail again, move both of its files one directory up.
 */
#ifndef CORE_SPOOL_H
#define CORE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"
#include "str.h"

struct mail_server;
struct mime_message;

#define SPOOL_KEEP 200

/*
 * Composes @m into @dir (which is made unless it is there); the recipients
 * are those of To and Cc, each once.  When it returns 0 the mail survives a
 * power cut, and *ret_path (may be NULL; free()) is the path of its .eml.
 * Negative errno with @err: nothing is left behind.
 */
int spool_put(const char *dir, const struct mime_message *m, char **ret_path,
        struct err *err) _must_check_;

struct spool_result {
	int sent;    /* taken by the server, gone from here */
	int waiting; /* tried, and will be again */
	int failed;  /* moved to failed/ */
	int not_due; /* not tried: too early, no time left, busy, no server */
	int refused; /* mails of which somebody got nothing, for good */
	struct err err; /* of the last that was not sent; code 0 = none */
};

/*
 * Sends the mail whose .eml is @path, now, whatever its back-off says, within
 * server->timeout_ms.  @server NULL or without a host: nothing is tried.
 * Returns 0 when it was sent (to everybody who can be reached); 1 when it
 * stays in the spool; 2 when it is in failed/ now; negative errno when the
 * spool itself does not work (-ENOENT: somebody else has sent it).  @err says
 * why for all but 0; action and meaning are filled in.
 */
int spool_send(const char *path, const struct mail_server *server,
        struct err *err) _must_check_;

struct spool_flush {
	const char *dir;
	const struct mail_server *server; /* NULL or no host: only counted */
	int max;          /* how many are tried at most; 0 = all */
	int64_t limit_ms; /* for all of them together */
	bool force;       /* also those whose time has not come */
};

/*
 * Sends what waits, oldest first, and clears away what crashes left behind.
 * Ends early at a fault that all would share (see MAIL_SETUP) and after the
 * second one in a row that could not be sent for now.
 * Returns 0 with *ret; a directory that is not there is empty.  Negative errno
 * with @err when the directory cannot be read.
 */
int spool_flush(const struct spool_flush *f, struct spool_result *ret,
        struct err *err) _must_check_;

/* The names of the .eml files in @dir, oldest first. 0 or negative errno; a
 * directory that is not there is empty. */
int spool_list(const char *dir, struct strv *ret, struct err *err) _must_check_;

/* When to try again after @attempts failures: 5 min, 10, 20, ... 4 h. */
int64_t spool_backoff_s(int attempts);

#endif

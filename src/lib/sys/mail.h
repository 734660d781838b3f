/* SPDX-License-Identifier: MIT */
/*
 * mail: handing one finished message to an SMTP server (libesmtp, openssl).
 *
 * One child process per message (the library's second STARTTLS in a process
 * crashes, its connect has no time limit, its error state is never cleared);
 * the parent waits at most timeout_ms in all, then kills it.  TLS is 1.2 with
 * verified certificate and name, or the message is not sent; a password is
 * never sent without TLS; bytes behind the STARTTLS reply end the attempt.
 * TLS from the first byte (port 465) is not possible.
 *
 * A caught signal (sig.h) ends the attempt: MAIL_TEMPORARY.
 */
#ifndef SYS_MAIL_H
#define SYS_MAIL_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

struct mail_server {
	const char *host; /* name or IPv4 address */
	int port;
	bool starttls;        /* required, not opportunistic */
	const char *username; /* "" = no AUTH */
	const char *password;
	const char *ca_file; /* "" = the system's certificates */
	int64_t timeout_ms;  /* in all */
};

enum mail_verdict {
	MAIL_SENT,      /* every recipient was accepted */
	MAIL_PARTLY,    /* somebody was accepted, somebody not; do not repeat it
	                 * to those who were */
	MAIL_TEMPORARY, /* try again later */
	MAIL_PERMANENT, /* this message is refused for good; keep it */
	MAIL_SETUP,     /* no message will go before the settings or the server
	                 * change (certificate, login, no STARTTLS, ...) */
};

enum mail_rcpt {
	MAIL_RCPT_OPEN,     /* it did not come to that */
	MAIL_RCPT_ACCEPTED, /* and only then: the server has the message */
	MAIL_RCPT_LATER,    /* refused for now (4xx) */
	MAIL_RCPT_REFUSED,  /* refused for good (5xx) */
};

/* More recipients than this are refused (MAIL_PERMANENT). */
#define MAIL_TO_MAX 100

/*
 * Sends the message in @fd (a regular file, CRLF line ends, at most 998 bytes
 * a line, read from its start) from @from to @to (NULL-terminated).
 * Returns the verdict; @err says what the server said last, for all verdicts
 * but MAIL_SENT.
 */
enum mail_verdict mail_send(const struct mail_server *server, const char *from,
        char *const *to, int fd, struct err *err);

/*
 * The same, and tells what became of each recipient: @ret_rcpt has as many
 * entries as @to.  With MAIL_PARTLY those that are MAIL_RCPT_LATER may be
 * tried again, alone.
 *
 * A message is sent twice only when the server took it and its answer did not
 * arrive (RFC 1047); then the verdict is MAIL_TEMPORARY.
 */
enum mail_verdict mail_send_each(const struct mail_server *server,
        const char *from, char *const *to, int fd, enum mail_rcpt *ret_rcpt,
        struct err *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * mail_internal: what the process that speaks SMTP (mail_esmtp.c) and the one
 * that judges (mail.c) share.
 *
 * The facts lie in memory shared by both, so that they survive a child that
 * had to be killed: a message that the server has accepted is not sent again
 * because the good-bye took too long.
 */
#ifndef SYS_MAIL_INTERNAL_H
#define SYS_MAIL_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "sys/mail.h"

#define MAIL_TEXT_SIZE 400

enum mail_phase {
	MAIL_PHASE_CONNECT,
	MAIL_PHASE_GREETING,
	MAIL_PHASE_HELLO,
	MAIL_PHASE_STARTTLS,
	MAIL_PHASE_AUTH,
	MAIL_PHASE_ENVELOPE, /* MAIL, RCPT and the DATA command */
	MAIL_PHASE_BODY,     /* the message itself, and the answer to it */
	MAIL_PHASE_QUIT,
	MAIL_PHASES,
};

/* An answer of the server: its code (0 = none) and its text. */
struct mail_reply {
	int code;
	char text[MAIL_TEXT_SIZE];
};

/* A recipient that was not accepted. */
struct mail_refusal {
	struct mail_reply reply;
	char to[256];
};

struct mail_facts {
	enum mail_phase phase; /* what was done last */
	bool tls_done;         /* handshake and certificate are good */
	bool auth_done;        /* the server took the password */
	bool no_starttls;      /* the server does not offer it */
	bool no_login;         /* nor any AUTH that we know */
	bool injected;         /* bytes behind the STARTTLS reply */
	bool flooded;          /* far too much text from the server */
	bool read_failed;      /* our own file */
	bool nomem;            /* or the library could not be set up */
	bool tls_broken_off;   /* tls_error: the line, not the peer */
	char tls_error[MAIL_TEXT_SIZE];
	char lib_error[MAIL_TEXT_SIZE]; /* what the library says; for connect */
	struct mail_reply refused[MAIL_PHASES]; /* last refusal by phase */
	struct mail_reply sender;               /* answer to MAIL */
	struct mail_refusal refused_to;         /* first recipient with 5xx */
	struct mail_refusal later_to;           /* first recipient with 4xx */
	struct mail_reply transfer;             /* answer to the message */
	int rcpt_code[MAIL_TO_MAX];             /* answers to RCPT */
	/* Set last, when all the answers above are final: the server has said
	 * what it does with the message. */
	int answered;
};

struct mail_job {
	const struct mail_server *server;
	const char *from;
	char *const *to;
	int fd;
	int64_t size; /* of the file */
	struct mail_facts *facts;
};

/* For proc_task(): one SMTP session; arg is a struct mail_job. Always 0; what
 * happened is in the facts. */
int mail_esmtp_session(void *arg, void *reply, struct err *err);

#endif

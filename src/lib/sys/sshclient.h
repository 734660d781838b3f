/* SPDX-License-Identifier: MIT */
/*
 * sshclient: one connection to one host, as a client (libssh).
 *
 * Nothing here blocks, so that one thread serves hundreds of connections:
 *
 *	r = sshclient_open(&s, &options, fd, err);    fd: connected socket
 *	...
 *	poll(2) sshclient_fd() for sshclient_events(), then
 *	r = sshclient_pump(s, err);           until SSHCLIENT_READY or < 0
 *	...
 *	r = sshclient_exec(s, "uptime", &handlers, err);
 *	poll and sshclient_pump() as before; the handlers are called from there
 *	...
 *	sshclient_close(s);
 *
 * The caller brings the socket, for libssh's own way blocks in the resolver
 * and goes on to the next address only when the first fails at once; and the
 * caller keeps the time, for libssh does not see a host that has frozen.
 * sshclient_pump() is called as well after sshclient_exec(), sshclient_write()
 * and sshclient_resume(): it never waits.  (But for sshclient_options.ask, and
 * for $SSH_AUTH_SOCK: three seconds at the most for an agent that is frozen,
 * but as long as a person takes whom the agent asks before it signs.)
 *
 * A host key is compared before anything secret is sent.  Only a key that is
 * known for this host is accepted, with accept_new one that was never seen too
 * (and kept then); a changed key never.
 *
 * A program on the host is given to its login shell by sshd, as ssh(1) does.
 */
#ifndef SYS_SSHCLIENT_H
#define SYS_SSHCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "err.h"
#include "util.h"

struct sshclient;

enum sshclient_question {
	SSHCLIENT_ASK_PASSPHRASE, /* of the key file that the text names */
	SSHCLIENT_ASK_PASSWORD,   /* of the user, the text is USER@HOST */
	SSHCLIENT_ASK_ANSWER, /* keyboard-interactive; the text is the host's */
};

struct sshclient_options {
	const char *host; /* as it stands in known_hosts */
	unsigned port;    /* likewise */
	const char *user;
	/* NULL-terminated; those that are there are asked in order, a new key
	 * goes into the first. */
	const char *const *known_hosts;
	bool accept_new;
	/* Private keys, NULL-terminated, tried in order; FILE-cert.pub beside
	 * one is used when it is there. Missing files are passed over. */
	const char *const *identities;
	bool agent; /* then those of $SSH_AUTH_SOCK; last come the files that
	             * need a passphrase */
	/* Asked in the middle of sshclient_pump(). Returns a string (the caller
	 * wipes and frees it) or NULL: none. May be NULL: nobody to ask. */
	char *(*ask)(enum sshclient_question what, const char *text, void *arg);
	void *ask_arg;
};

/* What a program on the host has come to. */
struct sshclient_end {
	int status;      /* 0-255; -1 when it did not say */
	char signal[16]; /* "TERM"; "" when no signal ended it */
};

struct sshclient_handlers {
	/* Bytes of its standard output or error, at most 64 KiB, all of which
	 * are taken. False: no more until sshclient_resume(); the host is made
	 * to wait then. */
	bool (*on_data)(
	        bool is_stderr, const char *data, size_t len, void *arg);
	/* It has ended and everything has been delivered. Afterwards another
	 * sshclient_exec() is possible. */
	void (*on_end)(const struct sshclient_end *end, void *arg);
	void *arg;
};

enum sshclient_state {
	SSHCLIENT_CONNECTING = 0, /* keys are exchanged, the login goes on */
	SSHCLIENT_READY = 1,      /* logged in */
};

/*
 * Begins. @fd (non-blocking, connected) belongs to the connection from here
 * on, also on failure.  Everything in @options is copied, but for the
 * identities' files, which are read while logging in.
 * 0 or a negative errno.
 */
int sshclient_open(struct sshclient **ret,
        const struct sshclient_options *options, int fd,
        struct err *err) _must_check_;
/* NULL is fine; says good-bye if it can.  Fine inside of a handler: no other
 * one is called any more, and sshclient_pump() returns -ECANCELED. */
void sshclient_close(struct sshclient *s);
#define _cleanup_sshclient_ _cleanup_(sshclient_closep)
void sshclient_closep(struct sshclient **s);

/* For poll(2). */
int sshclient_fd(const struct sshclient *s);
short sshclient_events(const struct sshclient *s);

/*
 * Does what can be done without waiting.  enum sshclient_state, or
 *   -ENOTCONN     the host or the line closed the connection
 *   -EPROTO       it does not speak SSH, or nothing that we speak
 *   -EKEYREJECTED its host key is not known, or has changed
 *   -EACCES       it refuses the login
 *   -EAGAIN       it lets no program run, see sshclient_exec()
 *   -ECANCELED    a handler has closed it; @s is gone
 *   -ENOMEM and others
 * with @err; afterwards only sshclient_close() is possible, but after -EAGAIN
 * everything and after -ECANCELED nothing.
 */
int sshclient_pump(struct sshclient *s, struct err *err) _must_check_;

/* "SHA256:..." of the host's key, once SSHCLIENT_READY; else "". */
const char *sshclient_host_key(const struct sshclient *s);

/*
 * Has the host's login shell run @command; one at a time.  @handlers is
 * copied.  0; -EBUSY while another runs; -ENOMEM.  That the host refuses
 * (MaxSessions) comes from sshclient_pump() as -EAGAIN, and the connection
 * stays usable then.
 */
int sshclient_exec(struct sshclient *s, const char *command,
        const struct sshclient_handlers *handlers,
        struct err *err) _must_check_;
/* Appends to the program's standard input, as far as the host takes it now:
 * the number of bytes, 0 = later (after sshclient_pump()), or negative errno.
 */
ssize_t sshclient_write(struct sshclient *s, const void *data, size_t len);
/* No more input will come. */
int sshclient_write_end(struct sshclient *s);
/* The handler can take data again. */
void sshclient_resume(struct sshclient *s);

#endif

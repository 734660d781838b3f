/* SPDX-License-Identifier: MIT */
/*
 * remote: a host that is reached, lost and reached again.
 *
 *	r = remote_new(&remote, &loop, &options, &handlers, err);
 *	remote_connect(remote);         on_up, or on_failed after all attempts
 *	remote_exec(remote, ...);       its handlers; on_lost when it breaks
 *	remote_connect(remote);         and so on
 *	remote_free(remote);
 *
 * An attempt goes through the layers one by one (ping, TCP, SSH, login), and
 * its error names the one that failed.  Every handler is called from
 * loop_step(), and in each of them everything here may be called.
 */
#ifndef CORE_REMOTE_H
#define CORE_REMOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "err.h"

struct loop;
struct remote;
struct sshclient_handlers;
struct sshclient_options;

struct remote_options {
	const char *address; /* name or number to connect to */
	unsigned port;
	const char *proxy; /* a shell command whose standard input and output
	                    * are the connection, instead; or NULL */
	const struct sshclient_options *ssh; /* copied when it is used; stays
	                                      * the caller's and valid */
	int connect_timeout_ms;              /* one attempt, with the login */
	int retries;                         /* attempts after the first */
	int delay_ms;                        /* between them */
};

struct remote_handlers {
	void (*on_up)(void *arg);
	/* All attempts failed, or one in a way that another would not mend. */
	void (*on_failed)(const struct err *err, void *arg);
	/* It was up. */
	void (*on_lost)(const struct err *err, void *arg);
	/* An attempt failed, the next one begins in @delay_ms. May be NULL. */
	void (*on_retry)(const struct err *err, int delay_ms, void *arg);
	/* Up, and there may be room for remote_write(). May be NULL. */
	void (*on_room)(void *arg);
	void *arg;
};

int remote_new(struct remote **ret, struct loop *loop,
        const struct remote_options *options,
        const struct remote_handlers *handlers, struct err *err) _must_check_;
/* NULL is fine. After it, and after remote_drop() and remote_connect(), no
 * handler is called for the connection of before. */
void remote_free(struct remote *r);

/* Begins the attempts anew; whatever was connected is dropped. */
void remote_connect(struct remote *r);
/* The same, but after the delay. */
void remote_connect_later(struct remote *r);
/* Drops the connection, without a word to any handler. */
void remote_drop(struct remote *r);

/* As sshclient_exec(), sshclient_write(), sshclient_write_end(),
 * sshclient_resume(); -ENOTCONN when it is not up. */
int remote_exec(struct remote *r, const char *command,
        const struct sshclient_handlers *handlers,
        struct err *err) _must_check_;
ssize_t remote_write(struct remote *r, const void *data, size_t len);
int remote_write_end(struct remote *r);
void remote_resume(struct remote *r);

#endif

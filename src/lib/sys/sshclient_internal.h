/* SPDX-License-Identifier: MIT */
/*
 * sshclient_internal: what the sshclient*.c files share; libssh's types are
 * only named.
 */
#ifndef SYS_SSHCLIENT_INTERNAL_H
#define SYS_SSHCLIENT_INTERNAL_H

#include "str.h"
#include "sys/sshclient.h"

struct ssh_session_struct;
struct ssh_event_struct;
struct ssh_channel_struct;
struct ssh_key_struct;
struct sshclient_exec;

/* One after the other; each is tried again until libssh does not say AGAIN any
 * more. */
enum sshclient_phase {
	SSHCLIENT_KEX,
	SSHCLIENT_LOGIN_NONE, /* asks what the host takes; some take that */
	SSHCLIENT_LOGIN_KEY,
	SSHCLIENT_LOGIN_AGENT,
	SSHCLIENT_LOGIN_LOCKED_KEY, /* when the agent does not have it */
	SSHCLIENT_LOGIN_ANSWER,
	SSHCLIENT_LOGIN_PASSWORD,
	SSHCLIENT_LOGGED_IN,
};

struct sshclient {
	struct ssh_session_struct *session;
	int fd;      /* the socket, unless libssh has closed it */
	ino_t inode; /* of it */
	struct ssh_event_struct *event; /* its packets, once logged in */
	enum sshclient_phase phase;
	char *host;
	unsigned port;
	char *user;
	struct strv known_hosts;
	struct strv identities;
	bool accept_new;
	bool agent;
	bool agent_answers; /* was looked at, in this login */
	char *(*ask)(enum sshclient_question what, const char *text, void *arg);
	void *ask_arg;
	char key[64]; /* fingerprint of the host's */

	size_t identity;                    /* the one being tried */
	struct ssh_key_struct *private_key; /* of that */
	struct ssh_key_struct *public_key;  /* likewise, while locked */
	char *password;                     /* being tried; NULL = none yet */
	int asked;                          /* how often it was asked for */
	bool pumping; /* sshclient_pump() is on the stack */
	bool doomed;  /* closed by a handler: it frees everything */

	struct sshclient_exec *exec; /* NULL: no program */
};

/* Does what can be done for the program without waiting: 0 or as
 * sshclient_pump(). */
int sshclient_exec_pump(struct sshclient *s, struct err *err);
/* Without saying anything to the host. */
void sshclient_exec_free(struct sshclient *s);

/* Asks $SSH_AUTH_SOCK and waits for seconds at the most; warns when it is
 * there, but silent, and does not ask again for a minute. */
bool sshclient_agent_answers(void);

/* libssh's own words, made safe to show; static. */
const char *sshclient_reason(const struct sshclient *s);

#endif

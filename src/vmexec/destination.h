/* SPDX-License-Identifier: MIT */
/*
 * destination: [USER@]HOST[:PORT] and what ssh's own configuration says of it.
 *
 * "ssh -G" is asked, for nobody else reads ssh_config(5) as ssh does: aliases,
 * Match, Include, ProxyJump.  Without ssh installed there are the defaults.
 */
#ifndef VMEXEC_DESTINATION_H
#define VMEXEC_DESTINATION_H

#include "err.h"
#include "str.h"

struct destination_request {
	const char *text;              /* [USER@]HOST[:PORT] */
	const char *port;              /* -p, or NULL */
	const char *user;              /* -l, or NULL */
	const char *config;            /* -F, or NULL */
	const char *known_hosts;       /* --known-hosts, or NULL */
	const struct strv *identities; /* -i */
};

struct destination {
	char *name;    /* as it was given, for messages */
	char *typed;   /* the host in it */
	char *address; /* to connect to */
	char *host;    /* as it stands in known_hosts */
	unsigned port;
	unsigned known_port; /* likewise as it stands in known_hosts */
	char *user;
	struct strv identities;
	struct strv known_hosts;
	struct strv known_global; /* of all users; then part of known_hosts */
	char *proxy;          /* a shell command whose standard input and output
	                       * are the connection; NULL = none */
	bool identities_only; /* no other keys of the agent */
};

/* 0; -EINVAL: not a destination; others; with @err. */
int destination_find(struct destination *d,
        const struct destination_request *request,
        struct err *err) _must_check_;
void destination_done(struct destination *d);

#endif

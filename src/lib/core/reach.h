/* SPDX-License-Identifier: MIT */
/*
 * reach: a TCP connection to a host, and why there is none.
 *
 * All addresses of the name are tried, each a quarter of a second after the
 * one before (RFC 8305), so that a black hole behind the first one costs
 * nothing.  At the same time the first address is pinged; a host that does not
 * answer that is not dead for it, but when TCP fails the answer tells which of
 * both is.
 */
#ifndef CORE_REACH_H
#define CORE_REACH_H

#include <stdint.h>
#include "err.h"

struct loop;
struct reach;

enum reach_ping {
	REACH_PING_UNKNOWN, /* not tried, not allowed */
	REACH_PING_SILENT,  /* no answer (yet) */
	REACH_PING_ANSWERED,
};

struct reach_result {
	int fd; /* connected, non-blocking, close-on-exec; the handler's; or
	         * negative errno: -EHOSTUNREACH, -ECONNREFUSED, -ETIMEDOUT */
	enum reach_ping ping;
	char address[64]; /* the one that answered, or was tried first */
	struct err err;   /* when fd < 0 */
};

/*
 * Begins; @on_done is called once, from loop_step(), at the latest after
 * @timeout_ms; @r may be freed in it.  0 or negative errno with @err.
 */
int reach_start(struct reach **ret, struct loop *loop, const char *host,
        unsigned port, int64_t timeout_ms,
        void (*on_done)(const struct reach_result *result, void *arg),
        void *arg, struct err *err) _must_check_;
void reach_free(struct reach *r); /* NULL is fine; ends it without a word */

#endif

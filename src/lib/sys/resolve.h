/* SPDX-License-Identifier: MIT */
/*
 * resolve: the addresses of a name, without waiting (getaddrinfo_a(3)).
 */
#ifndef SYS_RESOLVE_H
#define SYS_RESOLVE_H

#include "err.h"

struct addrinfo;
struct resolve;

/*
 * Begins.  resolve_fd() becomes readable when the answer is there.
 * 0 or negative errno with @err.
 */
int resolve_start(struct resolve **ret, const char *host, unsigned port,
        struct err *err) _must_check_;
int resolve_fd(const struct resolve *r);
/*
 * The answer: 0 and a list, which belongs to @r; -EAGAIN while there is none;
 * -EHOSTUNREACH when the name has no address, with @err.
 */
int resolve_answer(const struct resolve *r, const struct addrinfo **ret,
        struct err *err) _must_check_;
/* Also while no answer is there. NULL is fine. */
void resolve_free(struct resolve *r);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * ticket: a place in the queue (queue/ of lockdir.h).
 *
 * A file "PLACE.KIND.NONCE"; its flock(2) means that whoever waits with it is
 * alive, its text (lease_record.h) who that is.  Made and reaped under the gate
 * only; a name is never used twice, so nobody writes over a dead ticket.
 */
#ifndef CORE_TICKET_H
#define CORE_TICKET_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

struct lease_record;

enum ticket_kind { TICKET_COPY = 'c', TICKET_JOB = 'j' };

#define TICKET_NAME 64

struct ticket {
	int fd;                 /* its lock; -1 = none */
	char name[TICKET_NAME]; /* below queue/ */
	uint64_t place;
};

#define TICKET_INIT ((struct ticket){.fd = -1})

/* Under the gate: behind everybody who waits. */
int ticket_take(int queue_fd, enum ticket_kind kind,
        const struct lease_record *rec, struct ticket *ret,
        struct err *err) _must_check_;
/* Takes it away: the file first, then the lock. */
void ticket_drop(int queue_fd, struct ticket *t);

/* One ticket of the queue, as found. */
struct ticket_entry {
	char name[TICKET_NAME];
	enum ticket_kind kind;
	uint64_t place;
	bool is_alive;
};
/* Every ticket, by place; @fn returns 0 to go on; non-zero is handed on. */
int ticket_each(int queue_fd,
        int (*fn)(const struct ticket_entry *e, void *arg), void *arg,
        struct err *err);

#endif

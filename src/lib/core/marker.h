/* SPDX-License-Identifier: MIT */
/*
 * marker: how a disk proves that it is the one we know.
 *
 * .asbackup/marker.json on the disk names the disk, the last run and the state
 * of its copy, and carries an HMAC made with this server's key
 * (STATE/server.key, 0600) over UUID, hardware serial, size and run.  The state
 * of the copy is not signed: it is information, the ledger on the server
 * decides.
 */
#ifndef CORE_MARKER_H
#define CORE_MARKER_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

struct disk;
struct target;

#define MARKER_DIR ".asbackup"

enum marker_state { MARKER_COPYING, MARKER_INCOMPLETE, MARKER_COMPLETE };

struct marker {
	char uuid[64];
	char serial[128];
	uint64_t size_bytes;
	char title[256];
	char server[128]; /* host name; for people */
	int64_t run;      /* number of the last run that wrote here */
	enum marker_state state;
	int64_t started;
	int64_t ended;
	char mac[65];
};

enum marker_verdict {
	MARKER_OURS,    /* signature good and for this very disk */
	MARKER_NONE,    /* no marker */
	MARKER_FOREIGN, /* of another server, or damaged, or forged */
	MARKER_MOVED,   /* signature good, but for other hardware: a clone */
};

/* Reads .asbackup/marker.json below t->root_fd. 0 and *verdict, *ret (zeroed
 * when NONE), or negative errno when the disk cannot be read or .asbackup is
 * a link (-ELOOP). */
int marker_read(const struct target *t, const char *state_directory,
        struct marker *ret, enum marker_verdict *verdict,
        struct err *err) _must_check_;

/* Signs and writes it durably, creating .asbackup (0700) when needed. Fills in
 * uuid, serial, size, server and mac of @m itself. */
int marker_write(const struct target *t, const char *state_directory,
        struct marker *m, struct err *err) _must_check_;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * termsafe: a host's output on a terminal, without what could reprogram it.
 *
 * Printable UTF-8, newline, carriage return, tab and backspace pass, and so do
 * colours (SGR, ECMA-48 8.3.117) and erasing in the line, which progress bars
 * use.  All other control sequences and bytes are shown, as "\x1b" and the
 * like, instead of being executed: a title that is typed back, a changed key
 * map, other lines written over.  A colour may still hide a text.  Works on
 * pieces: a sequence may be torn anywhere.
 */
#ifndef CORE_TERMSAFE_H
#define CORE_TERMSAFE_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

#define TERMSAFE_SEQUENCE_MAX 64

/* How the terminal is left, by what has passed so far. */
struct termsafe_place {
	bool in_line;   /* not at the beginning of a line */
	bool is_styled; /* in a colour and the like */
};

struct termsafe {
	struct termsafe_place place; /* two streams on one terminal take it
	                              * from each other */
	bool strip; /* the other way round: for files; every sequence goes,
	             * colours too, and all else passes as it is */
	char held[TERMSAFE_SEQUENCE_MAX]; /* the beginning of a sequence */
	size_t len;
};

/* Appends what may be shown of the next bytes. */
void termsafe_feed(
        struct termsafe *t, struct buf *out, const char *data, size_t len);
/* What is held back still, at the end. */
void termsafe_end(struct termsafe *t, struct buf *out);

#endif

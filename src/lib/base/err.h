/* SPDX-License-Identifier: MIT */
/*
 * err: an error as a value.
 *
 * A library function that can fail returns 0 or a negative errno and, where a
 * person needs a sentence, fills in a struct err given as its last argument.
 * The library never prints and never exits; the program shows the error once.
 * The same value goes to the terminal, the journal, the mail, the status file
 * and the page, so it is plain data without pointers: it can be copied with =.
 *
 * Texts are in the language that i18n_init() chose when they were set.
 * Control characters in arguments are the business of whoever shows the text
 * (see text.h), not of whoever sets it.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "util.h"

struct err {
	int code;           /* negative errno; 0 = nothing happened */
	char message[1024]; /* what happened, a sentence without full stop */
	char meaning[512];  /* what it means for the backup; "" = unknown */
	char action[768];   /* what to do now; "" = unknown */
};

#define ERR_INIT ((struct err){.code = 0})

/*
 * Sets code and message; forgets an earlier meaning and action.
 * Too long texts are cut at a UTF-8 boundary and end in "...".
 * @err may be NULL (nothing is recorded).  Returns @code, so that
 * "return err_set(err, -EINVAL, ...)" reads well.
 */
int err_set(struct err *err, int code, const char *fmt, ...) _printf_(3, 4);
/* The same, and ": " + strerror(-code) is appended to the message. */
int err_sys(struct err *err, int code, const char *fmt, ...) _printf_(3, 4);
/* Out of memory: sets the standard text, returns -ENOMEM. */
int err_nomem(struct err *err);

/* Puts "fmt: " in front of the message; keeps the rest.  Returns nothing, for
 * it has nothing to return without @err: a caller that passed that on would
 * turn a failure into success. */
void err_prefix(struct err *err, const char *fmt, ...) _printf_(2, 3);

/* What it means for the backup; what to do now. Overwrites, or only when
 * still empty for the _default variants. */
void err_meaning(struct err *err, const char *fmt, ...) _printf_(2, 3);
void err_action(struct err *err, const char *fmt, ...) _printf_(2, 3);
void err_meaning_default(struct err *err, const char *fmt, ...) _printf_(2, 3);
void err_action_default(struct err *err, const char *fmt, ...) _printf_(2, 3);

/* strerror() of a negative or positive errno, thread-safe, in the language of
 * the locale; never NULL. */
const char *err_text(int code);

#endif

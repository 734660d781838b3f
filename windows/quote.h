/* SPDX-License-Identifier: MIT */
/* quote: from a list of arguments to the one command line of Windows.
 *
 * Windows hands a program its arguments as one string, which the program takes
 * apart again by the rules of CommandLineToArgvW.  What goes in here comes out
 * there. */
#ifndef QUOTE_H
#define QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* The longest command line that CreateProcess takes, with its end. */
#define QUOTE_MAX 32767

struct quote {
	size_t length;           /* characters in text */
	bool overflow;           /* an argument did not fit, text is unusable */
	wchar_t text[QUOTE_MAX]; /* the command line, always with an end */
};

/* quote_init: an empty command line. */
void quote_init(struct quote *q);

/* quote_add: one more argument.  The first one is the program, whose name must
 * not contain a quote (no file's name can). */
void quote_add(struct quote *q, const wchar_t *argument);

#endif

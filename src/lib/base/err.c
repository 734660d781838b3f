/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "i18n.h"
#include "str.h"

/* Room to compose in: one byte more than the longest member, so that a text
 * that had to be cut is noticed. */
#define COMPOSE_SIZE (sizeof(((struct err *)NULL)->message) + 1)

/* Copies @text into @dst; what does not fit is cut and ends in "...". */
static void store(char *dst, size_t size, const char *text)
{
	if (str_copy(dst, size, text) == 0)
		return;
	(void)str_copy(dst, size - 3, text);
	memcpy(dst + strlen(dst), "...", sizeof("..."));
}

/* Composes aside first: an argument may point into the text to be replaced,
 * as in err_set(err, code, "%s", err->message). */
static _printf_(3, 0) void compose(
        char *dst, size_t size, const char *fmt, va_list ap)
{
	char tmp[COMPOSE_SIZE];

	if (vsnprintf(tmp, sizeof(tmp), fmt, ap) < 0)
		(void)str_copy(tmp, sizeof(tmp), fmt);
	store(dst, size, tmp);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;

	va_start(ap, fmt);
	compose(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	err->code = code;
	err->meaning[0] = '\0';
	err->action[0] = '\0';
	return code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	char tmp[COMPOSE_SIZE], text[COMPOSE_SIZE];
	va_list ap;

	if (!err)
		return code;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		(void)str_copy(text, sizeof(text), fmt);
	va_end(ap);

	/* The reason is worth more than the end of a long name. */
	(void)snprintf(tmp, sizeof(tmp), ": %s", err_text(code));
	store(err->message, sizeof(err->message) - strlen(tmp), text);
	memcpy(err->message + strlen(err->message), tmp, strlen(tmp) + 1);
	err->code = code;
	err->meaning[0] = '\0';
	err->action[0] = '\0';
	return code;
}

int err_nomem(struct err *err)
{
	return err_set(err, -ENOMEM, "%s", _("out of memory"));
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char tmp[2 * COMPOSE_SIZE + 2];
	size_t used;
	va_list ap;

	if (!err)
		return;

	va_start(ap, fmt);
	compose(tmp, COMPOSE_SIZE, fmt, ap);
	va_end(ap);
	used = strlen(tmp);
	(void)snprintf(tmp + used, sizeof(tmp) - used, ": %s", err->message);
	store(err->message, sizeof(err->message), tmp);
}

void err_meaning(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	compose(err->meaning, sizeof(err->meaning), fmt, ap);
	va_end(ap);
}

void err_action(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	compose(err->action, sizeof(err->action), fmt, ap);
	va_end(ap);
}

void err_meaning_default(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->meaning[0])
		return;
	va_start(ap, fmt);
	compose(err->meaning, sizeof(err->meaning), fmt, ap);
	va_end(ap);
}

void err_action_default(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->action[0])
		return;
	va_start(ap, fmt);
	compose(err->action, sizeof(err->action), fmt, ap);
	va_end(ap);
}

const char *err_text(int code)
{
	static _Thread_local char text[128];

	/* The GNU variant: returns the text, not an int. Takes only positive
	 * numbers; INT_MIN has no positive twin. */
	if (code < 0)
		code = code == INT_MIN ? INT_MAX : -code;
	return strerror_r(code, text, sizeof(text));
}

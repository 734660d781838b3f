/* SPDX-License-Identifier: MIT */
/* log: what happened, for the administrator of the Veeam server.
 *
 * To a file (UTF-8, a line "time program[process] level: text" each), to
 * standard output, and one sentence in the end to the event log of Windows. */
#ifndef LOG_H
#define LOG_H

#include <wchar.h>

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR };

/* log_start: until now, lines go to standard output alone.
 *
 *	program		name of this program
 *	path		the file, in a directory that only administrators can
 *			write to, or others could make it a link to any other;
 *			empty: none
 *
 * A file of more than a megabyte becomes PATH.1.  A file that can not be
 * written to is said and does no other harm. */
void log_start(const wchar_t *program, const wchar_t *path);

/* log_line: one line, made as printf() does. */
void log_line(enum log_level level, const wchar_t *format, ...);

/* log_event: the same, and an event of source "asbackup": number 1, 2 or 3 for
 * information, warning and error. */
void log_event(enum log_level level, const wchar_t *format, ...);

#endif

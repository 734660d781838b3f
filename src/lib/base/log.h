/* SPDX-License-Identifier: MIT */
/*
 * log: lines for the operator, the journal and the log file.
 *
 * err      the run failed
 * warning  someone should look
 * notice   start and end
 * info     one line per step
 * debug    everything else
 *
 * Where lines go is decided once by log_open(): standard error (short and
 * coloured on a terminal unless NO_COLOR is set; with "<N>" priorities when
 * $JOURNAL_STREAM names it (device:inode, see systemd.exec(5)); plain
 * otherwise) and, if asked for, a file with ISO 8601 time stamps.
 *
 * Every line passes one filter: control characters and broken UTF-8 become
 * visible escapes (text.h), registered secrets become "****", a newline in
 * the text becomes "\n".  So a hostile file name cannot forge a log line.
 *
 * A log file that cannot be written is not an error of the program: the first
 * failure is remembered and log_is_incomplete() tells it to the report.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include "err.h"
#include "util.h"

enum log_level {
	LOG_LEVEL_ERR = 3, /* the numbers are syslog's, see syslog(3) */
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Sets the highest level shown on standard error (default NOTICE), and
 * detects what standard error is. Call once, early. */
void log_init(enum log_level max_level);
void log_set_level(enum log_level max_level);

/*
 * Appends to @path from now on, everything up to INFO (DEBUG as well when
 * log_set_level was given DEBUG).  Created with mode 0640; a symbolic link in
 * the last component is refused.  Returns 0 or a negative errno with @err.
 */
int log_open_file(const char *path, struct err *err);
void log_close(void);
bool log_is_incomplete(void);

/* Masks every later occurrence of @secret (at least 3 bytes, else ignored).
 * The string is copied.  Also used by text that leaves in other ways:
 * log_mask() masks in place, keeping the length. */
void log_add_secret(const char *secret);
void log_mask(char *text);

/* The progress line of a terminal: redrawn in place, cleared before the next
 * log line.  Does nothing unless standard error is a terminal. */
void log_progress(const char *line);

/* Written to standard error once, before the next line there: ends what
 * somebody else has left open on the terminal. A constant; "" = nothing. */
void log_set_lead(const char *lead);
/* It has not been written yet. */
bool log_has_lead(void);

/* The last lines (up to 20, oldest first) of level NOTICE and more important
 * or INFO, as one string with newlines; caller frees. NULL = out of memory. */
char *log_tail(void);

void log_write(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_err(...) log_write(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Shows message, meaning and action of @err as up to three lines. */
void log_show_err(enum log_level level, const struct err *err);

#endif

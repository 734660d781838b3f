/* SPDX-License-Identifier: MIT */
/*
 * report: the mails' subject and text, made from the status.  Pure.
 *
 * A good run takes at most ten lines; a failed one says what happened, what
 * it means, what to do, and how the log ends.
 */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/status.h"

enum report_kind { REPORT_START, REPORT_WAIT, REPORT_END };

/* All: caller frees; NULL = out of memory. @log_tail may be NULL. */
char *report_subject(const struct status *st, enum report_kind kind);
char *report_body(
        const struct status *st, enum report_kind kind, const char *log_tail);
/* Of REPORT_WAIT: the copy has waited for st->waiting_for, and will do so for
 * another @left_ms. */
char *report_body_wait(
        const struct status *st, int64_t waited_ms, int64_t left_ms);

/* The same outcome for the terminal: a few lines. */
char *report_terminal(const struct status *st);

#endif

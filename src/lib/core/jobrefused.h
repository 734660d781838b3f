/* SPDX-License-Identifier: MIT */
/*
 * jobrefused: why a host says no to a request (the line F of jobframe.h), as a
 * sentence.
 */
#ifndef CORE_JOBREFUSED_H
#define CORE_JOBREFUSED_H

#include <stdbool.h>
#include "err.h"

struct jobframe_line;

/* The line is "F CODE ...": @code. */
bool jobrefused_is(const struct jobframe_line *line, const char *code);
/* Sets @err; @id is the job that was asked for.  What the host says besides is
 * made safe to show. */
void jobrefused_tell(
        const struct jobframe_line *line, const char *id, struct err *err);

#endif

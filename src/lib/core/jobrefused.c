/* SPDX-License-Identifier: MIT */
#include "core/jobrefused.h"

#include <errno.h>

#include "buf.h"
#include "i18n.h"
#include "str.h"
#include "text.h"
#include "util.h"
#include "core/jobframe.h"

/* src/host: fail. */
static const struct refusal {
	const char *code;
	int error;
	const char *text; /* what the host says besides comes behind it */
} refusals[] = {
        {"lacks", -ENOPKG,
                N_("the host lacks what every job needs (coreutils or "
                   "BusyBox, and /proc)")},
        {"nospace", -ENOSPC, N_("the disk of the host is full")},
        {"nobase", -EROFS,
                N_("the host has no place for the job's files; tried were")},
        {"method", -EOPNOTSUPP,
                N_("the host cannot keep a job alive in this way")},
        {"aside", -EEXIST,
                N_("the host cannot put aside the job of that name that has "
                   "ended")},
        {"nostart", -ETIME,
                N_("the host has the job, but has not begun it; try again, "
                   "or give the new one another name")},
        {"cancel", -EBUSY,
                N_("some processes of the job did not end, though they were "
                   "killed: they wait for a disk or a server; look for them "
                   "on the host")},
        {"shorter", -EIO,
                N_("the host has less of the output than was written: the "
                   "power was cut, or somebody has changed the files; bytes "
                   "that are there")},
};

bool jobrefused_is(const struct jobframe_line *line, const char *code)
{
	return line->len > 0 && str_eq(line->words[0], code);
}

void jobrefused_tell(
        const struct jobframe_line *line, const char *id, struct err *err)
{
	_cleanup_buf_ struct buf rest = BUF_INIT;
	char shown[300], code[80];

	if (jobrefused_is(line, "gone")) {
		err_set(err, -ENOENT, _("there is no job %s on the host"), id);
		return;
	}
	for (size_t i = 1; i < line->len; i++)
		buf_printf(&rest, " %s", line->words[i]);
	text_visible_str(shown, sizeof shown, rest.data);
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		if (!jobrefused_is(line, refusals[i].code))
			continue;
		err_set(err, refusals[i].error, "%s%s%s", _(refusals[i].text),
		        shown[0] ? ":" : "", shown);
		return;
	}
	err_set(err, -EIO, _("the host refuses the job: %s%s"),
	        text_visible_str(
	                code, sizeof code, line->len > 0 ? line->words[0] : ""),
	        shown);
}

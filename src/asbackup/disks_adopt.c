/* SPDX-License-Identifier: MIT */
#include "disks_adopt.h"

#include <stdio.h>

#include "cli.h"
#include "i18n.h"
#include "session.h"
#include "text.h"
#include "core/adopt.h"
#include "core/exitcode.h"

int disks_adopt(const struct cli *cli, const char *uuid)
{
	struct session s;
	char serial[160];
	int code = session_open(&s, cli, uuid, false);

	if (code == 0 && adopt_disk(&s.target, s.settings, s.ledger, s.manifest,
	                         s.verdict == MARKER_OURS, &s.err) < 0)
		code = session_fail(&s, EXITCODE_FAILED);
	if (code == 0)
		printf(_("The disk %s (%s, serial number %s) is ours from now "
		         "on.\n"),
		        s.target.disk.uuid, s.target.disk.device,
		        s.target.disk.serial[0]
		                ? text_visible_str(serial, sizeof serial,
		                          s.target.disk.serial)
		                : _("none"));
	return session_close(&s, code);
}

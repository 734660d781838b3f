/* SPDX-License-Identifier: MIT */
/* ancestors: the ids in the command line of the process that started us.
 *
 * Veeam tells a job's script nothing; but the process that starts the script,
 *
 *	Veeam.Backup.Manager.exe startbackupjob owner=[vbsvc] Normal JOB RUN
 *
 * has the ids of the job and of this run (the "session") in its own command
 * line.  There may be a cmd.exe or a PowerShell in between. */
#ifndef ANCESTORS_H
#define ANCESTORS_H

#include <stddef.h>
#include <wchar.h>

#include "ids.h"

/* ancestors_ids: looks at our parent, its parent and so on.  The nearest
 * Veeam.*.exe with an id counts; without any, the nearest process with two ids.
 *
 *	ret_ids		job and run
 *	ret_name	the file name of the process they are from
 *	name_size	its room in characters
 *
 * Returns how many of ret_ids are filled in; 0, too, when the processes could
 * not be read. */
size_t ancestors_ids(wchar_t ret_ids[2][IDS_LENGTH + 1], wchar_t *ret_name,
        size_t name_size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * exitcode: what the programs end with.  An interface: scripts on other
 * machines branch on these numbers, they never change their meaning.
 */
#ifndef CORE_EXITCODE_H
#define CORE_EXITCODE_H

enum exitcode {
	EXITCODE_DONE = 0,
	EXITCODE_FAILED = 1,
	EXITCODE_USAGE = 2,
	EXITCODE_CONFIG = 3,
	EXITCODE_MATCH = 10, /* no such disk, or not the disk it claims */
	EXITCODE_GUARD = 11, /* the source is not as it must be; also: more
	                      * deletes than allowed */
	EXITCODE_VEEAM = 12, /* Veeam jobs did not end in time */
	EXITCODE_MOUNT = 13,
	EXITCODE_SPACE = 14,
	EXITCODE_COPY = 15,
	EXITCODE_VERIFY = 16, /* copied, but not consistent */
	EXITCODE_UNLOCK = 17,
	EXITCODE_UNMOUNT = 18, /* also: flushing met an error */
	EXITCODE_DISK_LOST = 19,
	EXITCODE_BUSY = 75,    /* a run is active already; try later */
	EXITCODE_SIGNAL = 128, /* plus the signal's number */
};

#endif

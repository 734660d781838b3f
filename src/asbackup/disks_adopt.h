/* SPDX-License-Identifier: MIT */
/*
 * disks_adopt: "disks --adopt UUID": this disk is ours from now on.
 */
#ifndef ASBACKUP_DISKS_ADOPT_H
#define ASBACKUP_DISKS_ADOPT_H

struct cli;

/* Mounts the disk, writes our marker, says so. The exit code. */
int disks_adopt(const struct cli *cli, const char *uuid);

#endif

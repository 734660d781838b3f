/* SPDX-License-Identifier: MIT */
/*
 * disks_add: "asbackup disks --add", a short conversation: which of the
 * attached disks, what is it called, who hears of it; then a [disk NAME]
 * section is appended to the configuration.  Nothing is written to the disk.
 */
#ifndef ASBACKUP_DISKS_ADD_H
#define ASBACKUP_DISKS_ADD_H

struct cli;

int disks_add(const struct cli *cli);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * ntfs_volume: the "dirty" mark of an NTFS volume, read and set on the device.
 *
 * Windows and the kernel's driver set it while they write and take it away when
 * they unmount; a volume that has it must be checked (chkdsk) before anybody
 * writes to it.  ntfs-3g neither looks at it nor sets it, and the journal is
 * not used either: after a power cut clusters that belong to a file may be
 * marked as free, and the next copy would write over them.  So it is done here.
 *
 * The mark is two bytes in the record of $Volume, number 3 of the master file
 * table, and of its mirror.  Nothing else is ever written.  The bytes come
 * from a foreign disk: every number is checked against the size of the device.
 */
#ifndef SYS_NTFS_VOLUME_H
#define SYS_NTFS_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "util.h"

#define NTFS_VOLUME_RECORD_MAX 4096

struct ntfs_volume {
	uint64_t flags_at[2]; /* where they are: in the table, in its mirror */
	uint16_t flags;       /* those of the table */
};

/* The places of the two records of $Volume. */
struct ntfs_volume_boot {
	uint64_t record_at[2];
	size_t record_size; /* 512 to NTFS_VOLUME_RECORD_MAX */
};

/* From the first sector (512 bytes) of a device of @size bytes.  0, or -EUCLEAN
 * for what is not understood.  Pure. */
int ntfs_volume_parse_boot(const unsigned char *sector, uint64_t size,
        struct ntfs_volume_boot *ret) _must_check_;
/* From a record as it is on the device, whose sectors' ends are put back in
 * place: where its flags are, and their value.  0 or -EUCLEAN.  Pure. */
int ntfs_volume_parse_record(unsigned char *record, size_t record_size,
        size_t *ret_offset, uint16_t *ret_flags) _must_check_;

/* Reads both records through @fd, a device or a file of @size bytes. 0,
 * -EUCLEAN, or what reading says. */
int ntfs_volume_read(
        int fd, uint64_t size, struct ntfs_volume *ret) _must_check_;
/* It was not unmounted well, or a check of it has not ended. */
bool ntfs_volume_is_dirty(const struct ntfs_volume *v);
/* Sets the mark or takes it away, through @fd, which is open for writing, and
 * waits until it is on the disk. 0 or a negative errno. */
int ntfs_volume_mark(int fd, struct ntfs_volume *v, bool dirty) _must_check_;

#endif

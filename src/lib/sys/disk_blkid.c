/* SPDX-License-Identifier: MIT */
/* disk_blkid: what is on a device, read from its superblock (libblkid). */
#include <blkid/blkid.h>
#include <errno.h>
#include <string.h>

#include "str.h"
#include "util.h"

#include "sys/disk_internal.h"

#define FLAGS                                                         \
	(BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL | \
	        BLKID_SUBLKS_USAGE)

static void free_probe(blkid_probe *pr)
{
	blkid_free_probe(*pr);
}

static void copy_value(blkid_probe pr, const char *name, char *dst, size_t size)
{
	const char *value = NULL;

	if (blkid_probe_lookup_value(pr, name, &value, NULL) < 0 || !value)
		value = "";
	(void)str_copy(dst, size, value);
}

/* Some formats (ISO 9660, LVM) let blkid copy the UUID out of the superblock
 * as it stands there.  It ends up in file names and units: letters only. */
static void copy_uuid(blkid_probe pr, char dst[64])
{
	copy_value(pr, "UUID", dst, 64);
	for (const char *p = dst; *p; p++) {
		bool ok = (*p >= '0' && *p <= '9') ||
		          (*p >= 'a' && *p <= 'z') ||
		          (*p >= 'A' && *p <= 'Z') || *p == '-';

		if (!ok) {
			dst[0] = '\0';
			return;
		}
	}
}

static void read_values(blkid_probe pr, struct disk_content *c)
{
	char usage[32];

	copy_uuid(pr, c->uuid);
	copy_value(pr, "TYPE", c->fstype, sizeof(c->fstype));
	copy_value(pr, "LABEL", c->label, sizeof(c->label));
	copy_value(pr, "PTTYPE", c->table, sizeof(c->table));
	copy_value(pr, "USAGE", usage, sizeof(usage));
	c->is_component =
	        !str_eq(usage, "filesystem") && !str_eq(usage, "crypto");
}

static int set_up(blkid_probe pr, int fd, int flags)
{
	errno = 0;
	if (blkid_probe_set_device(pr, fd, 0, 0) != 0)
		return errno > 0 ? -errno : -EIO;
	if (blkid_probe_enable_superblocks(pr, 1) != 0 ||
	        blkid_probe_set_superblocks_flags(pr, flags) != 0 ||
	        blkid_probe_enable_partitions(pr, 1) != 0)
		return -EIO;
	return 0;
}

/* Which signatures are they?  blkid_do_probe() goes on behind the last hit
 * with every call, where the safe variant only says "more than one". */
static void collect_signatures(blkid_probe pr, struct disk_content *c)
{
	blkid_reset_probe(pr);
	while (c->signatures_len < DISK_MAX_SIGNATURES &&
	        blkid_do_probe(pr) == 0) {
		size_t n = c->signatures_len;
		char *type = c->signature_type[n];

		copy_value(pr, "TYPE", type, sizeof(c->signature_type[n]));
		if (type[0] == '\0')
			copy_value(pr, "PTTYPE", type,
			        sizeof(c->signature_type[n]));
		if (type[0] == '\0')
			continue;
		copy_uuid(pr, c->signature_uuid[n]);
		c->signatures_len++;
	}
}

static int probe_with(int fd, int flags, struct disk_content *ret)
{
	_cleanup_(free_probe) blkid_probe pr = blkid_new_probe();
	int r;

	if (!pr)
		return -ENOMEM;
	r = set_up(pr, fd, flags);
	if (r < 0)
		return r;

	errno = 0;
	r = blkid_do_safeprobe(pr);
	if (r == -2) {
		collect_signatures(pr, ret);
		return -EUCLEAN;
	}
	if (r < 0)
		return errno > 0 ? -errno : -EIO;
	if (r > 0)
		return -ENODATA;

	read_values(pr, ret);
	return ret->fstype[0] ? 0 : -ENODATA;
}

int disk_blkid_probe(int fd, struct disk_content *ret)
{
	char table[sizeof(ret->table)];
	int r;

	*ret = (struct disk_content){.signatures_len = 0};
	r = probe_with(fd, FLAGS, ret);
	if (r != -ENODATA)
		return r;

	/*
	 * A superblock with a wrong checksum is looked for only when there is
	 * no good one: remains of an older file system have wrong checksums
	 * too, and must not make a good disk ambivalent.  Found this way, the
	 * disk has its UUID and mounting it tells what is damaged.
	 */
	(void)str_copy(table, sizeof(table), ret->table);
	r = probe_with(fd, FLAGS | BLKID_SUBLKS_BADCSUM, ret);
	if (r == -EUCLEAN)
		r = -ENODATA;
	if (r < 0)
		(void)str_copy(ret->table, sizeof(ret->table), table);
	return r;
}

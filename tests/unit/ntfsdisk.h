/* SPDX-License-Identifier: MIT */
/*
 * ntfsdisk: an NTFS volume on a loop device, and drivers that fail.
 *
 * Everything asserts; include it behind cmocka.h, scratch.h and loopdev.h.
 */
#ifndef TESTS_NTFSDISK_H
#define TESTS_NTFSDISK_H

#include <sys/mount.h>

#include "str.h"
#include "sys/mount.h"

#define NTFS_SIZE (16 * LOOP_MIB)

struct ntfs_disk {
	char dir[SCRATCH_PATH];
	char target[SCRATCH_PATH]; /* where it is to be mounted */
	struct loop loop;
};

static void ntfs_set_up(struct ntfs_disk *d)
{
	scratch_make(d->dir, "ntfs");
	scratch_mkdir(d->dir, "target");
	(void)str_copy(
	        d->target, sizeof(d->target), scratch_path(d->dir, "target"));
	d->loop.fd = -1;
}

/* When the driver has ended. */
static void ntfs_tear_down(struct ntfs_disk *d)
{
	if (d->loop.fd >= 0)
		loop_detach(&d->loop);
	scratch_remove(d->dir);
}

/* False: this machine cannot. */
static bool ntfs_make(struct ntfs_disk *d)
{
	const char *image = scratch_path(d->dir, "d.img");

	image_make(image, NTFS_SIZE);
	if (!kernel_has("fuseblk") || !tool_path("ntfs-3g") ||
	        TOOL("mkntfs", "-q", "-F", "-Q", image) != 0) {
		print_message("no FUSE or no ntfs-3g\n");
		return false;
	}
	loop_attach(&d->loop, image, false);
	return true;
}

#define NEED_NTFS(d)               \
	do {                       \
		NEED_LOOP();       \
		if (!ntfs_make(d)) \
			skip();    \
	} while (0)

/* A driver that does what the shell is told; its path. */
_unused_ static const char *ntfs_fake_driver(
        struct ntfs_disk *d, const char *script)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	scratch_write(d->dir, "driver", text);
	assert_int_equal(chmod(scratch_path(d->dir, "driver"), 0700), 0);
	return scratch_path(d->dir, "driver");
}

/* For a fake driver: nobody can kill the first process of a namespace from
 * inside, but the kernel does, after a second of work. */
#define NTFS_BE_KILLED "ulimit -t 1; while :; do :; done"

/* So that nobody else sees what is mounted here. */
static bool ntfs_unshare(void)
{
	struct err err = ERR_INIT;

	if (geteuid() != 0 || mount_private(&err) == 0)
		return true;
	print_error("%s\n", err.message);
	return false;
}

#endif

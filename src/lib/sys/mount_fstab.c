/* SPDX-License-Identifier: MIT */
/* mount_fstab: is a directory spoken for in /etc/fstab? */
#include "sys/mount.h"

#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>

#include "str.h"
#include "util.h"

/* Resolving the name of a mount point asks the file system that is mounted
 * there, and the server of one of these may be dead. */
static bool may_hang(const char *type)
{
	static const char *const remote[] = {
	        "nfs", "cifs", "smb", "ceph", "gluster", "9p", "afs", "fuse"};

	for (size_t i = 0; i < ARRAY_SIZE(remote); i++)
		if (str_starts(type, remote[i]))
			return true;
	return false;
}

static bool is_on(const struct mntent *e, const char *wanted)
{
	_cleanup_free_ char *real = NULL;

	/* Swap has "none" there. */
	if (e->mnt_dir[0] != '/')
		return false;
	if (str_eq(e->mnt_dir, wanted) || may_hang(e->mnt_type))
		return str_eq(e->mnt_dir, wanted);
	real = realpath(e->mnt_dir, NULL);
	return real && str_eq(real, wanted);
}

int mount_is_in_fstab(const char *path)
{
	_cleanup_free_ char *wanted = realpath(path, NULL);
	struct mntent entry, *e;
	char line[4096];
	int found = 0;
	FILE *f;

	if (!wanted)
		return 0;
	f = setmntent("/etc/fstab", "re");
	if (!f)
		return 0;
	while (!found && (e = getmntent_r(f, &entry, line, sizeof line)))
		found = is_on(e, wanted);
	endmntent(f);
	return found;
}

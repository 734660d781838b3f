/* SPDX-License-Identifier: MIT */
/* mount_driver: which driver would mount a disk, without trying it. */
#include "sys/mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "str.h"
#include "util.h"
#include "sys/mount_fuse.h"
#include "sys/mount_internal.h"

static bool has_line_with(const char *path, const char *what)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[4096];

	while (f && fgets(line, sizeof line, f))
		if (strstr(line, what))
			return true;
	return false;
}

/* There, or a module that the kernel loads by itself. */
static bool kernel_has(const char *type)
{
	char path[512], what[64];
	struct utsname u;

	(void)snprintf(what, sizeof what, "\t%s\n", type);
	if (has_line_with("/proc/filesystems", what))
		return true;
	if (uname(&u) < 0)
		return false;
	(void)snprintf(
	        path, sizeof path, "/lib/modules/%s/modules.dep", u.release);
	(void)snprintf(what, sizeof what, "/%s.ko", type);
	return has_line_with(path, what);
}

int mount_driver_of(const struct mount_request *req, char *dst, size_t size,
        struct err *err)
{
	const char *type = mount_kernel_type(req->fstype);
	_cleanup_free_ char *path = NULL;
	int r;

	/* The others are in every kernel, or loaded when they are mounted. */
	if (!str_eq(req->fstype, "ntfs") || kernel_has(type))
		return str_copy(dst, size, type);
	r = mount_fuse_find(req->fstype, &path, err);
	if (r == -ENOENT ||
	        (r == 0 && !kernel_has("fuseblk") && !kernel_has("fuse")))
		return mount_unknown(req, err);
	return r < 0 ? r : str_copy(dst, size, path);
}

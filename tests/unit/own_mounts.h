/* SPDX-License-Identifier: MIT */
/*
 * own_mounts: a mount namespace for a unit test, and a full disk.
 *
 * Include it behind cmocka.h.
 */
#ifndef TESTS_OWN_MOUNTS_H
#define TESTS_OWN_MOUNTS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <unistd.h>

#include "util.h"

/* From now on nobody else sees what this process mounts.  False: not allowed,
 * which is printed. */
static bool own_mounts(void)
{
	static bool are_own;

	if (!are_own)
		are_own = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
		          mount(NULL, "/", "none", MS_REC | MS_PRIVATE, NULL) ==
		                  0;
	if (!are_own)
		print_message("needs root and a mount namespace\n");
	return are_own;
}

/* A file that takes all the room there is; it may be there already. */
_unused_ static void fill_disk(int dir_fd, const char *name)
{
	static const char block[4096];
	int fd = openat(
	        dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof block) > 0)
		continue;
	assert_int_equal(errno, ENOSPC);
	while (write(fd, "x", 1) > 0)
		continue;
	(void)close(fd);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * sandbox: what a child can never do, whatever the disk makes of it.
 *
 *	struct sandbox sb = SANDBOX_INIT;
 *	struct sandbox_rule rules[] = {
 *		{ .fd = source_fd, .access = SANDBOX_READ },
 *		{ .fd = target_fd, .access = SANDBOX_WRITE },
 *	};
 *	struct sandbox_spec what = { .rules = rules, .rules_len = 2,
 *		.programs = true, .keep_caps = SANDBOX_CAPS_COPY };
 *
 *	r = sandbox_prepare(&sb, &what, err);     in the parent
 *	spec.pre_exec = sandbox_hook;             proc_run() does the rest
 *	spec.pre_exec_arg = &sb;
 *	...
 *	sandbox_done(&sb);
 *
 * Three layers, none of which can be taken off again:
 *   - no_new_privs: no setuid program, no file capability;
 *   - capabilities: only those of keep_caps are left, in every set, so that
 *     uid 0 does not regain others by exec;
 *   - Landlock: files only below the rules, no TCP (kernel 6.7), no more than
 *     what the kernel knows.
 *
 * What Landlock does not limit: stat, chmod, chown, utimes, setxattr, flock on
 * a name that can be looked up, Unix sockets, signals.  Descriptors that are
 * open already keep working.  A child in the sandbox cannot mount.
 */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

enum sandbox_access {
	SANDBOX_READ,      /* read files, list directories */
	SANDBOX_READ_EXEC, /* and execute */
	SANDBOX_WRITE,     /* read and change everything, but not execute, and
	                    * make no device nodes */
};

/* For a file or for all below a directory. Several rules add up. */
struct sandbox_rule {
	int fd;           /* O_PATH or open; used when path is NULL; borrowed */
	const char *path; /* opened by sandbox_prepare(); follows links */
	enum sandbox_access access;
	bool optional; /* a path that is not there is no error */
};

/* CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID: what a faithful copy
 * as root needs (bits by number of capabilities(7)). */
#define SANDBOX_CAPS_COPY 0x1fULL

struct sandbox_spec {
	const struct sandbox_rule *rules;
	size_t rules_len;
	bool programs;      /* add what every program needs to start: execute
	                     * below /usr, the loader's cache, /dev/null */
	uint64_t keep_caps; /* has a meaning for uid 0 only */
	int abi_max;        /* for tests: be an older kernel; 0 = as it is */
};

struct sandbox {
	int ruleset_fd;     /* close-on-exec; -1: no Landlock here */
	uint64_t keep_caps; /* */
};
#define SANDBOX_INIT ((struct sandbox){.ruleset_fd = -1})

/* Bits of sandbox_probe(). What is missing is worth a warning. */
enum {
	SANDBOX_HAS_NO_NEW_PRIVS = 1 << 0,
	SANDBOX_HAS_FILES = 1 << 1,  /* Landlock at all */
	SANDBOX_HAS_RENAME = 1 << 2, /* between directories; EXDEV without */
	SANDBOX_HAS_TRUNCATE = 1
	                       << 3, /* limited; without, truncate(2) is not */
	SANDBOX_HAS_TCP = 1 << 4,    /* denied; without, the network is open */
};

/* What this kernel can do. Changes nothing. */
unsigned sandbox_probe(void);
/* Landlock's version, 0 when the kernel has none or it is switched off. */
int sandbox_landlock_abi(void);

/*
 * Opens the paths and makes the rule set.  Without Landlock in the kernel it
 * succeeds all the same (ruleset_fd stays -1); sandbox_probe() tells.
 * 0, or a negative errno with @err; @sb is as after SANDBOX_INIT then.
 */
int sandbox_prepare(struct sandbox *sb, const struct sandbox_spec *spec,
        struct err *err) _must_check_;
void sandbox_done(struct sandbox *sb);

/*
 * Puts the calling process into it, for good.  System calls only, so it may
 * be used between fork and exec.  0 or a negative errno: the process must not
 * go on then, part of it may be done.
 */
int sandbox_apply(const struct sandbox *sb) _must_check_;
/* The same with the signature of proc_spec.pre_exec; @sb is a struct
 * sandbox. */
int sandbox_hook(void *sb) _must_check_;

/* After it, for the driver of a file system: no sockets, and no system call
 * that has nothing to do with a file system (seccomp).  Needs no_new_privs.  0
 * or negative errno. */
int sandbox_forbid(void) _must_check_;

/* Landlock's file rights for @access as of version @abi, for a directory or a
 * file. Pure; here for the tests. */
uint64_t sandbox_rights(enum sandbox_access access, int abi, bool is_directory);

#endif

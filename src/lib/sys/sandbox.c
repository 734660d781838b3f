/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "i18n.h"
#include "sys/sandbox.h"
#include "util.h"

/* What came after the oldest header that we build with (ABI 2). */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0) /* ABI 4 */
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif

/* The part of the kernel's struct that we use; its length tells the kernel
 * which. The one of the header may be shorter. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
};

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_CHANGE                                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |       \
	        LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	        LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |   \
	        LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |   \
	        LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)
#define RIGHTS_NEVER                                                    \
	(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
	        LANDLOCK_ACCESS_FS_IOCTL_DEV)
#define RIGHTS_ALL                                    \
	(RIGHTS_READ | RIGHTS_CHANGE | RIGHTS_NEVER | \
	        LANDLOCK_ACCESS_FS_EXECUTE)
/* The others are refused with EINVAL for what is not a directory. */
#define RIGHTS_OF_FILE                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |        \
	        LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | \
	        LANDLOCK_ACCESS_FS_IOCTL_DEV)

_Static_assert(
        SANDBOX_CAPS_COPY == (1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE |
                                     1ULL << CAP_DAC_READ_SEARCH |
                                     1ULL << CAP_FOWNER | 1ULL << CAP_FSETID),
        "numbers of capabilities(7)");

/* /lib and friends are links into /usr on a merged system, and the rule is
 * then for the same directory twice. */
static const struct sandbox_rule program_rules[] = {
        {.path = "/usr", .access = SANDBOX_READ_EXEC},
        {.path = "/lib", .access = SANDBOX_READ_EXEC, .optional = true},
        {.path = "/lib64", .access = SANDBOX_READ_EXEC, .optional = true},
        {.path = "/bin", .access = SANDBOX_READ_EXEC, .optional = true},
        {.path = "/sbin", .access = SANDBOX_READ_EXEC, .optional = true},
        {.path = "/etc/ld.so.cache", .access = SANDBOX_READ, .optional = true},
        {.path = "/etc/localtime", .access = SANDBOX_READ, .optional = true},
        /* libcrypto reads it, and rsync is linked with that. */
        {.path = "/etc/ssl/openssl.cnf",
                .access = SANDBOX_READ,
                .optional = true},
        {.path = "/dev/null", .access = SANDBOX_WRITE},
};

/* --- what there is -------------------------------------------------------- */

int sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	        LANDLOCK_CREATE_RULESET_VERSION);

	/* ENOSYS: not built in; EOPNOTSUPP: switched off; EPERM: a seccomp
	 * filter of a container. */
	return abi > 0 ? (int)abi : 0;
}

unsigned sandbox_probe(void)
{
	int abi = sandbox_landlock_abi();
	unsigned has = 0;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0)
		has |= SANDBOX_HAS_NO_NEW_PRIVS;
	if (abi >= 1)
		has |= SANDBOX_HAS_FILES;
	if (abi >= 2)
		has |= SANDBOX_HAS_RENAME;
	if (abi >= 3)
		has |= SANDBOX_HAS_TRUNCATE;
	if (abi >= 4)
		has |= SANDBOX_HAS_TCP;
	return has;
}

static uint64_t known_rights(int abi)
{
	uint64_t rights = RIGHTS_ALL;

	if (abi < 5)
		rights &= ~LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (abi < 3)
		rights &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi < 2)
		rights &= ~LANDLOCK_ACCESS_FS_REFER;
	return abi < 1 ? 0 : rights;
}

uint64_t sandbox_rights(enum sandbox_access access, int abi, bool is_directory)
{
	uint64_t rights = RIGHTS_READ;

	if (access == SANDBOX_READ_EXEC)
		rights |= LANDLOCK_ACCESS_FS_EXECUTE;
	if (access == SANDBOX_WRITE)
		rights |= RIGHTS_CHANGE;
	if (!is_directory)
		rights &= RIGHTS_OF_FILE;
	return rights & known_rights(abi);
}

/* --- preparing ------------------------------------------------------------ */

static int add_fd(int ruleset_fd, int fd, enum sandbox_access access, int abi)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;

	struct landlock_path_beneath_attr rule = {
	        .allowed_access =
	                sandbox_rights(access, abi, S_ISDIR(st.st_mode)),
	        .parent_fd = fd,
	};

	if (syscall(SYS_landlock_add_rule, ruleset_fd,
	            LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

static int add_rule(int ruleset_fd, const struct sandbox_rule *rule, int abi,
        struct err *err)
{
	_cleanup_close_ int opened = -1;
	int code;

	if (!rule->path) {
		code = add_fd(ruleset_fd, rule->fd, rule->access, abi);
		if (code < 0)
			return err_sys(err, code,
			        _("cannot use descriptor %d for the sandbox"),
			        rule->fd);
		return 0;
	}

	opened = open(rule->path, O_PATH | O_CLOEXEC);
	if (opened < 0 && errno == ENOENT && rule->optional)
		return 0;
	code = opened < 0 ? -errno
	                  : add_fd(ruleset_fd, opened, rule->access, abi);
	if (code < 0)
		return err_sys(err, code, _("cannot use %s for the sandbox"),
		        rule->path);
	return 0;
}

static int add_rules(int ruleset_fd, const struct sandbox_spec *spec, int abi,
        struct err *err)
{
	int code = 0;

	for (size_t i = 0; i < spec->rules_len && code == 0; i++)
		code = add_rule(ruleset_fd, &spec->rules[i], abi, err);
	if (!spec->programs)
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(program_rules) && code == 0; i++)
		code = add_rule(ruleset_fd, &program_rules[i], abi, err);
	return code;
}

/* The descriptor (the kernel makes it close-on-exec) or a negative errno. */
static int create_ruleset(int abi)
{
	struct ruleset_attr attr = {
	        .handled_access_fs = known_rights(abi),
	        .handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP |
	                              LANDLOCK_ACCESS_NET_CONNECT_TCP,
	};
	size_t size =
	        abi >= 4 ? sizeof(attr)
	                 : offsetof(struct ruleset_attr, handled_access_net);
	long fd = syscall(SYS_landlock_create_ruleset, &attr, size, 0);

	return fd < 0 ? -errno : (int)fd;
}

int sandbox_prepare(
        struct sandbox *sb, const struct sandbox_spec *spec, struct err *err)
{
	int abi = sandbox_landlock_abi();

	*sb = SANDBOX_INIT;
	if (spec->abi_max > 0 && spec->abi_max < abi)
		abi = spec->abi_max;
	if (abi > 0) {
		int fd = create_ruleset(abi);

		if (fd < 0)
			return err_sys(err, fd, _("cannot make a sandbox"));

		int code = add_rules(fd, spec, abi, err);

		if (code < 0) {
			(void)close(fd);
			return code;
		}
		sb->ruleset_fd = fd;
	}
	sb->keep_caps = spec->keep_caps;
	return 0;
}

void sandbox_done(struct sandbox *sb)
{
	util_closep(&sb->ruleset_fd);
}

/* --- applying: system calls only ------------------------------------------ */

/* Exec by uid 0 gives what is in this set. */
static int drop_bounding(uint64_t keep)
{
	for (int cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0) /* behind the last one */
			break;
		if (has == 0 || (keep >> cap & 1))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* Without CAP_SETPCAP it cannot be done.  no_new_privs alone
		 * keeps exec from adding anything, so nothing is lost. */
		return errno == EPERM ? 0 : -errno;
	}
	return 0;
}

static int drop_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = {
	        .version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	int code;

	/* EINVAL: a kernel without ambient capabilities. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 &&
	        errno != EINVAL)
		return -errno;
	code = drop_bounding(keep);
	if (code < 0)
		return code;
	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;

	for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int sandbox_apply(const struct sandbox *sb)
{
	/* First: the next step needs it, and see drop_bounding(). */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (sb->ruleset_fd >= 0 &&
	        syscall(SYS_landlock_restrict_self, sb->ruleset_fd, 0) < 0)
		return -errno;
	return drop_capabilities(sb->keep_caps);
}

int sandbox_hook(void *sb)
{
	return sandbox_apply(sb);
}

/* SPDX-License-Identifier: MIT */
/* sandbox_forbid: what a driver has no need of (seccomp). */
#include "sys/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define LOAD(member)                       \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
	        (unsigned)offsetof(struct seccomp_data, member))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define FORBID(name)                                                     \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)SYS_##name, 0, 1), \
	        RETURN(REFUSE)

int sandbox_forbid(void)
{
	struct sock_filter code[] = {
#ifdef NATIVE
	        LOAD(arch),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0),
	        RETURN(REFUSE),
#endif
	        LOAD(nr),
#ifdef __x86_64__
	        /* The numbers of x32. */
	        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1),
	        RETURN(REFUSE),
#endif
	        /* It empties its list of groups and takes a failure for a
	         * reason to end; it is not in any, and CAP_SETGID is much for
	         * nothing. */
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)SYS_setgroups, 0,
	                1),
	        RETURN(SECCOMP_RET_ERRNO | 0),
	        FORBID(socket),
	        FORBID(socketpair),
	        FORBID(ptrace),
	        FORBID(process_vm_readv),
	        FORBID(process_vm_writev),
	        FORBID(kcmp),
	        FORBID(bpf),
	        FORBID(perf_event_open),
	        FORBID(userfaultfd),
	        FORBID(keyctl),
	        FORBID(add_key),
	        FORBID(request_key),
	        FORBID(init_module),
	        FORBID(finit_module),
	        FORBID(delete_module),
	        FORBID(kexec_load),
	        FORBID(reboot),
	        FORBID(swapon),
	        FORBID(swapoff),
	        FORBID(setns),
	        FORBID(unshare),
	        FORBID(chroot),
	        FORBID(pivot_root),
	        FORBID(open_by_handle_at),
	        FORBID(acct),
	        FORBID(quotactl),
	        FORBID(settimeofday),
	        FORBID(clock_settime),
	        FORBID(adjtimex),
	        FORBID(sethostname),
	        FORBID(setdomainname),
	        FORBID(syslog),
	        RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
	        .len = sizeof code / sizeof code[0], .filter = code};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return -errno;
	return 0;
}

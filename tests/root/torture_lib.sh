# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# not a test
#
# SIGKILL at every system call of a run, and an error at every system call.
# torture.sh does all of it (hours), torture_short.sh a sample of it.
#
#	torture_begin
#	torture_kill STEP       # every STEP-th system call of the main process
#	torture_errors STEP

command -v strace > /dev/null || skip_all 'strace is not installed'

torture_begin()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	conf Backup verify-share-percent 20
	asb
	run_is_good "$d_dev" 'undisturbed'
	calls=$w/calls
	torture_change
	conf_write
	if ! strace -o "$w/trace" "$asbackup" --config "$config" \
		> "$w/out" 2> "$w/err"; then
		skip_all "strace does not work here: $(tail -n 1 "$w/err")"
	fi
	# "NAME COUNT" of every call of the main process, in order.
	sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' "$w/trace" | sort | uniq -c |
		awk '{ print $2, $1 }' > "$calls"
	printf '# %d kinds of system calls, %d in all\n' \
		"$(wc -l < "$calls")" "$(wc -l < "$w/trace")"
	check 'there is something to torture' test "$(wc -l < "$calls")" -gt 20
	torture_bad=0 torture_count=0
}

# Each run has a file to copy, one to replace and one to delete.
torture_change()
{
	torture_n=$((${torture_n:-0} + 1))
	head -c 30000 /dev/urandom > "$src/Job A/inc$torture_n.vib"
	head -c 20000 /dev/urandom > "$src/Job A/full.vbk"
	rm -f "$src/Job A/inc$((torture_n - 2)).vib"
	settle
}

# torture_one WHAT STRACE-OPTION...: $code.
torture_one()
{
	local what=$1
	shift
	torture_count=$((torture_count + 1))
	torture_change
	timeout -s KILL 60 strace -o /dev/null "$@" \
		"$asbackup" --config "$config" > "$w/out" 2> "$w/err" \
		< /dev/null
	code=$?
	err=$(cat "$w/err")
	torture_left=$(nothing_left "$d_dev" 2>&1) ||
		torture_fail "$what: left behind: $torture_left"
}

torture_fail()
{
	torture_bad=$((torture_bad + 1))
	not_ok "$1" "$err"
}

# The run afterwards: good, and the disk is the source.
torture_repair()
{
	asb
	if [ "$code" != 0 ]; then
		torture_fail "$1: the next run ended with $code"
		return
	fi
	drop_caches "$d_dev"
	on_disk "$d_dev" same_data "$src" "$mnt" > "$w/diff" 2>&1 || {
		err=$(head "$w/diff")
		torture_fail "$1: the next run said good, but the copy is wrong"
	}
}

torture_kill_one()
{
	torture_one "$@"
	[ "$code" = 137 ] || [ "$code" = 0 ] ||
		torture_fail "$1: exit code $code in place of a death"
	torture_repair "$1"
}

# every STEP FUNCTION: calls FUNCTION NAME N for every STEP-th of all calls.
torture_every()
{
	local step=$1 fn=$2 name count i at=0
	while read -r name count <&3; do
		for ((i = 1; i <= count; i++)); do
			[ $((at++ % step)) = 0 ] || continue
			[ -z "${torture_until:-}" ] ||
				[ "$SECONDS" -lt "$torture_until" ] || return 0
			"$fn" "$name" "$i"
		done
	done 3< "$calls"
}

torture_kill_at()
{
	torture_kill_one "KILL at call $2 of $1" \
		-e "trace=$1" -e "inject=$1:signal=KILL:when=$2"
}

torture_report()
{
	[ "$torture_bad" != 0 ] || ok "$1: $torture_count runs"
	torture_bad=0 torture_count=0
}

torture_kill()
{
	torture_every "$1" torture_kill_at
	torture_report 'killed at its system calls: nothing is left, the next run is good'
}

# In any of its processes, rsync included.
torture_kill_children()
{
	local call n
	for call in ${1:-openat execve clone write rename unlink mount syncfs}; do
		for n in ${2:-1 2 5 11}; do
			torture_kill_child "$call" "$n"
		done
	done
	torture_report 'a process of it is killed: told, and the next run is good'
}

torture_kill_child()
{
	local what="a process is killed at call $2 of $1"
	torture_one "$what" -f -e "trace=$1" -e "inject=$1:signal=KILL:when=$2"
	torture_judge "$what"
	torture_repair "$what"
}

# Ends with 0: the copy is good. Else: a sentence, and no crash.
torture_judge()
{
	case $code in
	0)
		on_disk "$d_dev" same_data "$src" "$mnt" > "$w/diff" 2>&1 || {
			err=$(head "$w/diff")
			torture_fail "$1: exit code 0, but the copy is wrong"
		}
		;;
	134 | 135 | 136 | 139 | 124)
		torture_fail "$1: crashed or hung ($code)"
		;;
	137) # the main process itself was the one that was killed
		[[ $1 == *killed* ]] || torture_fail "$1: was killed"
		;;
	*)
		[ -n "$err" ] || torture_fail "$1: exit code $code, not a word"
		;;
	esac
}

torture_error_at()
{
	local error=${torture_error[$1]:-} what
	[ -n "$error" ] || return 0
	# The dynamic loader's first memory: it crashes, whatever the program.
	[ "$1 $2" != 'mmap 1' ] || return 0
	for error in $error; do
		what="$error at call $2 of $1"
		torture_one "$what" -e "trace=$1" \
			-e "inject=$1:error=$error:when=$2"
		torture_judge "$what"
		torture_repair "$what"
	done
}

# What can fail, and how.  (Not brk: the kernel tells its failure by the old
# address, and glibc takes an errno there for an address.)
declare -A torture_error=(
	[openat]='EIO ENOMEM EMFILE' [read]='EIO EINTR' [write]='ENOSPC EIO EINTR'
	[fsync]='EIO' [fdatasync]='EIO' [syncfs]='EIO'
	[rename]='EIO ENOSPC' [renameat]='EIO ENOSPC' [renameat2]='EIO'
	[unlink]='EIO' [unlinkat]='EIO' [mkdir]='ENOSPC EACCES'
	[mkdirat]='ENOSPC' [mount]='EIO' [fsopen]='EIO' [fsmount]='EIO'
	[move_mount]='EIO' [umount2]='EIO EBUSY' [close]='EIO EINTR'
	[clone]='EAGAIN ENOMEM' [clone3]='EAGAIN' [vfork]='EAGAIN' [fork]='EAGAIN'
	[mmap]='ENOMEM' [pipe2]='EMFILE' [poll]='EINTR'
	[flock]='EIO EINTR ENOLCK' [fcntl]='EIO' [fstat]='EIO'
	[newfstatat]='EIO' [statx]='EIO' [lseek]='EIO' [pread64]='EIO'
	[pwrite64]='EIO ENOSPC' [ftruncate]='EIO' [unshare]='EPERM'
	[waitid]='EINTR' [wait4]='EINTR' [kill]='EPERM' [openat2]='EIO EAGAIN'
	[futimens]='EIO' [utimensat]='EIO' [getdents64]='EIO' [statfs]='EIO'
	[fstatfs]='EIO' [chmod]='EPERM' [fchmod]='EPERM' [fchown]='EPERM'
	[getrandom]='EAGAIN EINTR' [socket]='EMFILE' [prctl]='EINVAL'
)

torture_errors()
{
	torture_every "$1" torture_error_at
	torture_report 'errors in its system calls: never a false 0, never a crash'
}

# The same in its helpers (mount, flush, unmount, reading back) and in rsync.
torture_child_errors()
{
	local call error n what
	for call in ${1:-mount move_mount openat2 syncfs umount2 read write rename openat fsync}; do
		for error in ${torture_error[$call]}; do
			for n in ${2:-1 3}; do
				what="$error at call $n of $call in every process"
				torture_one "$what" -f -e "trace=$call" \
					-e "inject=$call:error=$error:when=$n"
				torture_judge "$what"
				torture_repair "$what"
			done
		done
	done
	torture_report 'errors in its helpers: never a false 0, never a crash'
}

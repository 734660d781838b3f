#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# The disk is pulled out, or its file system stops, in the middle of a run.
. "$(dirname "$0")/faultlib.sh"

# Images of disks can be cloned there, in one moment.
has_fs xfs || skip_all 'no xfs'
make_store xfs || skip_all 'no store for the images'

# A disk with a good copy on it, and a source with something to do.
prepare()
{
	world
	fill
	disk_on_store d "$1" 320M
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" "$1, a first copy"
	head -c 90000 /dev/urandom > "$src/Job A/inc1.vib"
	slow_copy 20
}

# When it happened, the run has this many seconds to end.
ends_soon()
{
	local began=$SECONDS
	until_true 15 not_running || printf '# still running\n'
	is "$((SECONDS - began <= 11))" 1 "$1: ended within 10 s"
	kill -0 "$asb_pid" 2> /dev/null && kill -TERM "$asb_pid"
	asb_wait
}
not_running() { ! [ -d "/proc/$asb_pid" ] ||
	grep -q '^State:.Z' "/proc/$asb_pid/status"; }

reach()
{
	[ "$1" != veeam-wait ] || : > "$veeam/job.lock"
	asb_start
	case $1 in
	veeam-wait) await_step veeam-wait ;;
	plan) await_step plan ;;
	copy) let_go 2 && await_run "$copying" ;;
	verify) let_go 2 && await_step verify ;;
	esac
}

repaired()
{
	no_hold
	rm -f "$veeam/job.lock"
	conf Backup bandwidth-limit
	[ ! -e "$d_img.pulled" ] || plug "$d_dev" "$d_img"
	d_dev=$dev
	next_is_good "$d_dev" "$1, plugged in again"
	detach "$d_dev"
	rm -f "$d_img"
}

pulled()
{
	local fs=$1 step=$2 what="$1, pulled at $2"
	has_fs "$fs" || { skip "$what" "no $fs"; return; }
	prepare "$fs"
	[ "$step" != verify ] || conf Backup bandwidth-limit
	hold_rsync
	reach "$step" && ok "$what: reached" || not_ok "$what: reached"
	pull "$d_dev" "$d_img"
	ends_soon "$what"
	failed_with 19 "$what"
	mailed 'is gone' "$what: the mail says what happened"
	mailed 'Plug it in again' "$what: the mail says what to do"
	check "$what: nothing is mounted" no_mounts
	check "$what: nobody holds the disk" until_true 10 free_disk "$d_dev"
	repaired "$what"
}

stopped()
{
	local fs=$1 step=$2 what="$1, file system stopped at $2" dir
	has_fs "$fs" || { skip "$what" "no $fs"; return; }
	prepare "$fs"
	[ "$step" != verify ] || conf Backup bandwidth-limit
	hold_rsync
	reach "$step" && ok "$what: reached" || not_ok "$what: reached"
	dir=$(in_run findmnt -rno TARGET -S "$d_dev")
	if ! in_run "$python" "$fault" shutdown "$dir"; then
		skip "$what" 'this file system cannot be stopped'
		kill -TERM "$asb_pid"
		asb_wait
		detach "$d_dev"
		return
	fi
	[ "$step" = copy ] || let_go
	ends_soon "$what"
	failed_with '15 16 18 19' "$what"
	check "$what: nobody holds the disk" until_true 10 free_disk "$d_dev"
	repaired "$what"
}

pulled ext4 veeam-wait
pulled ext4 plan
pulled ext4 copy
pulled ext4 verify
pulled xfs copy
pulled btrfs copy
stopped ext4 copy
stopped xfs copy
stopped ext4 verify
finish

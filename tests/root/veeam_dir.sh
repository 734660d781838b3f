#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 200
#
# The directory of the locks on real file systems: where flock(2) is somebody
# else's idea, both sides refuse to go on; tmpfs and overlayfs are good.
# NFS and CIFS need a kernel that has them: tests/unit/test_lockdir.c.
. "$(dirname "$0")/faultlib.sh"

lock_program=$ASBACKUP_BUILD/veeam-lock
unlock_program=$ASBACKUP_BUILD/veeam-unlock
lock() { timeout 60 "$lock_program" --config "$config" --no-mail "$@" \
	> "$w/lock.out" 2> "$w/lock.err" < /dev/null; }
unlock() { timeout 60 "$unlock_program" --config "$config" "$@" \
	> "$w/lock.out" 2> "$w/lock.err" < /dev/null; }
listed()
{
	"$lock_program" --config "$config" --list --json | jq -e "$1" > /dev/null
}

world
fill
disk d ext4
disks "$d_uuid"
locks=$tmp/locks real=$tmp/real
mkdir -m 0700 "$locks" "$real"
conf VEEAM veeam-lockfiles "$locks"
conf_write

# Without those of the locks.
no_mounts()
{
	! grep -hF " $tmp/" /proc/self/mountinfo /proc/1/mountinfo |
		grep -vF -e " $locks " -e " $real " | grep .
}

# --- refused --------------------------------------------------------------------

# refused WHAT: with what is mounted there now.
refused()
{
	is "$(stat -f -c %T "$locks")" "${2:-fuseblk}" "$1: it is FUSE"
	lock --job x
	is "$?" 1 "$1: veeam-lock ends with 1"
	like "$(cat "$w/lock.err")" 'network or FUSE file system' \
		"$1: veeam-lock says why"
	like "$(cat "$w/lock.err")" 'on a local file system' \
		"$1: veeam-lock says what to do"
	unlock --job x
	is "$?" 1 "$1: veeam-unlock ends with 1"
	lock --list
	is "$?" 1 "$1: --list does not say that all is free"
	asb
	run_failed 12 veeam-wait "$d_dev" "$1: the copy"
	like "$err" 'network or FUSE file system' "$1: the copy says why"
	asb check
	is "$code" 12 "$1: asbackup check finds it"
	is "$(find "$locks" -mindepth 1)" '' "$1: nothing was made there"
}

# on_fuse PROGRAM WHAT COMMAND...
on_fuse()
{
	local program=$1 what=$2
	shift 2
	if ! command -v "$program" > /dev/null || ! [ -e /dev/fuse ]; then
		skip "$what" "$program is not installed, or there is no FUSE"
	elif "$@" > "$tmp/mount.out" 2>&1 &&
		until_true 10 mountpoint -q "$locks"; then
		refused "$what"
		umount "$locks" || umount -l "$locks"
	else
		not_ok "$what: mounted" "$(cat "$tmp/mount.out")"
	fi
}
with_sshfs()
{
	mkfifo "$tmp/to" "$tmp/from"
	/usr/lib/openssh/sftp-server < "$tmp/to" > "$tmp/from" &
	kill_at_end $!
	# In this order, or each would wait for the other.
	sshfs -f -o passive ":$real" "$locks" > "$tmp/to" < "$tmp/from" &
	kill_at_end $!
}
with_ntfs()
{
	truncate -s 16M "$tmp/ntfs.img" && mkntfs -q -F "$tmp/ntfs.img" &&
		ntfs-3g "$tmp/ntfs.img" "$locks"
}
with_overlay()
{
	mkdir -p "$tmp/upper" "$tmp/work"
	fuse-overlayfs -o \
		"lowerdir=$real,upperdir=$tmp/upper,workdir=$tmp/work" "$locks"
}
on_fuse bindfs 'bindfs' bindfs "$real" "$locks"
on_fuse sshfs 'sshfs' with_sshfs
on_fuse ntfs-3g 'ntfs-3g, where others may write' with_ntfs
on_fuse fuse-overlayfs 'fuse-overlayfs' with_overlay

# A part of it alone.
if command -v bindfs > /dev/null && [ -e /dev/fuse ]; then
	lock --job x
	unlock --job x
	bindfs "$real" "$locks/lease"
	lock --job x
	is "$?" 1 'a part of it on FUSE: refused'
	like "$(cat "$w/lock.err")" 'locks/lease is on a network or FUSE' \
		'a part of it on FUSE: says which'
	umount "$locks/lease"
fi
rm -rf "${locks:?}"/*

# --- good -----------------------------------------------------------------------

# It waits for news, and looks again by itself when 5 s are over.
sleeps()
{
	grep -qs '^inotify' "/proc/$1/fdinfo/"* &&
		grep -q '^State:.S' "/proc/$1/status"
}

# works WHAT: leases, a copy, waiting and being woken, and a death.
works()
{
	local holder waiter began
	lock --job one
	is "$?" 0 "$1: a lock"
	asb run --no-wait
	asb_is 12 "$1: the copy sees it"
	unlock --job one
	asb
	run_is_good "$d_dev" "$1: a copy"
	hold "$locks/copy"
	"$lock_program" --config "$config" --job two > /dev/null 2>&1 &
	waiter=$!
	kill_at_end "$waiter"
	check "$1: a job waits" until_true 10 listed '.waiting[0].name == "two"'
	until_true 10 sleeps "$waiter"
	began=$(date +%s%N)
	end "$holder"
	wait "$waiter"
	is "$?" 0 "$1: it is let in"
	check "$1: because it was woken" \
		test $((($(date +%s%N) - began) / 1000000)) -lt 3000
	hold "$locks/copy"
	"$lock_program" --config "$config" --job three > /dev/null 2>&1 &
	waiter=$!
	kill_at_end "$waiter"
	until_true 10 listed '.waiting[0].name == "three"'
	kill -KILL "$waiter"
	wait "$waiter" 2> /dev/null
	end "$holder"
	lock --clean
	check "$1: one that was killed counts as running" listed \
		'[.leases[] | select(.forced) | .job] == ["three"]'
	unlock --all
	check "$1: all is free" listed '(.leases | length) == 0'
}

mount -t tmpfs -o mode=0700 tmpfs "$locks"
works 'tmpfs'
umount "$locks"
works "$(stat -f -c %T "$locks"), as it is"
rm -rf "${locks:?}"/*
# Its files must not be on an overlay themselves.
if mount -t tmpfs tmpfs "$real" && mkdir "$real/l" "$real/u" "$real/w" &&
	chmod 0700 "$real/u" && mount -t overlay -o \
	"lowerdir=$real/l,upperdir=$real/u,workdir=$real/w" overlay "$locks"
then
	works 'overlayfs'
	umount "$locks"
	# What was there before it became a lower layer.
	mkdir "$real/u2" "$real/w2"
	chmod 0700 "$real/u2"
	mount -t overlay -o \
		"lowerdir=$real/u,upperdir=$real/u2,workdir=$real/w2" \
		overlay "$locks"
	works 'overlayfs over an old one'
	umount "$locks"
else
	skip 'overlayfs' 'this kernel cannot mount one here'
fi
umount "$real"
finish

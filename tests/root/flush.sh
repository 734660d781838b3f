#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
#
# A disk that takes everything and loses some of it: rsync ends well, the files
# read well out of the memory, and only the flush is told.
. "$(dirname "$0")/faultlib.sh"

# A file system of 400 MB on a store of 24: what does not fit is lost when the
# kernel writes it out.
thin=$tmp/thin
mkdir "$thin"
mount -t tmpfs -o size=24m tmpfs "$thin" || skip_all 'no tmpfs'
at_end 'detach_all; umount "$thin"'

# thin_disk WHAT MKFS-OPTION...
thin_disk()
{
	local what=$1 i
	shift
	mount -o remount,size=24m "$thin"
	world
	fill
	d_uuid=$(new_uuid) d_img=$thin/d.img
	truncate -s 400M "$d_img"
	mkfs.ext4 -q -F "$@" -U "$d_uuid" "$d_img" ||
		{ skip "$what" 'no ext4 on a tmpfs'; return; }
	fallocate -l 10M "$d_img" # there is always room for inodes
	attach "$d_img"
	d_dev=$dev
	disks "$d_uuid,disk@example.org"

	asb
	run_is_good "$d_dev" "$what, a first copy"
	for i in 1 2 3 4 5 6; do
		head -c 10M /dev/urandom > "$src/Job A/inc$i.vib"
	done
	settle

	asb
	failed_with '18 15 19' "$what"
	check "$what: unmounted" free_disk "$d_dev"
	like "$(mail -1)" 'To:.*disk@example.org' "$what: its addresses hear"
	mailed 'NOT (good|complete)' "$what: the mail says it is not good"
	asb history --json
	is "$(jq -r '.runs[0] | [.result, (.exit_code != 0), .flushed] |
		map(tostring) | join(" ")' <<< "$out")" 'failed true false' \
		"$what: the history says so"
	asb disks --json
	is "$(jq -r '.disks[0].last_good_run' <<< "$out")" 1 \
		"$what: the last good copy is the one before"

	# It works again: the room is there, the file system repaired.
	detach "$d_dev"
	mount -o remount,size=300m "$thin"
	e2fsck -fy "$d_img" > "$w/fsck" 2>&1
	attach "$d_img"
	d_dev=$dev
	on_disk "$d_dev" compare
	next_is_good "$d_dev" "$what, repaired"
	repaired=$(status '.warnings | join("; ")')
	asb verify --all --json
	is "$code $(jq -r '[.damaged, .missing] | map(tostring) | join(" ")' \
		<<< "$out")" '0 0 0' "$what: in the end all is as it was written"
	unlike "$repaired" 'power cut' "$what: that run did not die"
	detach "$d_dev"
	rm -f "$d_img"
}

# What rsync would find by itself, and what it would not.
compare()
{
	diff -rq -x .asbackup -x lost+found "$src" "$mnt" |
		grep -c differ > "$w/differ"
	rsync -rtn --out-format=%n "$src/" "$mnt/" | grep -c vib > "$w/found"
}

# With a journal the file system notices at last, and stops.
thin_disk 'a disk that loses data'

# Without one the names, sizes and times are right and the contents are not.
thin_disk 'a disk that loses contents only' -O ^has_journal
# Which pages are lost is the kernel's choice; now and then it is a directory's.
if [ "$(cat "$w/found")" = 0 ]; then
	ok 'contents only: rsync alone would find nothing'
else
	skip 'contents only: rsync alone would find nothing' \
		'this time more than contents was lost'
fi
check 'contents only: but there was something' test "$(cat "$w/differ")" -gt 0
like "$repaired" 'read back the files that an unfinished run had written.* damaged' \
	'contents only: read back what the run before had written'
finish

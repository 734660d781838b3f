#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
#
# The disk is too small: foreseen, foreseen but it fits when deletes come first,
# and not foreseen.  What was on it before stays whole.
. "$(dirname "$0")/faultlib.sh"

remember() { rm -rf "$w/old" && cp -a "$src" "$w/old"; }
old_is_whole() { on_disk "$1" same_data "$w/old" "$mnt"; }

too_small()
{
	local before
	world
	fill
	disk d ext4
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" 'a first copy'
	remember
	before=$(on_disk "$d_dev" df --output=used "$mnt")
	truncate -s 80M "$src/Job A/big.vbk"
	head -c 90000 /dev/urandom > "$src/Job A/inc1.vib"
	rm "$src/Job B/empty"
	settle

	asb
	run_failed 14 plan "$d_dev" 'too small'
	failed_with 14 'too small'
	like "$(status .error.message)" \
		'too small: [0-9.]+ MB are missing \([0-9.]+ MB are free, [0-9.]+ MB are' \
		'too small: with figures'
	like "$(status .error.message)" '84[.0-9]* MB are to be copied' \
		'too small: the right figures'
	mailed 'still.whole' 'too small: the mail says that the old copy is whole'
	check 'too small: the old copy is whole' old_is_whole "$d_dev"
	is "$(on_disk "$d_dev" df --output=used "$mnt")" "$before" \
		'too small: not a block more is used'
	is "$(status .may_be_unplugged)" true 'too small: may be unplugged'

	rm "$src/Job A/big.vbk"
	next_is_good "$d_dev" 'after too small'
	detach "$d_dev"
}

deleting_first()
{
	world
	fill
	disk d ext4 64M
	disks "$d_uuid"
	head -c 30M /dev/urandom > "$src/Job A/old.vbk"
	settle
	asb
	run_is_good "$d_dev" 'nearly full'
	is "$(status .plan.delete_first)" false 'nearly full: not yet'
	rm "$src/Job A/old.vbk"
	head -c 30M /dev/urandom > "$src/Job A/new.vbk"
	settle

	asb
	run_is_good "$d_dev" 'deletes first'
	is "$(status .plan.delete_first)" true 'deletes first: the status'
	warned 'nearly full.*deleted' 'deletes first: warned'
	mailed 'nearly full' 'deletes first: the mail warns'
	data_is_good "$d_dev" 'deletes first: identical'
	detach "$d_dev"
}

# Somebody else takes the room while rsync writes.
take_room()
{
	local dir size
	dir=$(in_run findmnt -rno TARGET -S "$1")
	size=$(in_run stat -f -c '%f * %S' "$dir")
	in_run fallocate -l $((size)) "$dir/stranger" ||
		in_run dd if=/dev/zero of="$dir/stranger" bs=64k
	return 0
}

full_at_work()
{
	local fs=$1 size=$2
	has_fs "$fs" || { skip "full at work, $fs" "no $fs"; return; }
	world
	fill
	disk d "$fs" "$size"
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" "$fs"
	remember
	slow_copy 6
	asb_start
	check "$fs, full at work: it copies" await_run "$copying"
	take_room "$d_dev" > "$w/took" 2>&1
	asb_wait
	failed_with 15 "$fs, full at work"
	like "$(status .error.message)" '[Ff]ull|space' \
		"$fs, full at work: says that the disk is full"
	check "$fs, full at work: unmounted" free_disk "$d_dev"
	on_disk "$d_dev" rm -f "$mnt/stranger"
	check "$fs, full at work: the old copy is whole" old_is_whole "$d_dev"
	conf Backup bandwidth-limit
	next_is_good "$d_dev" "$fs, after full at work"
	detach "$d_dev"
	rm -f "$d_img"
}

no_inodes()
{
	local i
	world
	fill
	d_uuid=$(new_uuid) d_img=$tmp/inodes.img
	truncate -s 48M "$d_img"
	mkfs.ext4 -q -F -N 64 -U "$d_uuid" "$d_img"
	attach "$d_img"
	d_dev=$dev
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" 'few inodes'
	remember
	for ((i = 0; i < 100; i++)); do
		echo "$i" > "$src/file$i"
	done
	settle
	asb
	run_failed 14 plan "$d_dev" 'no inodes'
	like "$(status .error.message)" 'no more files' 'no inodes: says so'
	check 'no inodes: the old copy is whole' old_is_whole "$d_dev"
	rm "$src"/file*
	next_is_good "$d_dev" 'after no inodes'
	detach "$d_dev"
}

too_small
deleting_first
full_at_work ext4 64M
full_at_work xfs 310M
full_at_work btrfs 160M
no_inodes
finish

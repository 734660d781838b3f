#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# Odd, but plausible: what a machine and its administrator come up with.
. "$(dirname "$0")/lib.sh"

# A disk that somebody else has mounted may not be unplugged, wherever the run
# ends.
mounted_elsewhere()
{
	world
	disk d ext4
	disks "$d_uuid"
	mkdir -p "$w/desktop"
	mount "$d_dev" "$w/desktop"
	asb
	asb_is 11 'an empty source, the disk mounted by somebody else'
	is "$(status .may_be_unplugged)" false \
		'mounted by somebody else: it may not be unplugged'
	umount "$w/desktop"
	asb
	asb_is 11 'an empty source'
	is "$(status .may_be_unplugged)" true \
		'not mounted: it may be unplugged'
	detach_all
}

# The state directory is full, the copy goes on, and the next run knows the
# disk.
state_full()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" 'before the state directory is full'
	mv "$state" "$w/kept"
	mkdir "$state"
	mount -t tmpfs -o size=1M tmpfs "$state"
	cp -a "$w/kept/." "$state/"
	touch -d '2021-01-01' "$src/Job A/inc1.vib"
	dd if=/dev/zero of="$state/fill" bs=4k 2> /dev/null
	conf Mail server 127.0.0.1
	conf Mail port 1
	conf Mail encryption none
	asb
	asb_is 0 'the state directory is full: copied'
	like "$(status '.warnings | join(" ")')" 'history cannot be written' \
		'the state directory is full: told'
	is "$(find "$run_dir/spool" -name '*.eml' | wc -l)" 2 \
		'the state directory is full: the mails are kept in memory'
	rm "$state/fill"
	conf Mail server
	asb
	run_is_good "$d_dev" 'the state directory has room again'
	asb
	run_is_good "$d_dev" 'the run after it'
	umount "$state"
	detach_all
}

# What is excluded from the copy may change while it runs.
excluded_changes()
{
	local writer

	world
	fill
	disk d ext4
	disks "$d_uuid"
	echo '*.log' > "$w/excludes"
	conf Backup rsync-excludes "$w/excludes"
	: > "$src/Job A/busy.log"
	touch -d '2020-01-02 03:04:05' "$src/Job A"
	while :; do
		echo x >> "$src/Job A/busy.log"
		sleep 0.02
	done &
	writer=$!
	kill_at_end "$writer"
	asb
	run_is_good "$d_dev" 'an excluded file that changes'
	is "$(status .warnings)" '[]' 'an excluded file that changes: no word'
	end "$writer"
	conf Backup rsync-excludes
	detach_all
}

# The hooks work in the mounts of the host, also when the disk was mounted
# for the run alone.
hooks_on_host()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	hook where <<-'END'
	#!/bin/sh
	readlink /proc/self/ns/mnt > "$1"
	END
	conf Backup pre-run "$hooks/where $hooks/pre"
	conf Backup post-run "$hooks/where $hooks/post"
	asb
	run_is_good "$d_dev" 'hooks'
	is "$(cat "$hooks/pre")" "$(readlink /proc/self/ns/mnt)" \
		'pre-run sees the mounts of the host'
	is "$(cat "$hooks/post")" "$(readlink /proc/self/ns/mnt)" \
		'post-run sees the mounts of the host'
	detach_all
}

# A first copy that was killed leaves nothing but a temporary file, and a
# visible mount: neither is in the way of the next run.
killed_at_first()
{
	world
	head -c 20000000 /dev/urandom > "$src/big.vbk"
	settle
	disk d ext4
	disks "$d_uuid"
	mkdir "$w/destination"
	conf Backup mount-visible yes
	conf Backup backup-destination "$w/destination/"
	conf Backup bandwidth-limit 500
	asb_start
	asb_until eval "[ -n \"\$(find '$w/destination' -name '.big.*')\" ]"
	kill -KILL "$asb_pid"
	wait "$asb_pid" 2> /dev/null
	check 'killed: the visible mount stays' mountpoint -q "$w/destination"
	conf Backup bandwidth-limit
	asb
	run_is_good "$d_dev" 'after a first copy that was killed'
	copy_is_good "$d_dev" 'after a first copy that was killed: identical'
	check 'after a first copy that was killed: unmounted' \
		eval "! mountpoint -q '$w/destination'"
	detach_all
}

# A disk of the old script: what lies on it is read back as well, although
# nothing of it was ever copied by us.
old_disk()
{
	local flip files
	flip=$(dirname "$0")/fault.py
	world
	fill
	disk d ext4
	disks "$d_uuid"
	on_disk "$d_dev" rsync -rlt --chmod=D755 "$src/" "$mnt/"
	conf Backup verify-share-percent 100
	conf Backup rsync-options classic
	asb
	run_is_good "$d_dev" 'a disk of the old script'
	files=$(find "$src" -type f | wc -l)
	is "$(status '[.result.files_copied, .result.files_verified] |
		map(tostring) | join(" ")')" "0 $files" \
		'a disk of the old script: nothing copied, all read'
	detach "$d_dev"
	"$python" "$flip" flip "$d_img" "$src/Job A/full.vbk"
	attach "$d_img"
	asb
	asb_is 16 'a disk of the old script: damage is found'
	detach_all
}

hook_dir
old_disk
mounted_elsewhere
state_full
excluded_changes
hooks_on_host
killed_at_first
finish

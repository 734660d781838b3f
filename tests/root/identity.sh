#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# Is it the disk that it claims to be, and can it be used at all?
. "$(dirname "$0")/lib.sh"

# again IMAGE: attaches the image in place of what is attached: $dev.
again()
{
	detach_all
	attach "$1"
}

content() { on_disk "$1" tree "$mnt" | sha256sum; }

# refused DEV WHAT TEXT: as a stranger; nothing is changed on it.
refused()
{
	local before=$content_before
	asb
	run_failed 10 "${4:-mount}" "$1" "$2"
	like "$err" "$3" "$2: says why"
	like "$err" 'disks --adopt' "$2: says what to do"
	is "$(content "$1")" "$before" "$2: not touched"
}

# --- known, and now another -------------------------------------------------------

without_marker()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	asb --no-mail
	asb_is 0 'a disk becomes known'
	like "$err" 'adopted' 'adopting is told'

	# formatted anew under the old UUID
	detach_all
	mkfs_on "$d_img" ext4 "$d_uuid"
	again "$d_img"
	content_before=$(content "$dev")
	refused "$dev" 'a known UUID without marker' 'not our marker'

	asb --new-disk --no-mail
	run_is_good "$dev" '--new-disk'
	copy_is_good "$dev" '--new-disk: identical'
	asb --no-mail
	run_is_good "$dev" 'after --new-disk it is known'

	detach_all
	mkfs_on "$d_img" ext4 "$d_uuid"
	again "$d_img"
	asb --no-mail
	asb_is 10 'formatted once more: refused'
	asb disks --adopt "$d_uuid"
	asb_is 0 'disks --adopt'
	check 'disks --adopt: unmounted' free_disk "$dev"
	asb --no-mail
	run_is_good "$dev" 'after disks --adopt'
	copy_is_good "$dev" 'after disks --adopt: identical'
	detach_all
}

# Another server's marker; two servers that share a disk.
other_server()
{
	local first
	world
	first=$w
	fill
	disk d ext4
	disks "$d_uuid"
	asb --no-mail
	asb_is 0 'first server'

	world
	fill
	disks "$d_uuid"
	asb --no-mail
	asb_is 0 'second server: its first use'
	like "$(status '.warnings | join(" ")')" 'another server' \
		'second server: told of the other marker'
	asb --no-mail
	asb_is 0 'second server: known now'

	w=$first state=$w/state run_dir=$w/run spool=$w/state/spool
	logs=$w/log veeam=$w/veeam src=$w/source config=$w/config.ini
	conf Paths state-directory "$state"
	conf Paths runtime-directory "$run_dir"
	conf Paths log-directory "$logs"
	conf Backup backup-source "$src/"
	conf Backup veeam-lockfile-dir "$veeam"
	content_before=$(content "$d_dev")
	refused "$d_dev" 'first server: the marker is of the other' \
		'not our marker'
	detach_all
}

forge() { jq -c "$1" "$mnt/.asbackup/marker.json" > "$tmp/marker" &&
	cat "$tmp/marker" > "$mnt/.asbackup/marker.json"; }
forged()
{
	local change
	world
	fill
	disk d ext4
	disks "$d_uuid"
	asb --no-mail
	cp --sparse=always "$d_img" "$tmp/good.img"
	for change in '.mac = "0" * 64' '.serial = "WD-1"' \
		'.size_bytes += 512' '.uuid = "00000000-0000-0000-0000-000000000000"' \
		'del(.mac)' '.mac = null' '[]' '"x" * 70000'; do
		detach_all
		cp --sparse=always "$tmp/good.img" "$d_img"
		again "$d_img"
		on_disk "$dev" forge "$change"
		asb --no-mail
		asb_is 10 "a forged marker: $change"
	done
	asb disks --adopt "$d_uuid"
	asb_is 0 'a forged marker: --adopt repairs it'
	asb --no-mail
	run_is_good "$dev" 'adopted after a forged marker'
	detach_all
}

# Byte by byte, but on other hardware, or from another time.
clones()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	asb --no-mail
	asb_is 0 'the original'
	cp --sparse=always "$d_img" "$tmp/clone.img"
	cp --sparse=always "$d_img" "$tmp/larger.img"
	truncate -s +1M "$tmp/larger.img"

	again "$tmp/larger.img"
	content_before=$(content "$dev")
	refused "$dev" 'a clone on other hardware' 'a clone'

	again "$d_img"
	printf changed > "$src/changed"
	settle
	asb --no-mail
	asb_is 0 'the original goes on'
	again "$tmp/clone.img"
	content_before=$(content "$dev")
	refused "$dev" 'a clone of an older state' 'clone made in between'
	again "$d_img"
	asb --no-mail
	run_is_good "$dev" 'the original is still welcome'
	detach_all
}

twice()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	cp --sparse=always "$d_img" "$tmp/clone.img"
	attach "$tmp/clone.img"
	asb
	run_failed 10 match "$d_dev" 'two disks with one UUID'
	like "$err" "$d_dev.*$dev|$dev.*$d_dev" 'two disks: both are named'
	is "$(mail_count)" 1 'two disks: somebody hears of it'
	asb --device "$d_dev"
	asb_is 10 'two disks, one of them named: refused as well'
	asb disks --json
	is "$(jq -r '.disks[0].ambiguous' <<< "$out")" true \
		'two disks: disks --json says so'
	detach "$dev"
	asb
	run_is_good "$d_dev" 'one of the two disks was unplugged'
	detach_all
}

manual()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	conf Backup disk-adoption manual
	content_before=$(content "$d_dev")
	refused "$d_dev" 'disk-adoption = manual' 'never used here'
	asb disks --adopt "$d_uuid"
	asb_is 0 'manual: --adopt'
	asb
	run_is_good "$d_dev" 'manual: adopted'
	asb disks --forget "$d_uuid"
	asb_is 0 'disks --forget'
	asb disks --forget "$(new_uuid)"
	asb_is 1 'disks --forget: never seen'
	asb disks --adopt "$(new_uuid)"
	asb_is 10 'disks --adopt: not configured'
	detach_all
}

# --- cannot be used ---------------------------------------------------------------

mounted_elsewhere()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	mkdir "$w/else where"
	mount "$d_dev" "$w/else where"
	asb
	asb_is 13 'mounted elsewhere: exit code 13'
	like "$err" "$w/else where" 'mounted elsewhere: says where'
	is "$(status '.state + " " + .step')" 'failed mount' \
		'mounted elsewhere: the status'
	check 'mounted elsewhere: it stays mounted' mountpoint -q "$w/else where"
	check 'mounted elsewhere: nothing was written' \
		test ! -e "$w/else where/.asbackup"
	umount "$w/else where"
	asb
	run_is_good "$d_dev" 'no longer mounted elsewhere'
	detach_all
}

# blob NAME: 16 MB that stdin is the beginning of: $dev.
blob()
{
	truncate -s 16M "$tmp/$1.img"
	dd of="$tmp/$1.img" conv=notrunc status=none
	attach "$tmp/$1.img"
}

# LUKS1: magic, version, cipher, mode, hash, numbers, salt, UUID
luks_header()
{
	printf 'LUKS\xba\xbe\0\1'
	printf '%-32s%-32s%-32s' aes xts-plain64 sha256 | tr ' ' '\0'
	head -c 64 /dev/zero
	printf '%s' "$1"
}

no_file_system()
{
	local uuid fs
	world
	fill
	uuid=$(new_uuid)
	disks "$uuid"
	luks_header "$uuid" > "$tmp/header"
	blob luks < "$tmp/header"
	asb
	run_failed 13 mount "$dev" 'a locked disk'
	like "$err" 'encrypted and locked' 'a locked disk: says so'
	like "$err" 'cryptsetup open' 'a locked disk: says what to do'
	detach_all

	# swap space is no disk for backups at all
	uuid=$(new_uuid)
	disks "$uuid"
	truncate -s 16M "$tmp/swap.img"
	mkswap -U "$uuid" "$tmp/swap.img" > /dev/null 2>&1
	attach "$tmp/swap.img"
	asb
	asb_is 10 'swap space: exit code 10'
	asb --device "$dev"
	run_failed 13 mount "$dev" 'swap space, the device named'
	like "$err" "$dev.*swap" 'swap space: named'
	detach_all

	for fs in vfat exfat; do
		has_fs "$fs" || command -v "mkfs.$fs" > /dev/null && break
		fs=
	done
	if [ -z "$fs" ] || has_fs "$fs"; then
		skip 'a file system that the kernel does not know' \
			'this kernel knows them all'
		return
	fi
	truncate -s 16M "$tmp/unknown.img"
	"mkfs.$fs" "$tmp/unknown.img" > /dev/null
	uuid=$(blkid -p -s UUID -o value "$tmp/unknown.img")
	disks "$uuid"
	attach "$tmp/unknown.img"
	asb
	run_failed 13 mount "$dev" "$fs, which this kernel does not know"
	like "$err" "$fs" "an unknown file system: named"
	detach_all
}

damaged()
{
	local block
	world
	fill
	disk d ext4
	disks "$d_uuid"
	detach_all
	block=$(dumpe2fs -h "$d_img" 2> /dev/null |
		sed -n 's/^Block size: *//p')
	[ "$block" != 1024 ] || block=2048
	tr '\0' '\377' < /dev/zero | dd of="$d_img" bs=1 seek="$block" \
		count=512 conv=notrunc status=none
	again "$d_img"
	asb
	run_failed 13 mount "$dev" 'damaged group descriptors'
	like "$err" 'fsck|damaged' 'damaged: says so'

	# The superblock itself: no file system is seen any more.
	dd if=/dev/zero of="$dev" bs=1024 seek=1 count=1 conv=notrunc,fsync \
		status=none
	asb
	asb_is 10 'no superblock: exit code 10'
	asb --device "$dev"
	run_failed 10 match "$dev" 'no superblock, the device named'
	like "$err" "$dev" 'no superblock: names the device'
	detach_all

	# Two file systems at once: which one is meant?
	if ! command -v mkfs.xfs > /dev/null; then
		skip 'two signatures' 'mkfs.xfs is not installed'
		return
	fi
	disk d ext4 310M
	disks "$d_uuid"
	detach_all
	truncate -s 310M "$tmp/xfs.img"
	mkfs_on "$tmp/xfs.img" xfs "$(new_uuid)"
	dd if="$tmp/xfs.img" of="$d_img" bs=512 count=1 conv=notrunc \
		status=none
	again "$d_img"
	asb --device "$dev"
	run_failed 10 match "$dev" 'two signatures'
	like "$err" 'wipefs' 'two signatures: says what to do'
	asb
	asb_is 10 'two signatures, the device not named'
	detach_all
}

read_only()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	detach_all
	attach "$d_img" -r
	asb
	run_failed 13 mount "$dev" 'a write-protected disk'
	like "$err" 'write-protected' 'a write-protected disk: says so'
	detach_all
}

wrong_ids()
{
	other_uuid='' other_dev=''
	world
	fill
	disk d ext4
	disk other ext4
	disks "$d_uuid"
	asb --device "$other_dev"
	run_failed 10 match "$other_dev" 'a device that is not configured'
	like "$err" "$other_uuid" 'not configured: names its UUID'
	asb --uuid "$other_uuid"
	run_failed 10 match "$other_dev" 'a UUID that is not configured'
	asb --device "$tmp/no-such-device"
	asb_is 10 'a device that is not there'
	asb --device "$src"
	asb_is 10 'a directory as device'
	asb --device "$d_img"
	asb_is 10 'an image file as device'
	asb --device /dev/null
	asb_is 10 'a character device'
	asb --uuid "../../$d_uuid"
	asb_is 10 'a UUID that is a path'
	asb --uuid "$d_uuid" --device "$other_dev"
	[ "$code" != 0 ] && ok 'a UUID and another device: refused' ||
		not_ok 'a UUID and another device: refused'
	check 'nothing was written on the other disk' \
		on_disk "$other_dev" test ! -e "$mnt/.asbackup"
	detach_all
}

without_marker
other_server
forged
clones
twice
manual
mounted_elsewhere
no_file_system
damaged
read_only
wrong_ids
finish

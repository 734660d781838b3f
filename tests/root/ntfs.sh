#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 420
#
# NTFS without a driver in the kernel, through ntfs-3g: a good copy, and every
# way in which its driver or its disk can fail.  umount and ntfs-3g itself end
# with 0 whatever was lost.
. "$(dirname "$0")/faultlib.sh"

for tool in mkntfs ntfs-3g; do
	command -v "$tool" > /dev/null || skip_all "$tool is not installed"
done
grep -qw fuseblk /proc/filesystems || skip_all 'this kernel has no FUSE'
! has_fs ntfs3 || skip_all 'this kernel has a driver of its own'

thin=$tmp/thin
mkdir "$thin"
mount -t tmpfs -o size=400m tmpfs "$thin" || skip_all 'no tmpfs'
at_end 'detach_all; umount "$thin"'

# ntfs_disk [SIZE]: a world with a disk: $d_dev, $d_img, $d_uuid.
ntfs_disk()
{
	world
	fill
	d_img=$thin/d.img
	rm -f "$d_img"
	truncate -s "${1:-64M}" "$d_img"
	mkntfs -q -F -Q -L 'Monday' "$d_img" > "$tmp/mkntfs" 2>&1
	# Its own idea of a UUID is the time, and tests run at the same time.
	head -c 8 /dev/urandom |
		dd of="$d_img" bs=1 seek=72 conv=notrunc status=none
	attach "$d_img"
	d_dev=$dev
	d_uuid=$(blkid -p -o value -s UUID "$d_dev")
	disks "$d_uuid,disk@example.org"
}

# The process of this test's driver.
driver() { pgrep -f "^/[a-z/]*/ntfs-3g .* $d_dev " | tail -n 1; }
no_driver() { [ -z "$(driver)" ]; }

# The mark of a volume that is being written to, as the disk has it: 0001.
dirty()
{
	"$python" - "$d_dev" << 'END'
import struct, sys
def get(form, data, at):
    return struct.unpack_from("<" + form, data, at)[0]
with open(sys.argv[1], "rb") as f:
    head = f.read(512)
    found = set()
    for at in 48, 56:
        f.seek(get("Q", head, at) * get("H", head, 11) * head[13] + 3 * 1024)
        record = f.read(1024)
        at = get("H", record, 20)
        while get("I", record, at) != 0x70:
            at += get("I", record, at + 4)
        at += get("H", record, at + 20) + 10
        found.add("%04x" % get("H", record, at))
print(" ".join(sorted(found)))
END
}

# On the disk, as ntfs-3g alone shows it, past everything in memory.
look()
{
	local r
	drop_caches "$d_dev"
	mkdir -p "$mnt"
	ntfs-3g -o ro "$d_dev" "$mnt" || return 1
	"$@"
	r=$?
	umount "$mnt"
	until_true 10 no_driver
	return "$r"
}
same_contents() { diff -r --no-dereference -x .asbackup -x link "$src" "$mnt"; }

good()
{
	asb_is 0 "$1: exit code 0"
	is "$(status '[.state, .exit_code, .may_be_unplugged, .error] |
		map(tostring) | join(" ")')" 'succeeded 0 true null' \
		"$1: the status says so"
	check "$1: no driver is left" no_driver
	check "$1: unmounted" free_disk "$d_dev"
	check "$1: the disk has the source" look same_contents
	is "$(dirty)" 0000 "$1: the volume is clean"
}

# bad WHAT CODES: never good, nothing left, and the volume is not written to
# until somebody has checked it.
bad()
{
	failed_with "$2" "$1"
	check "$1: no driver is left" no_driver
	check "$1: nothing is mounted" nothing_left "$d_dev"
	is "$(dirty)" 0001 "$1: the volume is marked"
	asb
	failed_with 13 "$1, the next run"
	like "$err" 'not unmounted properly.*chkdsk' "$1: it says what to do"
	is "$(dirty)" 0001 "$1: nothing was changed"
}

# --- good -----------------------------------------------------------------------

ntfs_disk
printf 'x' > "$src/Job A/Größe: 5 \"Zoll\".vib"
head -c 3000 /dev/urandom > "$src/Job A/name with trailing dot."
settle
asb -v
good 'a first copy'
unlike "$out$err" 'lacks a protection' 'a first copy: no protection is missing'
asb
good 'nothing to do'
rm "$src/Job A/inc1.vib"
head -c 90000 /dev/urandom > "$src/Job A/full.vbk"
head -c 9000 /dev/urandom > "$src/Job A/inc2.vib"
settle
asb
good 'an update'
asb verify --all --json
is "$code $(jq -r '[.damaged, .missing] | map(tostring) | join(" ")' \
	<<< "$out")" '0 0 0' 'verify reads it back'
asb restore-check
is "$code" 0 'restore-check'
check 'restore-check: no driver is left' no_driver
asb check --json
like "$out" 'ntfs-3g' 'check names the driver'
is "$(dirty)" 0000 'the volume is still clean'

# What it may do: read in the middle of a copy.
slow_copy 4
asb_start
await_run "$copying"
pid=$(driver)
like "$(grep -h -e CapEff -e NoNewPrivs -e 'Seccomp:' "/proc/$pid/status" |
	tr -d '\n')" 'CapEff:	0000000000200000NoNewPrivs:	1Seccomp:	2' \
	'the driver: one capability, no new ones, and a filter'
like "$(grep -h ' fuseblk ' "/proc/$asb_pid/mountinfo")" \
	'nosuid,nodev,noexec,noatime,nosymfollow' 'the driver: mount options'
is "$(find "/proc/$pid/fd" -lname "$tmp/*" | wc -l)" 0 \
	'the driver: none of our files'
is "$(dirty)" 0001 'the volume is marked while it is written to'
asb_wait
good 'a slow copy'

# --- stopped in order -------------------------------------------------------------

slow_copy 8
asb_start
await_run "$copying"
kill -TERM "$asb_pid"
asb_wait
asb_is 143 'stopped by a signal'
check 'stopped by a signal: no driver is left' no_driver
is "$(dirty)" 0000 'stopped by a signal: the volume is clean'
conf Backup bandwidth-limit
asb
good 'stopped by a signal, the next run'
detach "$d_dev"

# --- bad --------------------------------------------------------------------------

# A disk that takes everything and loses some of it.
ntfs_disk 390M
for i in 1 2 3 4 5 6; do
	head -c 10M /dev/urandom > "$src/Job A/inc$i.vib"
done
settle
mount -o remount,size=30m "$thin"
asb
# The flush finds it, or rsync when the flush beside the copy was quicker.
bad 'a disk that loses data' '18 15'
unlike "$(status .state)" succeeded 'a disk that loses data: not good'
detach "$d_dev"
mount -o remount,size=400m "$thin"

# A name that is no UTF-8 cannot be copied; the volume is all right.
ntfs_disk
: > "$src/Job A/"$'bad\xff'
settle
asb
failed_with 15 'a name that is no UTF-8'
is "$(dirty)" 0000 'a name that is no UTF-8: the volume is clean'
check 'a name that is no UTF-8: no driver is left' no_driver
detach "$d_dev"

# The driver is killed in the middle.
ntfs_disk
slow_copy 6
asb_start
await_run "$copying"
kill -KILL "$(driver)"
asb_wait
bad 'a driver that is killed' 15
detach "$d_dev"

# It hangs: in the middle, and at the end.
ntfs_disk
slow_copy 6
conf Backup disk-idle-timeout-seconds 3
asb_start
await_run "$copying"
kill -STOP "$(driver)"
began=$SECONDS
asb_wait
check 'a driver that hangs: in time' [ $((SECONDS - began)) -lt 60 ]
bad 'a driver that hangs' 15
detach "$d_dev"

# We are killed: alone, with all children at once, and with a driver that
# stands still.  A driver that is the last to die must not wait for itself.
for how in alone together stopped; do
	for i in 1 2 3; do
		ntfs_disk
		slow_copy 4
		asb_start
		await_run "$copying"
		all=$asb_pid
		[ "$how" = alone ] || all="$all $(pgrep -f "$d_uuid")"
		[ "$how" != stopped ] || kill -STOP "$(driver)"
		# shellcheck disable=SC2086 # a list
		kill -KILL $all
		asb_wait
		check "killed $how, $i: nothing holds the disk" \
			until_true 10 free_disk "$d_dev"
		detach "$d_dev"
	done
done
ntfs_disk
slow_copy 6
asb_start
await_run "$copying"
kill -KILL "$asb_pid"
asb_wait
until_true 10 no_driver
check 'a run that is killed: no driver is left' no_driver
check 'a run that is killed: nothing is mounted' nothing_left "$d_dev"
asb
failed_with 13 'a run that is killed, the next one'
like "$err" 'chkdsk' 'a run that is killed: what to do'
detach "$d_dev"

# The same where others see the mount: it stays, without a driver.
ntfs_disk
slow_copy 6
conf Backup mount-visible yes
asb_start
await_run "$copying"
kill -KILL "$asb_pid"
asb_wait
until_true 10 no_driver
check 'a visible mount: it is still there' \
	grep -q " fuseblk $d_dev " /proc/self/mountinfo
asb
failed_with 13 'a visible mount, the next run'
like "$err" 'still mounted.*chkdsk' 'a visible mount: it is taken away'
check 'a visible mount: nothing is mounted' nothing_left "$d_dev"
detach "$d_dev"

# --- refused ----------------------------------------------------------------------

# Windows hibernates: its file has a header that says so.
ntfs_disk
mkdir -p "$mnt"
ntfs-3g "$d_dev" "$mnt"
{ printf 'hibr'; head -c 8192 /dev/zero; } > "$mnt/hiberfil.sys"
umount "$mnt"
until_true 10 no_driver
sum=$(sha256sum < "$d_img")
asb
failed_with 13 'Windows hibernates'
like "$err" 'hibernates.*chkdsk' 'Windows hibernates: it says so'
check 'Windows hibernates: no driver is left' no_driver
check 'Windows hibernates: nothing is mounted' nothing_left "$d_dev"
is "$(dirty)" 0000 'Windows hibernates: no mark is left'
is "$(sha256sum < "$d_img")" "$sum" 'Windows hibernates: nothing was changed'
detach "$d_dev"

# Damaged: the first record of the mirror of the file table is none.
ntfs_disk
detach "$d_dev"
"$python" - "$d_img" << 'END'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    head = f.read(512)
    cluster = struct.unpack("<H", head[11:13])[0] * head[13]
    f.seek(struct.unpack("<Q", head[56:64])[0] * cluster)
    f.write(b"XXXX")
END
attach "$d_img"
d_dev=$dev
sum=$(sha256sum < "$d_img")
asb
failed_with 13 'a damaged volume'
like "$err" 'damaged.*chkdsk' 'a damaged volume: it says so'
is "$(sha256sum < "$d_img")" "$sum" 'a damaged volume: nothing was changed'
check 'a damaged volume: no driver is left' no_driver
detach "$d_dev"

# Not installed.
ntfs_disk
mount --bind /dev/null "$(readlink -f "$(command -v ntfs-3g)")"
asb
umount "$(readlink -f "$(command -v ntfs-3g)")"
failed_with 13 'no driver'
like "$err" 'cannot mount the file system ntfs .*package ntfs-3g' \
	'no driver: it says what to install'
detach "$d_dev"
finish

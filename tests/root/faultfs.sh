#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The file system that fails on demand, which other tests rely upon, does so:
# tests/helpers/faultfs.c says what.
. "$(dirname "$0")/lib.sh"

faultfs=$ASBACKUP_BUILD/helpers/faultfs
[ -x "$faultfs" ] || skip_all 'faultfs is not built (libfuse3-dev)'
[ -e /dev/fuse ] || skip_all 'this machine has no FUSE'

real=$tmp/real fs=$tmp/fs control=$tmp/control
mkdir "$real" "$fs"

# rules [RULE...]: from now on.
rules()
{
	printf '%s\n' "$@" > "$control.new"
	mv "$control.new" "$control"
}

# fails_with ERROR COMMAND...: fails, and its standard error says so.
fails_with()
{
	local wanted=$1
	shift
	! "$@" 2> "$tmp/said" > "$tmp/got" && grep -qF "$wanted" "$tmp/said"
}
eio='Input/output error' enospc='No space left on device'

fs_end()
{
	rules
	end "$faultfs_pid"
	rules
}

start faultfs "$faultfs" "$real" "$fs" "$control" ||
	skip_all 'FUSE file systems cannot be mounted here'
faultfs_pid=$pid
at_end fs_end
is "$line" ready 'it says when it is mounted'
check 'it is mounted' mountpoint -q "$fs"

# --- without faults it is the directory -----------------------------------------

src=$real/tree
fill
ln "$src/Job A/full.vbk" "$src/hard"
check 'what is there is shown' same_tree "$real" "$fs"
check 'rsync writes through it' rsync -a "$fs/tree/" "$fs/copy/"
check 'what was written is there' same_tree "$real/tree" "$real/copy"
check 'files are renamed' mv "$fs/copy/hard" "$fs/copy/soft"
check 'files are removed' rm -r "$fs/copy"
check 'and are gone' test ! -e "$real/copy"
check 'another user owns what he makes' sh -c "chmod 777 '$real' '$tmp' &&
	setpriv --reuid 65534 --clear-groups touch '$fs/his' &&
	test \"\$(stat -c %u '$real/his')\" = 65534"

# --- reading ----------------------------------------------------------------------

big=$real/big.vbk
head -c 1000000 /dev/urandom > "$big"
rules 'read eio *.vbk from=500000'
check 'EIO when it is read behind 500,000' fails_with "$eio" cat "$fs/big.vbk"
got=$(stat -c %s "$tmp/got")
check 'all before that could be read' test "$got" -ge 490000 -a \
	"$got" -le 500000
check 'and is right' cmp -n "$got" "$big" "$tmp/got"
check 'other files can be read' cmp "$real/tree/Job A/Job A.vbm" \
	"$fs/tree/Job A/Job A.vbm"
rules
check 'without the rule it can be read' cmp "$big" "$fs/big.vbk"
rules 'open eio *.vbk' 'list eio tree/Job?B'
check 'EIO when it is opened' fails_with "$eio" cat "$fs/big.vbk"
check 'EIO when a directory is listed' fails_with "$eio" ls "$fs/tree/Job B"
rules 'read none *A/* # but' 'read eio *'
check 'an exception' cmp "$src/Job A/full.vbk" "$fs/tree/Job A/full.vbk"
check 'and the others' fails_with "$eio" cat "$fs/big.vbk"

# --- writing ----------------------------------------------------------------------

write() { dd if="$big" of="$fs/$1" bs=1000 conv=notrunc; }
rules 'write enospc new* after=400000'
check 'no space after 400,000 bytes' fails_with "$enospc" write new
is "$(stat -c %s "$real/new")" 400000 'all before that was written'
check 'other files can be written' write other
rules 'write eio new'
check 'EIO when it is written' fails_with "$eio" write new
rules 'write eio new times=1'
check 'EIO once' fails_with "$eio" write new
check 'and not again' write new
rules 'write short new bytes=100'
is "$("$python" -c 'import os, sys
print(os.write(os.open(sys.argv[1], os.O_WRONLY), bytes(3000)))' "$fs/new")" \
	100 'a write takes only 100 bytes'
rules 'fsync eio new'
check 'EIO when it is flushed' fails_with "$eio" sync "$fs/new"

# --- hanging ----------------------------------------------------------------------

asleep() { grep -q '^State:.[DS]' "/proc/$1/status"; }
rules 'write hang hung'
write hung > /dev/null 2>&1 &
writer=$!
kill_at_end "$writer"
check 'a write that hangs is told' await '^hit 1 write hung$'
check 'it has not ended' asleep "$writer"
check 'other files are not held up' write new
check 'nor is the directory' ls "$fs"
rules
wait "$writer"
is $? 0 'let go, it ends well'
check 'and has written all' cmp "$big" "$real/hung"

# --- a disk on it -------------------------------------------------------------------

img=$fs/d.img
truncate -s 48M "$real/d.img"
d_uuid=$(new_uuid)
check 'a disk: made' mkfs_on "$img" ext4 "$d_uuid"
attach "$img"
check 'a disk: the kernel sees the file system' test \
	"$(blkid -p -s UUID -o value "$dev")" = "$d_uuid"
check 'a disk: written' on_disk "$dev" cp "$big" "$mnt/file"
check 'a disk: what was written is there' on_disk "$dev" cmp "$big" "$mnt/file"

mkdir -p "$mnt"
mount "$dev" "$mnt"
cp "$big" "$mnt/two"
rules 'write,fsync hang d.img'
sync "$mnt/two" &
syncer=$!
kill_at_end "$syncer"
check 'a disk that hangs: reached' await '^hit 1 (write|fsync) d.img$'
kill -KILL "$syncer"
in_d() { grep -q '^State:.D' "/proc/$syncer/status"; }
check 'a disk that hangs: who waits for it cannot be killed' \
	until_true 10 in_d
rules
wait "$syncer" 2> /dev/null
check 'a disk that hangs: answers again' sync -f "$mnt"

rules 'write,fsync eio d.img'
cp "$big" "$mnt/three"
check 'a disk that fails late: flushing tells' fails_with "$eio" sync -f "$mnt"
rules
umount "$mnt"
detach "$dev"

# --- its end --------------------------------------------------------------------------

rules 'write hang hung'
write hung > "$tmp/said" 2>&1 &
writer=$!
kill_at_end "$writer"
check 'hangs again' await '^hit 1 write hung$'
kill "$faultfs_pid"
wait "$faultfs_pid"
is $? 0 'it ends at SIGTERM, although somebody hangs'
wait "$writer"
check 'who hung got an error' grep -qE "$eio|not connected" "$tmp/said"
check 'it is unmounted' sh -c "! mountpoint -q '$fs'"
rules 'write explode *'
start faultfs "$faultfs" "$real" "$fs" "$control"
faultfs_pid=$pid
write new > "$tmp/said" 2>&1
wait "$faultfs_pid"
is $? 2 'a rule that is wrong ends it'
like "$(cat "$tmp/faultfs.err")" 'control:1: no such fault' 'and is told'
umount "$fs"
check 'usage' fails_with usage "$faultfs" "$real" "$fs"
finish

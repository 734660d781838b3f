#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# A disk that no longer answers, and disks and sources that cannot be read.
. "$(dirname "$0")/faultlib.sh"

# The disk's image lies on a file system that can be frozen: whatever is written
# to the disk then waits, in the kernel, and cannot be killed.
make_store || skip_all 'no store for the image'
thaw() { fsfreeze -u "$store" 2> /dev/null; }

ends_within()
{
	local began=$SECONDS
	until_true "$(($1 + 15))" ended || printf '# still running\n'
	[ "$((SECONDS - began))" -le "$1" ] && ok "$2: ended within $1 s" ||
		not_ok "$2: ended within $1 s" "$(ps -eo pid,stat,wchan:30,args |
			grep -F "$tmp/")"
	ended || thaw
	asb_wait
}
ended() { ! [ -d "/proc/$asb_pid" ] ||
	grep -q '^State:.Z' "/proc/$asb_pid/status"; }

# A disk that hangs while rsync copies.
hangs()
{
	local what='a disk that hangs'
	world
	fill
	disk_on_store d ext4 200M
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" "$what, a first copy"
	conf Backup disk-idle-timeout-seconds 3
	conf Backup bandwidth-limit 20M
	head -c 120M /dev/urandom > "$src/Job A/big.vbk"
	settle
	asb_start
	check "$what: reached" await_run "$copying"
	fsfreeze -f "$store"
	ends_within 45 "$what"
	failed_told '15 18 19' "$what"
	like "$(status .error.message)" 'hangs|no more data|not end' \
		"$what: says so"
	thaw
	check "$what: afterwards nothing is left" nothing_left "$d_dev"
	conf Backup bandwidth-limit
	conf Backup disk-idle-timeout-seconds
	next_is_good "$d_dev" "$what, answers again"
	detach "$d_dev"
}

# A disk that hangs when all is copied, at the flush.
hangs_at_flush()
{
	local what='a disk that hangs at the flush'
	world
	fill
	disk_on_store d ext4 200M
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" "$what, a first copy"
	conf Backup disk-idle-timeout-seconds 3
	conf Backup verify-share-percent 0
	head -c 3M /dev/urandom > "$src/Job A/inc2.vib"
	settle
	hold_rsync
	asb_start
	let_go
	check "$what: reached" await_step copy
	fsfreeze -f "$store"
	let_go 2 # the copy itself, and the closing dry run
	ends_within 45 "$what"
	failed_told '15 18 19' "$what"
	is "$(status .may_be_unplugged)" false "$what: do not unplug it"
	like "$(status .error.action)" '^Wait .* before you unplug' \
		"$what: what to do does not contradict"
	thaw
	check "$what: afterwards nothing is left" nothing_left "$d_dev"
	no_hold
	conf Backup disk-idle-timeout-seconds
	next_is_good "$d_dev" "$what, answers again"
	detach "$d_dev"
}

# A disk that hangs after the plan: before the copy its marker is flushed.
hangs_at_marker()
{
	local what='a disk that hangs before the copy'
	world
	fill
	disk_on_store d ext4 200M
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" "$what, a first copy"
	conf Backup disk-idle-timeout-seconds 3
	head -c 3M /dev/urandom > "$src/Job A/inc2.vib"
	settle
	hold_rsync
	asb_start
	check "$what: reached" await_step plan
	fsfreeze -f "$store"
	let_go
	ends_within 45 "$what"
	failed_told '15 18 19' "$what"
	like "$(status .error.message)" 'does not answer' "$what: says so"
	thaw
	check "$what: afterwards nothing is left" nothing_left "$d_dev"
	no_hold
	conf Backup disk-idle-timeout-seconds
	next_is_good "$d_dev" "$what, answers again"
	detach "$d_dev"
}

# failed_with, while a process that cannot be killed may still be there.
failed_told()
{
	if [[ " $1 " == *" $code "* ]]; then
		ok "$2: exit code ($code)"
	else
		not_ok "$2: exit code" "got $code, wanted one of: $1" "$err"
	fi
	is "$(status '[.state, .exit_code] | map(tostring) | join(" ")')" \
		"failed $code" "$2: the status says so"
	like "$(mail -1)" 'Subject:[^'$'\n'']*COPY FAILED' "$2: the mail says so"
}

# asb_unreadable PATH: a run in which every process gets EIO when it reads that
# file.
asb_unreadable()
{
	conf_write
	timeout -k 5 100 strace -f -o /dev/null -P "$1" -e trace=read,pread64 \
		-e inject=read,pread64:error=EIO "$asbackup" \
		--config "$config" > "$w/out" 2> "$w/err" < /dev/null
	code=$?
	err=$(cat "$w/err")
}

unreadable_source()
{
	local what='a source that cannot be read'
	command -v strace > /dev/null || { skip "$what" 'no strace'; return; }
	world
	fill
	disk d ext4
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" "$what, a first copy"
	cp -a "$src" "$w/old"
	head -c 300000 /dev/urandom > "$src/Job A/full.vbk"
	head -c 50000 /dev/urandom > "$src/Job A/inc2.vib"
	rm "$src/Job A/inc1.vib"
	settle
	asb_unreadable "$src/Job A/full.vbk"
	failed_with 15 "$what"
	like "$(status .error.message)" 'full.vbk' "$what: the file is named"
	mailed 'full.vbk' "$what: the mail names the file"
	check "$what: the old copy of the file is there" \
		on_disk "$d_dev" cmp "$mnt/Job A/full.vbk" "$w/old/Job A/full.vbk"
	check "$what: nothing was deleted" \
		on_disk "$d_dev" test -e "$mnt/Job A/inc1.vib"
	check "$what: unmounted" free_disk "$d_dev"
	next_is_good "$d_dev" "$what: it can be read again"
	detach "$d_dev"
}

# The disk has lost a bit.
bit_rot()
{
	local what='bit rot'
	world
	fill
	disk d ext4
	disks "$d_uuid"
	conf Backup verify-share-percent 100
	asb
	run_is_good "$d_dev" "$what, a first copy"
	check "$what: all was read back" test "$(status .result.files_verified)" -gt 4
	detach "$d_dev"
	"$python" "$fault" flip "$d_img" "$src/Job A/full.vbk"
	attach "$d_img"
	d_dev=$dev
	asb
	run_failed 16 verify "$d_dev" "$what"
	like "$(status .error.message)" 'full.vbk' "$what: the file is named"
	next_is_good "$d_dev" "$what, copied anew"
	detach "$d_dev"
}

# A file on the disk cannot be read when it is verified.
unreadable_disk()
{
	local what='a disk that cannot be read'
	command -v strace > /dev/null || { skip "$what" 'no strace'; return; }
	world
	fill
	disk d ext4
	disks "$d_uuid"
	conf Backup verify-share-percent 100
	asb
	run_is_good "$d_dev" "$what, a first copy"
	asb_unreadable "$run_dir/mnt/$d_uuid/Job A/full.vbk"
	failed_with 16 "$what"
	like "$(status .error.message)" 'full.vbk' "$what: the file is named"
	check "$what: unmounted" free_disk "$d_dev"
	next_is_good "$d_dev" "$what: it can be read again"
	detach "$d_dev"
}

hangs
hangs_at_marker
hangs_at_flush
bit_rot
unreadable_source
unreadable_disk
finish

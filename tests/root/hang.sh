#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 420
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

# first_copy WHAT disk|disk_on_store [KEY VALUE]: a world with a good copy on a
# disk, made with that key in [Backup].
first_copy()
{
	world
	fill
	"$2" d ext4 200M
	disks "$d_uuid"
	[ $# = 2 ] || conf Backup "$3" "$4"
	asb
	run_is_good "$d_dev" "$1, a first copy"
}

# about_to_hang WHAT: the same on a disk that can be frozen, with no patience from
# now on.
about_to_hang()
{
	first_copy "$1" disk_on_store
	conf Backup disk-idle-timeout-seconds 3
}

small_copy()
{
	head -c 3M /dev/urandom > "$src/Job A/inc2.vib"
	settle
}

# big_copy RATE: a file that takes its time.
big_copy()
{
	conf Backup bandwidth-limit "$1"
	head -c 120M /dev/urandom > "$src/Job A/big.vbk"
	settle
}

answers_again()
{
	thaw
	check "$1: afterwards nothing is left" nothing_left "$d_dev"
	no_hold
	conf Backup bandwidth-limit
	conf Backup disk-idle-timeout-seconds
	next_is_good "$d_dev" "$1, answers again"
	detach "$d_dev"
}

# A disk that hangs while rsync copies.
hangs()
{
	local what='a disk that hangs'
	about_to_hang "$what"
	big_copy 20M
	asb_start
	check "$what: reached" await_run "$copying"
	fsfreeze -f "$store"
	ends_within 45 "$what"
	failed_told '15 18 19' "$what"
	like "$(status .error.message)" 'hangs|no more data|not end' \
		"$what: says so"
	answers_again "$what"
}

# The early flush: the process in which, during the last third of a copy, the
# disk is asked to write: $early. (Another process would read small files ahead,
# but there are none.)
await_early_flush()
{
	await_run "$copying" && until_true 30 early_flush_begun &&
		run_says "$copying" > /dev/null
}
early_flush_begun()
{
	early=$(pgrep -P "$asb_pid" -x asbackup)
}
early_flush_hangs() { grep '^State:.D' "/proc/$early/status"; }

# A disk that hangs when both rsync and the early flush are at work; with more to
# read back afterwards or not: hangs_at_early_flush PERCENT
hangs_at_early_flush()
{
	local what="a disk that hangs at the early flush, $1 % to read back"
	about_to_hang "$what"
	conf Backup verify-share-percent "$1"
	big_copy 10M
	asb_start
	await_early_flush && ok "$what: reached" || not_ok "$what: reached"
	fsfreeze -f "$store"
	check "$what: it waits in the kernel" until_true 20 early_flush_hangs
	ends_within 60 "$what"
	# 16: rsync was through, and what it wrote cannot be read back.
	failed_told '15 16 18 19' "$what"
	is "$(status .may_be_unplugged)" false "$what: do not unplug it"
	like "$(status .error.message)" \
		'hangs|no more data|not end|does not answer' "$what: says so"
	answers_again "$what"
}

# A disk that is pulled out then. (More of this: diskgone.sh.) What is on its way
# has to arrive first: a late write would make the image grow again.
gone_at_early_flush()
{
	local what='a disk that is pulled out at the early flush' groups
	first_copy "$what" disk_on_store
	big_copy 10M
	asb_start
	await_early_flush && ok "$what: reached" || not_ok "$what: reached"
	groups=(-"$early" -"$(pgrep -P "$asb_pid" -x rsync)")
	kill -STOP -- "${groups[@]}"
	in_run sync -f "$run_dir/mnt/$d_uuid"
	truncate -s 0 "$d_img" && losetup -c "$d_dev"
	kill -CONT -- "${groups[@]}"
	is "$(blockdev --getsize64 "$d_dev")" 0 "$what: it is gone"
	ends_within 45 "$what"
	failed_with 19 "$what"
	mailed 'is gone' "$what: the mail says what happened"
	check "$what: nobody holds the disk" until_true 10 free_disk "$d_dev"
	detach "$d_dev"
}

# A disk that hangs when all is copied, at the flush.
hangs_at_flush()
{
	local what='a disk that hangs at the flush'
	about_to_hang "$what"
	conf Backup verify-share-percent 0
	small_copy
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
	answers_again "$what"
}

# A disk that hangs after the plan: before the copy its marker is flushed.
hangs_at_marker()
{
	local what='a disk that hangs before the copy'
	about_to_hang "$what"
	small_copy
	hold_rsync
	asb_start
	check "$what: reached" await_step plan
	fsfreeze -f "$store"
	let_go
	ends_within 45 "$what"
	failed_told '15 18 19' "$what"
	like "$(status .error.message)" 'does not answer' "$what: says so"
	answers_again "$what"
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
	first_copy "$what" disk
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
	first_copy "$what" disk verify-share-percent 100
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
	first_copy "$what" disk verify-share-percent 100
	asb_unreadable "$run_dir/mnt/$d_uuid/Job A/full.vbk"
	failed_with 16 "$what"
	like "$(status .error.message)" 'full.vbk' "$what: the file is named"
	check "$what: unmounted" free_disk "$d_dev"
	next_is_good "$d_dev" "$what: it can be read again"
	detach "$d_dev"
}

hangs
hangs_at_early_flush 5
hangs_at_early_flush 0
gone_at_early_flush
hangs_at_marker
hangs_at_flush
bit_rot
unreadable_source
unreadable_disk
finish

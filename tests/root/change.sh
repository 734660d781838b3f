#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# The source changes while it is copied.  Either the run proves that the disk
# holds the source of one moment, or it does not call the copy good.
. "$(dirname "$0")/faultlib.sh"

# prepare WHAT: a copy that takes some seconds; its first file is copied
# already when its second, Job A/slow.vbk, is being copied.
prepare()
{
	what=$1
	world
	fill
	disk d ext4 96M
	disks "$d_uuid"
	slow_copy 4
	printf 'last' > "$src/Job C.vbm"
	settle
	asb_start
	check "$what: reached" await_run \
		"$copying and .progress.bytes_done > 400000"
}

# proven [REASON [PASSES]]: what a change must lead to: a second look, what is
# left is copied, and then the truth.
proven()
{
	asb_wait
	asb_is 0 "$what: exit code 0"
	is "$(status .result.passes)" "${2:-2}" "$what: a second pass"
	warned "${1:-}.*copying the rest once more" "$what: warned"
	mailed 'copying the rest once more' "$what: the mail warns"
	drop_caches "$d_dev"
	data_is_good "$d_dev" "$what: the copy is the source"
	check "$what: nothing is left behind" nothing_left "$d_dev"
	conf Backup bandwidth-limit
	asb
	asb_is 0 "$what: the next run"
	is "$(status .plan.files_to_copy)" 0 "$what: has nothing to do"
	data_is_good "$d_dev" "$what: the copy still is the source"
	detach "$d_dev"
}

prepare 'a file grows that is being copied'
head -c 300000 /dev/urandom >> "$src/Job A/slow.vbk"
proven slow.vbk

prepare 'a file grows that was copied'
head -c 100000 /dev/urandom >> "$src/Job A/full.vbk"
proven

# Nothing but the ctime betrays it.
prepare 'a file is overwritten that was copied, size and times kept'
"$python" "$fault" overwrite "$src/Job A/full.vbk"
proven

prepare 'a file is overwritten that is being copied, size and times kept'
"$python" "$fault" overwrite "$src/Job A/slow.vbk"
proven

prepare 'a file vanishes that was not copied yet'
rm "$src/Job C.vbm"
proven

prepare 'a file vanishes that was copied'
rm "$src/Job A/full.vbk"
proven

prepare 'a file appears'
head -c 50000 /dev/urandom > "$src/Job A/a new one.vib"
proven

prepare 'a file is renamed'
mv "$src/Job A/full.vbk" "$src/Job A/merged.vbk"
proven

# A Veeam job comes and goes: the disk may hold half of what it wrote.
prepare 'a Veeam job ran meanwhile'
: > "$veeam/job-1.lock"
rm "$veeam/job-1.lock"
proven 'Veeam job' 1

# Nothing to do: the plan was the closing dry run, if the source is older than
# it.  Else the list beside the plan may show what the plan did not see.
dry_runs()
{
	grep -c 'rsync argument 0:' "$w/err"
}
old_source()
{
	local newest
	newest=$(find "$src" -printf '%C@\n' | sort -n | tail -n 1)
	while [ "$(($(date +%s) - ${newest%.*}))" -lt 3 ]; do :; done
}
what='nothing to do'
world
fill
disk d ext4
disks "$d_uuid"
asb
asb_is 0 "$what: the first copy"
old_source
asb --debug
is "$code $(dry_runs)" '0 1' "$what: an old source is looked at once"
chmod "$(stat -c %a "$src/Job A/full.vbk")" "$src/Job A/full.vbk"
asb --debug
is "$code $(dry_runs)" '0 2' "$what: one that was touched just now twice"
rm "$src/Job B/empty"
asb
old_source
: > "$src/new"
rm "$src/new"
asb --debug
is "$code $(dry_runs)" '0 2' "$what: also when only a directory tells"

# Somebody who does not stop.
what='a writer without end'
world
fill
disk d ext4 96M
disks "$d_uuid"
slow_copy 2
"$python" "$fault" write-on "$src/Job A/full.vbk" "$w/stop" &
writer=$!
kill_at_end "$writer"
asb
failed_with 16 "$what"
like "$(status .error.message)" 'NOT consistent.*full.vbk' "$what: named"
mailed 'NOT consistent' "$what: the mail says so"
mailed 'may be unplugged' "$what: but it may be unplugged"
check "$what: unmounted" free_disk "$d_dev"
is "$(status .result.passes)" 2 "$what: two passes, not more"
: > "$w/stop"
wait "$writer"
conf Backup bandwidth-limit
settle
next_is_good "$d_dev" "$what: when it has stopped"
finish

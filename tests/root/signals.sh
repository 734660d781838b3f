#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# TERM, INT and HUP end a run in an orderly way at every step, KILL leaves
# nothing, and the next run is good.
. "$(dirname "$0")/faultlib.sh"

world
fill
disk d ext4 200M
disks "$d_uuid"
hook_dir
# pre-run waits until it is let go; everything of it is in the test's directory.
mkfifo "$w/gate"
hook gate << END
#!/bin/sh
: > "$w/at-the-gate"
: < "$w/gate"
END

something_new()
{
	news=$((news + 1))
	head -c 60000 /dev/urandom > "$src/Job A/inc$news.vib"
	[ "$news" -le 3 ] || rm -f "$src/Job A/inc$((news - 3)).vib"
	settle
}
news=1

# Brings a new run into step $1 and keeps it there.
hold_in()
{
	something_new
	no_hold
	conf Backup pre-run
	case $1 in
	match) conf Backup pre-run "$hooks/gate" ;;
	veeam-wait) : > "$veeam/job-1.lock" ;;
	plan | copy | verify) hold_rsync ;;
	esac
	rm -f "$w/at-the-gate"
	asb_start
	case $1 in
	match) until_true 20 test -e "$w/at-the-gate" ;;
	copy) let_go ;;
	verify) let_go 2 ;;
	esac
	if [ "$1" = veeam-wait ]; then
		await_run '.state == "waiting"'
	else
		await_step "$1"
	fi
}

free_again()
{
	no_hold
	conf Backup pre-run
	rm -f "$veeam/job-1.lock"
}

no_lock_on_disk() { on_disk "$d_dev" no_lock_files "$mnt"; }

stopped()
{
	local sig=$1 number=$2 step=$3 what="$1 at $3"
	hold_in "$step" && ok "$what: reached" || not_ok "$what: reached"
	kill -"$sig" "$asb_pid"
	asb_wait
	free_again
	is "$code" "$((128 + number))" "$what: exit code"
	is "$(status '[.state, .step, .exit_code, .may_be_unplugged] |
		map(tostring) | join(" ")')" \
		"failed $step $((128 + number)) true" "$what: the status"
	like "$(status .error.message)" 'was stopped' "$what: says so"
	like "$(mail -1)" 'Subject:[^'$'\n'']*COPY FAILED' \
		"$what: a mail is in the spool"
	check "$what: nothing is left" nothing_left "$d_dev"
	check "$what: no lock file is left" no_lock_on_disk
}

asb
run_is_good "$d_dev" 'a first copy'
stopped TERM 15 match
stopped INT 2 veeam-wait
stopped HUP 1 plan
stopped TERM 15 copy
stopped INT 2 copy
stopped HUP 1 verify
stopped TERM 15 verify
next_is_good "$d_dev" 'after all these'
unlike "$(status '.warnings | join(" ")')" 'power cut|did not finish' \
	'after all these: none of them died'

# In the middle of a file: rsync's temporary file does not stay for ever.
slow_copy 8
asb_start
check 'TERM in a file: reached' await_run "$copying"
kill -TERM "$asb_pid"
asb_wait
is "$code" 143 'TERM in a file: exit code'
check 'TERM in a file: nothing is left' nothing_left "$d_dev"
asb history --json
is "$(jq -r '.runs[0] | [.result, (.exit_code | tostring)] | join(" ")' \
	<<< "$out")" 'failed 143' 'TERM in a file: the history'

# Twice, and once more: impatience must not make it worse.
asb_start
check 'TERM three times: reached' await_run "$copying"
kill -TERM "$asb_pid"
kill -INT "$asb_pid"
kill -TERM "$asb_pid" 2> /dev/null
asb_wait
like "$code" '^(143|130)$' 'TERM three times: exit code'
check 'TERM three times: nothing is left' nothing_left "$d_dev"
conf Backup bandwidth-limit
next_is_good "$d_dev" 'TERM in a file: the next run'

killed()
{
	local step=$1 what="KILL at $1"
	hold_in "$step" && ok "$what: reached" || not_ok "$what: reached"
	kill -KILL "$asb_pid"
	wait "$asb_pid" 2> /dev/null
	is "$?" 137 "$what: it is dead"
	free_again
	check "$what: rsync is gone, nothing is mounted or locked" \
		nothing_left "$d_dev"
	next_is_good "$d_dev" "$what, next run"
	warned 'power cut, or killed' "$what, next run: says that it died"
	case $step in
	copy | verify) warned 'did not finish' \
		"$what, next run: the lock file on the disk tells it too" ;;
	esac
	asb history --json
	is "$(jq -r '.runs[1].result' <<< "$out")" died \
		"$what: the history says so"
}

killed match
killed veeam-wait
killed plan
killed copy
killed verify

slow_copy 8
asb_start
check 'KILL in a file: reached' await_run "$copying"
kill -KILL "$asb_pid"
wait "$asb_pid" 2> /dev/null
check 'KILL in a file: rsync is gone, nothing is mounted or locked' \
	nothing_left "$d_dev"
conf Backup bandwidth-limit
next_is_good "$d_dev" 'KILL in a file, next run'
no_temp_files() { ! find "$mnt" -name '.*.vbk.*' | grep .; }
check 'KILL in a file: no temporary file stays on the disk' \
	on_disk "$d_dev" no_temp_files
finish

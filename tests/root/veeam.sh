#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 400
#
# Veeam's jobs and the copy, with the real programs: whoever comes second
# waits, who does not wait is noticed, and nobody's death stops the others.
. "$(dirname "$0")/faultlib.sh"

lock_program=$ASBACKUP_BUILD/veeam-lock
unlock_program=$ASBACKUP_BUILD/veeam-unlock

# lock OPTION..., unlock OPTION...: $code, $out, $err of the program.
lock() { run_program "$lock_program" "$@"; }
unlock() { run_program "$unlock_program" "$@"; }
run_program()
{
	local program=$1
	shift
	conf_write
	timeout -k 5 60 "$program" --config "$config" "$@" \
		> "$w/lock.out" 2> "$w/lock.err" < /dev/null
	code=$?
	out=$(cat "$w/lock.out")
	err=$(cat "$w/lock.err")
}

# lock_start JOB OPTION...: in the background: $lock_pid; lock_wait: its end.
lock_start()
{
	conf_write
	"$lock_program" --config "$config" --job "$@" \
		> "$w/lock.out" 2> "$w/lock.err" < /dev/null &
	lock_pid=$!
	kill_at_end "$lock_pid"
}
lock_wait()
{
	wait "$lock_pid"
	code=$?
	out=$(cat "$w/lock.out")
	err=$(cat "$w/lock.err")
}
lock_said() { grep -q "$1" "$w/lock.out"; }

has_state() { [ "$(status .state 2> /dev/null)" = "$1" ]; }
listed()
{
	"$lock_program" --config "$config" --list --json | jq -e "$1" > /dev/null
}

place()
{
	world
	fill
	disk d ext4 300M
	disks "$d_uuid"
	asb
	run_is_good "$d_dev" "$1, a first copy"
}

# slow_run SECONDS: at least 5, for only the progress of a large file is told.
slow_run()
{
	slow_copy "$1"
	asb_start
	check "$what: the copy runs" await_run "$copying"
}

fast() { conf Backup bandwidth-limit; }

# --- one after the other --------------------------------------------------------

copy_waits()
{
	what='a copy waits for a job'
	place "$what"
	lock --job 'Täglich 1' --run 'r 1'
	is "$code" 0 "$what: the job has its lock"
	like "$out" 'Täglich 1 has the lock' "$what: says so"
	asb run --no-wait
	run_failed 12 veeam-wait "$d_dev" "$what, not with --no-wait"
	like "$err" 'Täglich 1' "$what: named"
	like "$err" 'veeam-lock --list' "$what: where to look"
	head -c 20000 /dev/urandom > "$src/Job A/new.vib"
	settle
	conf VEEAM wait-mail-minutes 0
	mails_before=$(mail_count)
	asb_start
	check "$what: the status says waiting" asb_until has_waiting 'Täglich 1'
	check "$what: is mailed when it takes too long" \
		until_true 10 eval '(($(mail_count) == mails_before + 2))'
	like "$(mail -1)" 'Subject: [^'$'\n'']*copy still waits for Veeam' \
		"$what: the mail says so"
	mailed 'Täglich 1' "$what: the mail names the job"
	mailed 'another (8 h 00|7 h 59) min' "$what: the mail tells how long it waits"
	mailed 'veeam-unlock' "$what: the mail tells what to do"
	conf VEEAM wait-mail-minutes
	lock --list
	is "$code" 0 "$what: --list"
	like "$out" 'Täglich 1, r 1' "$what: --list names job and run"
	like "$out" "copy to $d_uuid" "$what: --list names the copy that waits"
	like "$out" 'The copy starts when these jobs have ended' \
		"$what: --list tells what comes next"
	check "$what: as JSON" listed '.copy.held == false and
		(.leases | length) == 1 and .leases[0].state == "live" and
		.waiting[0].kind == "copy" and .waiting[0].alive'
	unlock --job 'Täglich 1' --run 'r 1'
	is "$code" 0 "$what: the job has ended"
	asb_wait
	run_is_good "$d_dev" "$what: then it runs"
	is "$(mail_count)" "$((mails_before + 3))" "$what: one mail, not more"
	unlock --job 'Täglich 1'
	is "$code" 0 "$what: unlocked twice is no error"
	like "$err" 'had no lock' "$what: but a note"
	detach "$d_dev"
}
has_waiting() { [ "$(status '.waiting_for[0]')" = "$1" ]; }

job_waits()
{
	what='a job waits for a copy'
	place "$what"
	slow_run 5
	lock_start daily
	check "$what: says so at once" until_true 10 lock_said \
		'has been running since .*daily waits for it'
	check "$what: is in the queue" until_true 10 listed \
		'.copy.held and .copy.disk == "'"$d_uuid"'" and
		.waiting[0].name == "daily" and .waiting[0].kind == "job"'
	lock --list
	like "$out" 'backup copy to .* has been running since' \
		"$what: --list names the copy"
	like "$out" 'Veeam job daily' "$what: --list names the job"
	asb_wait
	run_is_good "$d_dev" "$what: the copy is undisturbed"
	is "$(status '.warnings | length')" 0 "$what: and has nothing to warn of"
	lock_wait
	is "$code" 0 "$what: then it has its lock"
	check "$what: a lease" listed '.leases[0].job == "daily" and
		(.leases[0].forced | not) and (.waiting | length) == 0 and
		(.leases[0].expires | fromdateiso8601) > now'
	unlock --job daily
	is "$code" 0 "$what: and gives it back"
	lock --list
	like "$out" 'Nobody holds a lock' "$what: all is free"
	fast
	detach "$d_dev"
}

# --- who does not wait ----------------------------------------------------------

forced()
{
	what='a job that does not wait'
	place "$what"
	slow_run 5
	lock --job hasty --wait 0
	is "$code" 75 "$what: refused"
	like "$err" 'a backup copy is still running' "$what: why"
	like "$err" 'has been told' "$what: what it means"
	check "$what: a mail" grep -lr 'no lock for the Veeam job hasty' "$spool"
	check "$what: entered all the same" listed '.leases[0].forced'
	check "$what: the copy waits for it" asb_until has_state waiting
	fast
	conf_write
	unlock --job hasty
	is "$code" 0 "$what: ends"
	like "$err" 'may have run beside a backup copy' "$what: a warning"
	asb_wait
	run_is_good "$d_dev" "$what: the copy takes a second look"
	warned 'hasty.*copying the rest once more' "$what: warned"
	copy_is_good "$d_dev" "$what: the copy is the source"

	# It has ended before the copy looks.
	slow_run 5
	lock --job short --wait 0 --no-mail
	unlock --job short
	asb_wait
	run_is_good "$d_dev" "$what, and is short"
	warned 'copying the rest once more' "$what, and is short: warned"

	# It does not end.
	slow_copy 5
	asb_start run --no-wait
	check "$what, nor end: the copy runs" await_run "$copying"
	lock --job long --wait 0 --no-mail
	asb_wait
	run_failed 16 verify "$d_dev" "$what, nor end"
	like "$err" 'NOT consistent' "$what, nor end: said"
	unlock --job long
	fast
	asb
	run_is_good "$d_dev" "$what: the next run"
	detach "$d_dev"
}

killed_while_waiting()
{
	what='a pre-job script that is killed'
	place "$what"
	slow_run 5
	lock_start doomed
	check "$what: waits" until_true 10 listed '.waiting[0].name == "doomed"'
	kill -KILL "$lock_pid"
	lock_wait 2> /dev/null
	check "$what: the copy waits for the job" asb_until has_state waiting
	check "$what: the job counts as running" listed \
		'.leases[0].job == "doomed" and .leases[0].forced'
	fast
	conf_write
	unlock --job doomed
	is "$code" 0 "$what: the job ends"
	asb_wait
	run_is_good "$d_dev" "$what: the copy took a second look"
	warned 'doomed was killed while it waited' "$what: warned"

	# A signal it can catch: it does the same by itself.
	slow_run 5
	lock_start asked
	check 'a pre-job script that is asked to end: waits' until_true 10 \
		listed '.waiting[0].name == "asked"'
	kill -TERM "$lock_pid"
	lock_wait
	is "$code" 143 'a pre-job script that is asked to end: 143'
	check 'a pre-job script that is asked to end: its job is entered' \
		listed '.leases[0].job == "asked" and .leases[0].forced'
	unlock --job asked
	fast
	asb_wait
	run_is_good "$d_dev" 'a pre-job script that is asked to end: the copy'
	detach "$d_dev"
}

# --- the copy gives way ---------------------------------------------------------

yields()
{
	what='the copy gives way'
	place "$what"
	conf VEEAM when-copy-runs yield
	slow_run 40
	lock_start urgent
	lock_wait
	is "$code" 0 "$what: the job has its lock while the copy is not done"
	check "$what: the copy waits" asb_until has_waiting urgent
	lock --list
	like "$out" "copy to $d_uuid" "$what: it is in the queue again"
	# Changed meanwhile: the copy begins anew.
	head -c 50000 /dev/urandom > "$src/Job A/slow.vbk"
	head -c 50000 /dev/urandom > "$src/Job A/full.vbk"
	settle
	unlock --job urgent
	asb_wait
	run_is_good "$d_dev" "$what: and is good in the end"
	warned 'gave way to a Veeam job' "$what: warned"
	copy_is_good "$d_dev" "$what: the copy is the source"
	check "$what: nothing is left" nothing_left "$d_dev"

	# A disk that is carried away while the copy waits.
	slow_run 40
	lock_start again
	lock_wait
	check "$what: waits once more" asb_until has_waiting again
	check "$what: the disk is carried away" vanish "$d_dev" "$d_img"
	asb_wait
	asb_is 19 "$what, and the disk is carried away: exit code 19"
	unlock --job again
	fast
	detach "$d_dev"
}

# --- deaths ---------------------------------------------------------------------

copy_killed()
{
	what='the copy is killed'
	place "$what"
	slow_run 20
	lock_start patient
	check "$what: a job waits" until_true 10 listed \
		'.waiting[0].name == "patient"'
	kill -KILL "$asb_pid"
	wait "$asb_pid" 2> /dev/null
	lock_wait
	is "$code" 0 "$what: the job has its lock"
	check "$what: no rsync is left beside it" no_processes
	unlock --job patient

	# It waited, with a ticket.
	lock --job first
	asb_start
	check "$what while it waits: in the queue" until_true 10 listed \
		'.waiting[0].kind == "copy"'
	kill -KILL "$asb_pid"
	wait "$asb_pid" 2> /dev/null
	lock --job second --wait 0
	is "$code" 0 "$what while it waits: jobs do not wait for the dead"
	unlock --all
	is "$code" 0 "$what: --all"
	check "$what: --all took every lock" listed '.leases | length == 0'
	fast
	asb
	run_is_good "$d_dev" "$what: the next run"
	detach "$d_dev"
}

# A lock that lived on in a hook would keep Veeam out.
leaks()
{
	what='descriptors of locks'
	place "$what"
	hook_dir || return
	hook look <<- 'END'
	#!/bin/bash
	ls -l /proc/self/fd > "${0%/*}/fds" 2>&1
	END
	conf Backup post-run "$hooks/look"
	conf Backup pre-run "$hooks/look"
	asb
	run_is_good "$d_dev" "$what: a run with hooks"
	unlike "$(cat "$hooks/fds")" "$state/lock" "$what: none in a hook"
	conf Backup pre-run
	conf Backup post-run
	slow_run 5
	# shellcheck disable=SC2012
	inherited=$(for p in $(pgrep -f "^/usr/bin/rsync .*$w"); do
		ls -l "/proc/$p/fd" 2> /dev/null
	done | grep -o "$state/lock/[a-z/]*" | sort -u)
	is "$inherited" "$state/lock/copy" "$what: rsync has the copy's, alone"
	asb_wait
	fast
	detach "$d_dev"
}

# --- a place that will not do ---------------------------------------------------

# refused_place WHAT REGEX: neither side goes on.
refused_place()
{
	lock --job x --no-mail
	is "$code" 1 "$1: veeam-lock ends with 1"
	like "$err" "$2" "$1: veeam-lock says why"
	asb
	run_failed 12 veeam-wait "$d_dev" "$1: the copy"
	like "$err" "$2" "$1: the copy says why"
	asb check
	is "$code" 12 "$1: asbackup check finds it"
}

bad_places()
{
	what='a directory of locks'
	place "$what"
	locks=$w/locks
	conf VEEAM veeam-lockfiles "$locks"
	mkdir -m 0777 "$locks"
	refused_place "$what that others may write to" 'others may write'
	chmod 0700 "$locks"
	chown nobody "$locks"
	refused_place "$what of somebody else" 'belongs to somebody else'
	rm -r "$locks"
	mkdir "$w/real"
	ln -s "$w/real" "$locks"
	refused_place "$what that is a link" 'symbolic link'
	rm "$locks"
	conf VEEAM veeam-lockfiles /mnt
	mount -t tmpfs -o ro,mode=0700 tmpfs /mnt
	refused_place "$what that is read-only" 'ead-only file system'
	umount /mnt
	conf VEEAM veeam-lockfiles "$locks"
	lock --job y
	is "$code" 0 "$what that is all right"
	unlock --job y
	conf VEEAM veeam-lockfiles
	detach "$d_dev"
}

full_place()
{
	what='a directory of locks that is full'
	place "$what"
	locks=/mnt
	mount -t tmpfs -o mode=0700,size=64k tmpfs "$locks"
	conf VEEAM veeam-lockfiles "$locks"
	lock --job before
	is "$code" 0 "$what: a lock before"
	cat /dev/zero > "$locks/fill" 2> /dev/null
	unlock --job before
	is "$code" 0 "$what: unlocking needs no room"
	lock --job before --no-mail
	is "$code" 0 "$what: what became free"
	lock --job reserve --no-mail
	is "$code" 0 "$what: there is a reserve"
	lock --job more --no-mail
	is "$code" 0 "$what: and then a name is enough"
	like "$err" 'o space left' "$what: says so"
	like "$err" 'entered as running all the same' "$what: what it means"
	check "$what: it counts" listed '.leases[] | select(.job == "more") |
		.state == "live" and (.readable | not)'
	unlock --job more
	is "$code" 0 "$what: it is unlocked"
	check "$what: and gone" listed \
		'[.leases[].job] | index("more") == null'
	unlock --all
	is "$code" 0 "$what: unlocked"
	rm "$locks/fill"
	asb
	run_is_good "$d_dev" "$what: room again, a copy"
	umount "$locks"
	mount -t tmpfs -o mode=0700,nr_inodes=6 tmpfs "$locks"
	lock --job none --no-mail
	is "$code" 1 "$what of files: refused"
	like "$err" 'o space left' "$what of files: says so"
	like "$err" 'does not know of this job' "$what of files: what it means"
	umount "$locks"
	conf VEEAM veeam-lockfiles
	detach "$d_dev"
}

# --- odds and ends --------------------------------------------------------------

odds()
{
	world
	conf General language de
	lock --job 'Täglich 1'
	like "$out" 'Der Veeam-Job Täglich 1' 'in German'
	lock --list
	like "$out" 'Täglich 1' 'in German: --list'
	conf General language
	lock --job $'a\nb'
	is "$code" 2 'an id with a newline'
	lock --job "$(printf 'x%.0s' {1..81})"
	is "$code" 2 'an id that is too long'
	lock --wait soon
	is "$code" 2 'a time that is none'
	lock --json
	is "$code" 2 '--json without --list'
	lock --job '../../x' --run "r'; rm -rf /"
	is "$code" 0 'an id that looks like a path'
	check 'is not one' test ! -e "$w/x"
	check 'an id as it was given' listed \
		'[.leases[].job] | index("../../x") != null'
	unlock --job '../../x' --run other
	is "$code" 0 'another run'
	like "$err" 'kept' 'another run: kept'
	check 'another run: the lock is there' listed \
		'[.leases[].job] | index("../../x") != null'
	lock --job '../../x' --run newer
	like "$err" 'earlier run .* never released' 'a newer run: told'
	VEEAM_JOB_ID=from-env VEEAM_SESSION_ID=s1 lock
	check 'ids from the environment' listed '.leases[] |
		select(.job == "from-env") | .run == "s1"'
	SSH_CONNECTION='1 2 3 4' lock --job far
	check 'over ssh' listed '.leases[] | select(.job == "far") | .remote'
	printf 'torn' > "$state/lock/lease/torn"
	check 'a torn lease counts' listed '.leases[] |
		select(.job == "torn") | .state == "live" and (.readable | not)'
	touch -d '3 years ago' "$state/lock/lease/torn"
	lock --clean
	lock --list
	like "$out" 'far' '--clean leaves what counts'
	lock --list > /dev/null
	timeout 20 "$lock_program" --config "$config" --list --json \
		> /dev/full 2> "$w/lock.err"
	is "$?" 1 'a full standard output'
	like "$(cat "$w/lock.err")" 'cannot be printed' \
		'a full standard output: told'
	: > "$veeam/2024-01-01.lock"
	lock --list
	like "$out" '2024-01-01.lock' 'a lock file of the old script is shown'
	unlock --all
	is "$code" 0 '--all'
	check '--all: they are gone' listed '.leases | length == 0'
}

odds
copy_waits
job_waits
forced
killed_while_waiting
yields
copy_killed
leaks
bad_places
full_place
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# What keeps a run from doing harm: a source that is not what it should be, too
# many deletes, Veeam's jobs, another run.
. "$(dirname "$0")/lib.sh"

content() { on_disk "$1" tree "$mnt" | sha256sum; }

# A world with a disk that has a good copy.
copied()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	asb --no-mail
	asb_is 0 'a first copy'
	before=$(content "$d_dev")
}

# refused WHAT TEXT [STEP]: exit code 11, the disk is as before.
refused()
{
	asb
	run_failed 11 "${3:-guard}" "$d_dev" "$1"
	like "$err" "$2" "$1: says why"
	is "$(content "$d_dev")" "$before" "$1: nothing was deleted"
}

# --- the source -----------------------------------------------------------------

source_is_wrong()
{
	copied
	mv "$src" "$w/away"
	refused 'no source' "$src.* is not there"
	is "$(mail_count)" 1 'no source: a mail'
	like "$(mail -1)" 'COPY FAILED' 'no source: the subject'
	like "$(mail_body -1)" 'guard' 'no source: the mail names the step'
	like "$(mail_body -1)" 'may be unplugged' \
		'no source: the disk may be unplugged'

	mkdir "$src"
	refused 'an empty source' 'has no files'
	mkdir -p "$src/a/b/c"
	refused 'a source of empty directories' 'has no files'
	rmdir -p "$src/a/b/c" 2> /dev/null
	rm -rf "$src"
	: > "$src"
	conf Backup backup-source "$src"
	refused 'a file as source' 'not a directory'
	rm "$src"
	ln -s /nowhere "$src"
	refused 'a dangling link as source' 'is not there'
	rm "$src"
	mv "$w/away" "$src"
	conf Backup backup-source "$src/"

	conf Backup min-source-files 6
	refused 'too few files' 'too few files'
	conf Backup min-source-files 5
	asb
	run_is_good "$d_dev" 'just enough files'
	conf Backup min-source-files
	detach_all
}

not_mounted()
{
	copied
	before=$(content "$d_dev")
	conf Backup source-must-be-mountpoint yes
	refused 'source-must-be-mountpoint' 'is not mounted'
	mount --bind "$src" "$src"
	asb
	run_is_good "$d_dev" 'the source is a mount point'
	umount "$src"
	conf Backup source-must-be-mountpoint

	if [ ! -e /etc/fstab ]; then
		skip 'a source named in fstab' 'there is no /etc/fstab here'
		detach_all
		return
	fi
	printf 'UUID=%s %s ext4 noauto 0 0\n' "$(new_uuid)" "$src" \
		> "$tmp/fstab"
	mount --bind "$tmp/fstab" /etc/fstab
	at_end 'umount /etc/fstab 2> /dev/null'
	refused 'a source that fstab mounts' 'is not mounted'
	mount --bind "$src" "$src"
	asb
	run_is_good "$d_dev" 'a source that fstab mounts, mounted'
	umount "$src"
	umount /etc/fstab
	detach_all
}

overlaps()
{
	copied
	conf Backup backup-destination "$src/disk"
	refused 'the destination in the source' 'lie in one another'
	check 'the destination in the source: it was not made' \
		test ! -e "$src/disk"
	conf Backup backup-destination "$w"
	refused 'the source in the destination' 'lie in one another'
	conf Backup backup-destination "$src"
	refused 'the source as destination' 'lie in one another'
	ln -s "$src" "$w/by-link"
	conf Backup backup-destination "$w/by-link/disk"
	refused 'the destination in the source, by a link' 'lie in one another'
	conf Backup backup-destination "$w/disk"
	asb
	run_is_good "$d_dev" 'a destination of its own'
	is "$(content "$d_dev")" "$before" 'a destination of its own: as before'
	check 'it is not mounted there for others' \
		test ! -e "$w/disk/.asbackup"
	detach_all
}

deletes()
{
	copied
	rm -r "$src/Job A" "$src/Job B/empty"
	settle
	refused 'too many deletes' 'max-delete-percent' plan
	like "$err" '--force' 'too many deletes: says what to do'
	asb --force
	run_is_good "$d_dev" '--force'
	copy_is_good "$d_dev" '--force: identical'
	like "$(status '.warnings | join(" ")')" '--force' '--force: told'
	detach_all

	copied
	rm "$src/Job B/empty"
	settle
	conf Backup max-delete-percent 0
	refused 'max-delete-percent = 0' 'max-delete-percent' plan
	conf Backup max-delete-percent 100
	rm -r "$src/Job A"
	settle
	asb
	run_is_good "$d_dev" 'max-delete-percent = 100'
	copy_is_good "$d_dev" 'max-delete-percent = 100: identical'
	detach_all
}

# --- Veeam's jobs -----------------------------------------------------------------

has_state() { [ "$(status .state 2> /dev/null)" = "$1" ]; }
has_step() { [ "$(status .step 2> /dev/null)" = "$1" ]; }

waiting()
{
	local lock
	copied
	lock=$veeam/2024-05-06T07-08-09.lock
	printf more > "$src/more"
	settle
	: > "$lock"
	asb --no-wait
	run_failed 12 veeam-wait "$d_dev" 'a Veeam job runs, --no-wait'
	like "$err" '2024-05-06T07-08-09.lock' 'a Veeam job runs: named'
	is "$(content "$d_dev")" "$before" 'a Veeam job runs: nothing was copied'
	conf Backup wait-for-veeam-minutes 0
	asb
	asb_is 12 'wait-for-veeam-minutes = 0'
	conf Backup wait-for-veeam-minutes

	# both names of the directory, and a path of a file in it
	conf Backup veeam-lockfile-dir
	conf Backup veeam-lockfile-path "$veeam/old.lock"
	asb --no-wait
	asb_is 12 'veeam-lockfile-path with a file'
	conf Backup veeam-lockfile-path "$veeam/"
	asb --no-wait
	asb_is 12 'veeam-lockfile-path with a directory'
	conf Backup veeam-lockfile-path
	conf VEEAM veeam-lockfiles "$veeam"
	asb --no-wait
	asb_is 12 'veeam-lockfiles'
	conf VEEAM veeam-lockfiles
	conf Backup veeam-lockfile-dir "$veeam"

	asb_start
	check 'it waits' asb_until has_state waiting
	is "$(status '.step + " " + .waiting_for[0]')" \
		'veeam-wait 2024-05-06T07-08-09.lock' 'it says for what'
	check 'it waits without having mounted the disk' free_disk "$d_dev"
	conf_write
	like "$("$asbackup" --config "$config" status)" '2024-05-06|ait' \
		'status says that it waits'
	mv "$lock" "$veeam/second.lock"
	check 'the next job' asb_until \
		eval '[ "$(status ".waiting_for[0]")" = second.lock ]'
	rm "$veeam/second.lock"
	asb_wait
	run_is_good "$d_dev" 'the jobs have ended'
	copy_is_good "$d_dev" 'the jobs have ended: identical'

	# stopped while it waits
	: > "$lock"
	asb_start
	check 'it waits again' asb_until has_state waiting
	kill -TERM "$asb_pid"
	asb_wait
	asb_is 143 'TERM while it waits: exit code 128+15'
	rm "$lock"
	asb
	run_is_good "$d_dev" 'after that'
	detach_all
}

slow_copies=0
# slow_copy: a copy that takes some seconds, and is in the middle of them.
slow_copy()
{
	# Another size each time: that rsync sees whatever the times are.
	head -c $((6000000 + ++slow_copies)) /dev/urandom > "$src/large.vib"
	settle
	conf Backup bandwidth-limit 1500
	asb_start "$@"
	asb_until has_step copy
}

overlap()
{
	copied
	slow_copy
	: > "$veeam/late.lock"
	check 'a job during the copy: it is waited for' \
		asb_until has_state waiting
	rm "$veeam/late.lock"
	asb_wait
	run_is_good "$d_dev" 'a job during the copy, then a clean pass'
	like "$(status '.warnings | join(" ")')" 'late.lock' \
		'a job during the copy: told'
	is "$(status .result.passes)" 1 'nothing had to be copied twice'
	copy_is_good "$d_dev" 'a job during the copy: identical'

	# It came and went unseen by who only looks now and then.
	slow_copy
	: > "$veeam/short.lock"
	rm "$veeam/short.lock"
	asb_wait
	run_is_good "$d_dev" 'a short job during the copy'
	like "$(status '.warnings | join(" ")')" 'short.lock' \
		'a short job during the copy: told'

	slow_copy --no-wait
	: > "$veeam/stays.lock"
	asb_wait
	run_failed 16 verify "$d_dev" 'a job that does not end'
	like "$err" 'NOT consistent' 'a job that does not end: says so'
	like "$(mail -1)" 'COPY FAILED' 'a job that does not end: the mail'
	unlike "$(mail_body -1)" 'othing was copied' \
		'a job that does not end: something was copied'
	asb disks --json
	unlike "$out" "$(status .ended)" 'a job that does not end: not good'
	rm "$veeam/stays.lock"

	# One job after the other.
	slow_copy
	while kill -0 "$asb_pid" 2> /dev/null; do
		: > "$veeam/again.lock"
		rm "$veeam/again.lock"
	done
	asb_wait
	run_failed 16 verify "$d_dev" 'jobs all the time'
	conf Backup bandwidth-limit
	asb
	run_is_good "$d_dev" 'later it is good'
	copy_is_good "$d_dev" 'later it is good: identical'
	detach_all
}

# --- another run ------------------------------------------------------------------

# The hook tells that it runs, and waits until it is told to go on.
two_runs()
{
	local number
	copied
	hook hold <<-'END'
	#!/bin/sh
	echo running > "$1/says"
	read -r answer < "$1/hears"
	exit "$answer"
	END
	mkfifo "$hooks/says" "$hooks/hears"
	conf Backup pre-run "$hooks/hold $hooks"
	asb_start
	read -r -t 60 _ < "$hooks/says" && ok 'the first run' ||
		not_ok 'the first run'
	mv "$w/out" "$w/first.out"
	mv "$w/err" "$w/first.err"
	number=$(status .pid)
	asb
	asb_is 75 'a second run'
	like "$err" 'already at work' 'a second run: says why'
	is "$(status '.pid')" "$number" 'the status stays that of the first'
	is "$(mail_count)" 0 'a second run: no mail'
	asb verify
	asb_is 75 'verify during a run'
	asb disks --adopt "$d_uuid"
	asb_is 75 'adopt during a run'
	asb status --json
	is "$(jq -r .state <<< "$out")" running 'status: it runs'
	echo 0 > "$hooks/hears"
	asb_wait
	run_is_good "$d_dev" 'the first run goes on'

	asb_start
	read -r -t 60 _ < "$hooks/says"
	echo 75 > "$hooks/hears"
	asb_wait
	asb_is 0 'pre-run says 75: no error'
	is "$(status '[.state, .skipped] | map(tostring) | join(" ")')" \
		'succeeded true' 'pre-run says 75: skipped'
	asb history --json
	is "$(jq -r '.runs[0].result' <<< "$out")" skipped \
		'pre-run says 75: the history'

	asb_start
	read -r -t 60 _ < "$hooks/says"
	echo 4 > "$hooks/hears"
	asb_wait
	run_failed 1 match "$d_dev" 'pre-run fails'
	like "$err" 'pre-run' 'pre-run fails: says so'
	conf Backup pre-run

	# Killed: nothing stays, and the next one knows.
	conf Backup pre-run "$hooks/hold $hooks"
	asb_start
	read -r -t 60 _ < "$hooks/says"
	kill -KILL "$asb_pid"
	asb_wait
	conf Backup pre-run
	asb
	run_is_good "$d_dev" 'after a run that was killed'
	like "$(status '.warnings | join(" ")')" 'ended without a word' \
		'after a run that was killed: told'

	hook after <<-'END'
	#!/bin/sh
	echo "$ASBACKUP_EXIT_CODE $ASBACKUP_STATE $ASBACKUP_UUID" > "$1"
	exit 9
	END
	conf Backup post-run "$hooks/after $hooks/after.says"
	asb
	run_is_good "$d_dev" 'post-run fails'
	is "$(cat "$hooks/after.says")" "0 succeeded $d_uuid" \
		'post-run knows how it went'
	like "$(status '.warnings | join(" ")')" 'post-run' \
		'post-run fails: a warning'
	conf Backup post-run
	detach_all
}

hook_dir
source_is_wrong
not_mounted
overlaps
deletes
waiting
overlap
two_runs
finish

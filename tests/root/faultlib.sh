# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034
# not a test
#
# For the tests of faults in root/: lib.sh, and ways to wait for a moment of a
# run, to break a disk in it, and to look at what is left afterwards.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fault=$(dirname "${BASH_SOURCE[0]}")/fault.py
case $fault in /*) ;; *) fault=$PWD/$fault ;; esac

# Whatever was written just now gets a time of its own in the past: rsync looks
# at whole seconds, so the same size and the same second would be no change.
settle()
{
	settled=$((${settled:-0} + 1))
	find "$src" -newermt 2025-01-01 -exec \
		touch -h -d "@$((1577934245 + settled * 60))" {} +
}

# same_data A B: the same files with the same contents, in the same second. (A
# directory may be younger: something was made in it and taken away again.)
same_data()
{
	diff -r --no-dereference -x .asbackup -x lost+found "$1" "$2" &&
		diff <(file_times "$1") <(file_times "$2")
}
file_times()
{
	find "$1" -name .asbackup -prune -o -type f -printf '%P %s %T@\n' |
		sed 's/\.[0-9]*$//' | LC_ALL=C sort
}

# --- the moment -----------------------------------------------------------------

# The run that asb_start began says FILTER (jq) of itself.
run_says()
{
	jq -e ".pid == $asb_pid and ($1)" "$run_dir/status.json"
}

# await_run FILTER [SECONDS]: until it says so. Fails when it ended before.
await_run()
{
	local deadline=$((SECONDS + ${2:-30}))
	until run_says "$1" > /dev/null 2>&1; do
		if [ "$SECONDS" -ge "$deadline" ] || ! [ -d "/proc/$asb_pid" ] ||
			run_says '.exit_code != null' > /dev/null 2>&1; then
			printf '# never came: %s; last: %s\n' "$1" \
				"$(jq -c '[.state, .step, .exit_code]' \
					"$run_dir/status.json" 2>&1)"
			return 1
		fi
		sleep 0.02
	done
}

# A copy of about SECONDS seconds, in which something can happen.
copying='.step == "copy" and .progress.bytes_done > 0'
slow_copy()
{
	conf Backup bandwidth-limit 4M
	head -c "$(($1 * 4))M" /dev/urandom > "$src/Job A/slow.vbk"
	settle
}

# hold_rsync: every rsync waits before it does anything, until let_go has been
# called for it. Nobody outside of this test's mount namespace sees the wrapper;
# it lies below /usr, where Landlock lets rsync read.
gate=/usr/games
hold_rsync()
{
	if ! [ -e "$gate/gate" ]; then
		mount -t tmpfs -o mode=0755 tmpfs "$gate" || return 1
		cp /usr/bin/rsync "$gate/rsync"
		mkfifo "$gate/gate" "$gate/behind"
		cat > "$gate/wrapper" <<- 'END'
		#!/bin/bash
		[ "$1" = --version ] || { : < /usr/games/gate; : < /usr/games/behind; }
		exec /usr/games/rsync "$@"
		END
		chmod 755 "$gate/wrapper"
	fi
	mount --bind "$gate/wrapper" /usr/bin/rsync
}
# let_go [N]: waits for the next rsync, and the one behind it, and lets it go.
# Who is behind the gate has closed it, and cannot be met there once more.
let_go()
{
	local i
	for ((i = 0; i < ${1:-1}; i++)); do
		timeout 60 sh -c ': > "$0/gate"; : > "$0/behind"' "$gate" ||
			return 1
	done
}
no_hold()
{
	while grep -q ' /usr/bin/rsync ' /proc/self/mountinfo; do
		umount -l /usr/bin/rsync
	done
}

rsync_runs() { processes_left | grep rsync | grep -v -e --config; }

# await_step STEP: the run is in it, and for the steps that call rsync, rsync
# waits there.
await_step()
{
	await_run ".step == \"$1\"" || return 1
	case $1 in
	plan | copy | verify) until_true 10 rsync_runs ;;
	esac
}

# --- what a run leaves -----------------------------------------------------------

# Its processes: asbackup's and rsync's command lines name this directory.
processes_left()
{
	local dir comm
	for dir in /proc/[0-9]*; do
		comm=$(cat "$dir/comm" 2> /dev/null) || continue
		case $comm in asbackup | rsync | wrapper) ;; *) continue ;; esac
		tr '\0' ' ' 2> /dev/null < "$dir/cmdline" | grep -F "$tmp/" ||
			continue
	done
}
no_processes() { ! processes_left | grep .; }

locks_free()
{
	local lock
	for lock in "$state"/lock/*; do
		[ -e "$lock" ] || continue
		flock -n "$lock" true || { echo "$lock is held"; return 1; }
	done
}

# What is left for a moment goes by itself: a killed process dies at once, but
# not in no time.
nothing_left()
{
	until_true 10 no_processes || { processes_left; return 1; }
	until_true 10 locks_free || { locks_free; return 1; }
	no_mounts || return 1
	[ -z "$1" ] || until_true 10 free_disk "$1" || free_disk "$1"
}

# Nothing of the device is in memory: what is read now comes from the disk. (Its
# file system's own cache went with the mount.)
drop_caches() { blockdev --flushbufs "$1"; }

# next_is_good DEV WHAT: an undisturbed run repairs everything.
next_is_good()
{
	asb
	run_is_good "$1" "$2"
	drop_caches "$1"
	data_is_good "$1" "$2: the copy is the source"
	check "$2: nothing is left behind" nothing_left "$1"
}

data_is_good() { check "$2" on_disk "$1" same_data "$src" "$mnt"; }

# warned REGEX WHAT, mailed REGEX WHAT: in the status; in the last mail.
warned() { like "$(status '.warnings | join("; ")')" "$1" "$2"; }
mailed() { like "$(mail_body -1)" "$1" "$2"; }

# failed_with 'CODE CODE...' WHAT: one of them, told and tidied up.
failed_with()
{
	if [[ " $1 " == *" $code "* ]]; then
		ok "$2: exit code ($code)"
	else
		not_ok "$2: exit code" "got $code, wanted one of: $1" \
			"$err" "$out"
	fi
	is "$(status '[.state, .exit_code] | map(tostring) | join(" ")')" \
		"failed $code" "$2: the status says so"
	is "$(status '[.error.message, .error.meaning, .error.action] |
		map(. != "" and . != null) | all')" true \
		"$2: what happened, what it means, what to do"
	like "$(mail -1)" 'Subject:[^'$'\n'']*COPY FAILED' "$2: the mail says so"
	check "$2: no process and no lock is left" nothing_left ''
}

# --- broken disks ------------------------------------------------------------------

# make_store [FSTYPE]: $store, a file system for images of disks.
make_store()
{
	store=$tmp/store
	truncate -s 3G "$tmp/store.img"
	mkfs_on "$tmp/store.img" "${1:-ext4}" "$(new_uuid)"
	store_dev=$(losetup -f --show "$tmp/store.img") || return 1
	at_end leave_store
	mkdir -p "$store"
	mount "$store_dev" "$store"
}
leave_store()
{
	fsfreeze -u "$store" 2> /dev/null
	no_hold
	until_true 20 no_processes
	detach_all
	umount "$store" || umount -l "$store"
	losetup -d "$store_dev"
}

# disk_on_store NAME FSTYPE SIZE: as disk, with its image there.
disk_on_store()
{
	local name=$1 uuid img=$store/$1.img
	uuid=$(new_uuid)
	rm -f "$img"
	truncate -s "$3" "$img"
	mkfs_on "$img" "$2" "$uuid"
	attach "$img"
	printf -v "${name}_uuid" %s "$uuid"
	printf -v "${name}_img" %s "$img"
	printf -v "${name}_dev" %s "$dev"
}

# vanish DEV IMAGE: a device in use cannot be taken away; one without a size is
# as good as gone. (A write that comes between the two makes the image grow.)
vanish()
{
	truncate -s 0 "$2" && losetup -c "$1" || return 1
	[ "$(blockdev --getsize64 "$1")" = 0 ] || vanish "$@"
}

# pull DEV IMAGE: the same, and what was on it in that moment is IMAGE.pulled.
pull() { cp --reflink=always "$2" "$2.pulled" && vanish "$1" "$2"; }

# plug DEV IMAGE: it comes back: $dev.
plug()
{
	detach "$1"
	mv "$2.pulled" "$2"
	attach "$2"
}

# in_run COMMAND...: in the mount namespace of the running copy.
in_run() { nsenter --mount="/proc/$asb_pid/ns/mnt" "$@"; }

# bash has its background processes ignore SIGINT, and who is told to ignore a
# signal goes on doing so.
asb_start()
{
	conf_write
	env --default-signal=INT,HUP,TERM "$asbackup" --config "$config" "$@" \
		> "$w/out" 2> "$w/err" < /dev/null &
	asb_pid=$!
	kill_at_end "$asb_pid"
}

# Without what the tests themselves mounted for the images of their disks.
no_mounts()
{
	! grep -hF " $tmp/" /proc/self/mountinfo /proc/1/mountinfo |
		grep -vF -e " ${store:-//} " -e " ${thin:-//} " | grep .
}

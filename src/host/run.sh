# SPDX-License-Identifier: MIT
# Runs the job, detached from everything: DIRECTORY METHOD.

cd "$1" && mkdir run 2> /dev/null || exit 0
umask 077
# The script gets them again.
unset TIME_STYLE BLOCK_SIZE LS_BLOCK_SIZE
# Told to end, it still writes the result; what is ended is the script.
be_patient()
{
	trap 'mv mark stopped 2> /dev/null' TERM
	trap : INT
}

be_patient
method=$2
{
	read -r nonce
	read -r started
	read -r boot
	read -r limit
} < meta

# The script gets pipes, for it may open /dev/stderr anew, and would empty a
# file with that.  Who has left it may hold them for ever.  tee goes on reading
# when the disk is full, and says so where there is room already.
tees=
open_pipes()
{
	command -v tee > /dev/null 2>&1 &&
		mkfifo out.pipe err.pipe 2> /dev/null || {
		exec 7>> out 8>> err
		return
	}
	# Only opened for both does it not wait for the other side.
	exec 3<> out.pipe 4<> err.pipe
	exec 5< out.pipe 6< err.pipe 7> out.pipe 8> err.pipe
	exec 3<&- 4<&-
	trap '' TERM INT HUP
	tee -a out <&5 5<&- 6<&- 7<&- 8<&- > /dev/null 2<> lost &
	tees=$!
	tee -a err <&6 5<&- 6<&- 7<&- 8<&- > /dev/null 2<> lost &
	tees="$tees $!"
	trap - HUP
	be_patient
	exec 5<&- 6<&-
}

# Who sleeps has read all there was; who writes does not.
is_drained()
{
	for tee in $tees; do
		read -r stat 2> /dev/null < "/proc/$tee/stat" || continue
		case ${stat##*) } in
		[RD]*) return 1 ;;
		esac
	done
}

# Somebody who stays may write without an end.
drain()
{
	tenms=0
	until is_drained || [ $tenms -ge 200 ]; do
		if sleep .01 2> /dev/null; then
			tenms=$((tenms + 1))
		else
			sleep 1
			tenms=$((tenms + 100))
		fi
	done
}

open_pipes
read -r since < "/proc/$$/stat" || since=
since=${since##*) }
# shellcheck disable=SC2086 # split into fields
set -- $since
# One write, so that a reader finds nothing or all of it; on a full disk where
# there is room already.
set -- $$ "${20:-0}" "$boot" "$method" "$tees"
printf '%s %s %s %s %s\n' "$@" 2> /dev/null > pid || {
	printf '%s %s %s %s %s\n' "$@" 1<> pid.new
	mv pid.new pid
}

watch_time()
{
	trap 'kill "$sleep"; exit' TERM
	sleep "$1" &
	sleep=$!
	wait "$sleep"
	# It is there already, for the disk may be full.
	mv mark timeout 2> /dev/null
	exec /bin/sh ./kill.sh "$PWD"
}

# "#!/usr/bin/env python3" is obeyed without a file that can be executed, for
# the directory may be mounted noexec.
find_interpreter()
{
	interpreter=/bin/sh
	read -r line < "$1"
	case $line in
	'#!'*) interpreter=${line#??} ;;
	esac
}

run_job()
{
	trap - TERM INT
	exec >&7 2>&8 7>&- 8>&-
	unset LC_ALL
	# mask, interpreter, and run_script(), which sets the environment: its
	# names may be ours, so nothing of ours is used afterwards.
	# shellcheck disable=SC1091
	. ./env
	rm -f env
	[ -n "$interpreter" ] || find_interpreter script
	umask "$mask"
	# shellcheck disable=SC2086 # it may have an argument
	run_script $interpreter "$PWD/script"
}

timer=
if [ "$limit" -gt 0 ]; then
	watch_time "$limit" > /dev/null 2>&1 7>&- 8>&- &
	timer=$!
fi
(run_job)
rc=$?
# BusyBox's tee says only at its end that something found no room.
exec 7>&- 8>&-
drain
# Who ends the job is not done when the script has ended.
[ -z "$timer" ] || [ -e timeout ] || kill "$timer"

why='exit'
# It had no end of its own: the host shuts down, or somebody has stopped it.
[ ! -e stopped ] || [ "$rc" = 0 ] || why=stopped
[ -e cancel ] && why=cancelled
[ -e timeout ] && why=timeout
read -r lost < lost || lost=
[ -z "$lost" ] || why="$why lost"
set -- 0 0 0 0 0 0 0 0 0 0 0 0 0 0
# shellcheck disable=SC2046 # nine fields a file, the fifth is its size
[ ! -s err ] && [ ! -s out ] || set -- $(LC_ALL=C ls -ln err out)
# In place, for it has its room already: the disk may be full.
when=$(date +%s 2> /dev/null)
printf '%s %s %s %s %s\n' "$rc" "${14}" "$5" "${when:-0}" "$why" 1<> rc.new
mv rc.new rc
[ ! -e env ] || rm -f env
# Whatever happens to the host now; nobody waits for it.
exec sync out err rc . 2> /dev/null

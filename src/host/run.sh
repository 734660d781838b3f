# SPDX-License-Identifier: MIT
# Runs the job, detached from everything: DIRECTORY METHOD.

cd "$1" && mkdir run 2> /dev/null || exit 0
umask 077
# Told to end, it still writes the result; what is ended is the script.
trap : TERM INT
method=$2
{
	read -r nonce
	read -r started
	read -r boot
	read -r limit
} < meta
read -r since < "/proc/$$/stat" || since=
since=${since##*) }
# shellcheck disable=SC2086 # split into fields
set -- $since
# One write, so that a reader finds nothing or all of it.
printf '%s %s %s %s\n' $$ "${20:-0}" "$boot" "$method" > pid

watch_time()
{
	trap 'kill "$sleep"; exit' TERM
	sleep "$1" &
	sleep=$!
	wait "$sleep"
	: > timeout
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
	job=$PWD
	exec >> out 2>> err
	unset LC_ALL
	# The environment of the login; mask, dir, interpreter, run_script().
	# shellcheck disable=SC1091
	. ./env
	rm -f env
	VMEXEC_JOB=$nonce
	export VMEXEC_JOB
	[ -n "$interpreter" ] || find_interpreter "$job/script"
	umask "$mask"
	cd "${HOME:-/}" 2> /dev/null || cd /
	cd "$dir" || exit 250
	# shellcheck disable=SC2086 # it may have an argument
	run_script $interpreter "$job/script"
}

timer=
if [ "$limit" -gt 0 ]; then
	watch_time "$limit" > /dev/null 2>&1 &
	timer=$!
fi
(run_job)
rc=$?
[ -z "$timer" ] || kill "$timer"

why='exit'
[ -e cancel ] && why=cancelled
[ -e timeout ] && why=timeout
set -- 0 0 0 0 0 0 0 0 0 0 0 0 0 0
# shellcheck disable=SC2046 # nine fields a file, the fifth is its size
[ ! -s err ] && [ ! -s out ] || set -- $(LC_ALL=C ls -ln err out)
# In place, for it has its room already: the disk may be full.
printf '%s %s %s %s %s\n' "$rc" "${14}" "$5" "$(date +%s)" "$why" 1<> rc.new
mv rc.new rc
[ ! -e env ] || rm -f env

# SPDX-License-Identifier: MIT
# Ends all processes of a job: DIRECTORY.  First TERM, after ten seconds KILL.

cd "$1" && read -r nonce < meta || exit 1
runner='' tees=''
[ ! -s pid ] || read -r runner since boot method tees < pid

# By the mark in the environment, and by the session, for who has removed it.
find_all()
{
	grep -l "VMEXEC_JOB=$nonce" /proc/[0-9]*/environ 2> /dev/null
	[ -n "$runner" ] || return
	for stat in /proc/[0-9]*/stat; do
		read -r fields 2> /dev/null < "$stat" || continue
		fields=${fields##*) }
		# shellcheck disable=SC2086
		set -- $fields
		[ "$4" != "$runner" ] || printf '%s\n' "$stat"
	done
}

signal_all()
{
	found=1
	for path in $(find_all); do
		pid=${path#/proc/}
		pid=${pid%/*}
		# What brings the last words home ends by itself.
		case " $$ $runner $tees " in
		*" $pid "*) continue ;;
		esac
		! kill "-$1" "$pid" 2> /dev/null || found=0
	done
	return $found
}

signal_all TERM || exit 0
tenths=0
while [ $tenths -lt 100 ]; do
	if sleep .1 2> /dev/null; then
		tenths=$((tenths + 1))
	else
		sleep 1
		tenths=$((tenths + 10))
	fi
	signal_all 0 || exit 0
done
while signal_all KILL; do
	sleep 1
done

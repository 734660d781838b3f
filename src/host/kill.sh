# SPDX-License-Identifier: MIT
# Ends all processes of a job: DIRECTORY [NONCE].  First TERM, after ten seconds
# KILL.  With the nonce it is systemd that ends the unit of that job, because
# the host shuts down perhaps; or the job has ended, and what it left may stay.

cd "$1" && read -r nonce < meta || exit 1
if [ $# = 2 ]; then
	[ "$2" = "$nonce" ] && [ ! -s rc ] || exit 0
	mv mark stopped 2> /dev/null
fi
# A word that is no number: 0 is the session of every kernel thread.
runner=none method='' tees=''
[ ! -s pid ] || read -r runner began boot method tees < pid

# /proc/PID/fd: is a pipe of the job among them?
holds_pipe()
{
	for fd in "$1"/*; do
		# shellcheck disable=SC3013 # not POSIX, but every shell has it
		[ "$fd" -ef out.pipe ] || [ "$fd" -ef err.pipe ] && return
	done
	return 1
}

# /proc/PID/...: who has the mark in the environment, or, having removed that,
# holds a pipe of the job.  Names of files may have lines that read like those of
# ls: they only hint, for looking at all descriptors may take for ever.
find_marked()
{
	grep -l "VMEXEC_JOB=$nonce" /proc/[0-9]*/environ 2> /dev/null
	for tee in $tees; do
		pipe=$(ls -l "/proc/$tee/fd/0" 2> /dev/null)
		case $pipe in
		*' -> '*.pipe*) ;;
		*) continue ;;
		esac
		# shellcheck disable=SC2010 # names of a /proc are numbers
		ls -l /proc/[0-9]*/fd 2> /dev/null |
			grep -F -e /proc/ -e "${pipe##* -> }" |
			while read -r line; do
				case $line in
				/proc/*) dir=${line%:} ;;
				*"${pipe##* -> }"*)
					! holds_pipe "$dir" || printf '%s\n' "$dir"
					;;
				esac
			done
	done
}

# Sets pid, parent, session, since; 1 = it has ended.
look_at()
{
	read -r stat 2> /dev/null < "/proc/$1/stat" || return 1
	stat=${stat##*) }
	pid=$1
	# shellcheck disable=SC2086 # split into fields
	set -- $stat
	parent=$2 session=$4 since=${20}
	[ "$1" != Z ]
}

# A number may belong to somebody else by now.
forget_the_dead()
{
	members=
	for member in $tree; do
		look_at "${member%:*}" && [ "$member" = "$pid:$since" ] &&
			members="$members $member"
	done
	tree="$members "
}

# tree: "PID:SINCE" of all who belong to the job; who did once stays in it, for
# when its parent ends it becomes a child of the first process.
tree=' '
find_all()
{
	forget_the_dead
	for path in $(find_marked); do
		path=${path#/proc/}
		look_at "${path%%/*}" && tree="$tree$pid:$since "
	done
	[ -z "$unit_procs" ] || while read -r member; do
		look_at "$member" && tree="$tree$pid:$since "
	done < "$unit_procs"
	more=yes passes=0
	# Some have new children all the time.
	while [ -n "$more" ] && [ $passes -lt 5 ]; do
		more='' passes=$((passes + 1))
		for path in /proc/[0-9]*; do
			look_at "${path#/proc/}" || continue
			case $tree in
			*" $pid:"*) continue ;;
			*" $parent:"*) ;;
			*) [ "$session" = "$runner" ] || continue ;;
			esac
			tree="$tree$pid:$since " more=yes
		done
	done
}

signal_all()
{
	found=1
	find_all
	for member in $tree; do
		# What brings the last words home ends by itself.
		case " $$ $runner $tees " in
		*" ${member%:*} "*) continue ;;
		esac
		! kill "-$1" "${member%:*}" 2> /dev/null || found=0
	done
	return $found
}

# What is in the unit belongs to the job, whatever it did.
find_unit()
{
	[ "$method" = systemd ] || return
	while IFS=: read -r rest rest path; do
		case $path in
		*/vmexec-*.service) ;;
		*) continue ;;
		esac
		for unit in /sys/fs/cgroup /sys/fs/cgroup/systemd; do
			[ ! -r "$unit$path/cgroup.procs" ] ||
				unit_procs=$unit$path/cgroup.procs
		done
	done < "/proc/$runner/cgroup"
}

# The runner's children are found by its number, its session too, unless it has
# ended and somebody else got that.
unit_procs=
if look_at "$runner" && [ "$since" = "$began" ]; then
	tree=" $runner:$since "
	find_unit
elif [ -d "/proc/$runner" ]; then
	runner=none
fi
uptime()
{
	read -r now rest < /proc/uptime
	now=${now%%.*}
}

signal_all TERM || exit 0
uptime
end=$((now + 10))
while [ "$now" -lt $end ]; do
	sleep .1 2> /dev/null || sleep 1
	signal_all 0 || exit 0
	uptime
done
tries=0
while signal_all KILL; do
	tries=$((tries + 1))
	[ $tries -lt 30 ] || exit 1
	sleep 1
done

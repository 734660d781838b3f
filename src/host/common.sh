# SPDX-License-Identifier: MIT
# Runs on the host, in whatever POSIX shell it has (BusyBox is enough): what
# all requests share.  docs/VMEXEC.md describes the directory of a job and the
# frames that are written to standard output.

mask=$(umask)
umask 077
LC_ALL=C
export LC_ALL
# Each of them changes how many words "ls -ln" prints, or what a size is.
unset TIME_STYLE BLOCK_SIZE LS_BLOCK_SIZE
# Starting a program is what costs most here: the shell does what it can.
while read -r key uid rest; do
	[ "$key" != Uid: ] || break
done 2> /dev/null < /proc/self/status

fail()
{
	printf 'F %s\n' "$*"
	exit 0
}

# When the process began, in ticks since the boot: tells it from a later one
# with the same number.  Sets since; 1 = there is no such process.
since_of()
{
	since=
	[ -r "/proc/$1/stat" ] || return 1
	read -r since < "/proc/$1/stat" || return 1
	# The name before the last bracket may hold anything.
	since=${since##*) }
	# shellcheck disable=SC2086 # split into fields
	set -- $since
	since=${20}
}

# A container keeps the boot id of its host: its first process tells.
boot=none
[ -r /proc/sys/kernel/random/boot_id ] &&
	read -r boot < /proc/sys/kernel/random/boot_id
since_of 1
boot=$boot/$since

# The places for jobs, best first, never /tmp: cleaners empty that.
if [ "$uid" = 0 ]; then
	bases='/var/lib/vmexec
/run/vmexec'
else
	bases="${XDG_STATE_HOME:-$HOME/.local/state}/vmexec
${XDG_RUNTIME_DIR:-/run/user/$uid}/vmexec
/var/tmp/vmexec-$uid"
fi

each_base()
{
	oldifs=$IFS
	IFS='
'
	for base in $bases; do
		IFS=$oldifs
		"$@" && return 0
		IFS='
'
	done
	IFS=$oldifs
	return 1
}

is_mine()
{
	# shellcheck disable=SC3067 # not POSIX, but every shell has it
	[ -d "$1" ] && [ ! -h "$1" ] && [ -O "$1" ]
}

has_job()
{
	is_mine "$base" && is_mine "$base/$id"
}

read_rc()
{
	rc='' rc_out=0 rc_err=0 when=- why=-
	[ ! -s rc ] || read -r rc rc_out rc_err when why < rc
	[ -n "$rc" ]
}

read_meta()
{
	first='' started=0 boot_then=
	[ ! -s meta ] || {
		read -r first
		read -r started
		read -r boot_then
	} < meta
}

# In a job's directory. Sets state: running, ended, rebooted, vanished, or
# starting.  A host that has lost power may have kept the names of files
# without what was in them: such a job has no boot, and that is not this one.
look()
{
	boot_then=
	[ ! -s pid ] || read -r pid since_then boot_then method tees < pid
	begun=$boot_then
	[ -n "$begun" ] || read_meta
	state=ended
	if read_rc; then
		# Its end was the host's.
		case $why in
		stopped*) [ "$boot_then" = "$boot" ] || state=rebooted rc='' ;;
		esac
		return
	fi
	state=rebooted
	[ "$boot_then" = "$boot" ] || return
	state=starting
	[ -n "$begun" ] || return
	state=running
	since_of "$pid" && [ "$since" = "$since_then" ] && return
	# It may have ended between the two looks.
	state=vanished
	! read_rc || state=ended
}

# Only a place that is ours and takes some bytes.
is_usable()
{
	[ -d "$base" ] || mkdir -p "$base" 2> /dev/null
	new=$base/.new.$nonce
	is_mine "$base" && mkdir "$new" 2> /dev/null || return 1
	# Room for the result, also on a disk that is full then.
	{ printf '%255s\n' '' > "$new/rc.new"; } 2> /dev/null && return 0
	rm -rf "$new"
	return 1
}

# Waits a moment; not every sleep knows parts of a second. Adds to tenths.
nap()
{
	if sleep .1 2> /dev/null; then
		tenths=$((tenths + 1))
	else
		sleep 1
		tenths=$((tenths + 10))
	fi
}

printf 'vmexec %s %s\n' "$nonce" "$boot"

# Without one of these a job would begin, and then nobody could say how it is.
lacks=
for tool in dd mkdir cat wc mv rm ls sleep; do
	command -v "$tool" > /dev/null 2>&1 || lacks="$lacks $tool"
done
[ -r /proc/self/stat ] || lacks="$lacks /proc"
[ -z "$lacks" ] || fail "lacks$lacks"

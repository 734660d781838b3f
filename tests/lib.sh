# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# not a test
#
# For the tests in bash: TAP lines, a directory that goes away, processes that
# do not stay.
#
#	. "$(dirname "$0")/../lib.sh"
#	start server "$python" server.py      # until its first line of output
#	is "$(program)" "expected" "what is tested"
#	finish

ASBACKUP_SRC=${ASBACKUP_SRC:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
ASBACKUP_BUILD=${ASBACKUP_BUILD:-$ASBACKUP_SRC/build}
case $ASBACKUP_BUILD in
/*) ;;
*) ASBACKUP_BUILD=$PWD/$ASBACKUP_BUILD ;;
esac
export ASBACKUP_SRC ASBACKUP_BUILD

tap_count=0
tap_failed=0
tap_pids=()
tap_hooks=()
tmp=$(mktemp -d "${TMPDIR:-/tmp}/asbackup-test.XXXXXX") || exit 1

# at_end COMMAND: is run when the test ends, however it ends, latest first.
at_end() { tap_hooks+=("$1"); }

# kill_at_end PID: ends that process with the test, if it is still ours.
kill_at_end() { tap_pids+=("$1"); }

# end PID: ends a process that was started here, and waits for it.
end()
{
	kill "$1" 2> /dev/null
	wait "$1" 2> /dev/null
}

tap_cleanup()
{
	local i
	trap '' INT TERM HUP
	for ((i = ${#tap_hooks[@]} - 1; i >= 0; i--)); do
		eval "${tap_hooks[i]}"
	done
	for i in "${tap_pids[@]}"; do
		# Only children: a number may belong to somebody else by now.
		[ "$(ps -o ppid= -p "$i" 2> /dev/null | tr -d ' ')" = $$ ] ||
			continue
		kill -KILL "$i" 2> /dev/null
		wait "$i" 2> /dev/null
	done
	rm -rf --one-file-system "$tmp"
}
trap tap_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- cases --------------------------------------------------------------------

ok()
{
	tap_count=$((tap_count + 1))
	printf 'ok - %s\n' "$1"
}

# not_ok WHAT [DETAIL...]
not_ok()
{
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	printf 'not ok - %s\n' "$1"
	shift
	[ $# = 0 ] || printf '%s\n' "$@" | head -n 60 | cut -c 1-500 | sed 's/^/# /'
	return 1
}

# skip WHAT WHY
skip()
{
	tap_count=$((tap_count + 1))
	printf 'ok - %s # SKIP %s\n' "$1" "$2"
}

# skip_all WHY: instead of all the rest.
skip_all()
{
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

# is GOT WANTED WHAT
is()
{
	if [ "$1" = "$2" ]; then
		ok "$3"
	else
		not_ok "$3" "got:    $1" "wanted: $2"
	fi
}

# like GOT REGEX WHAT (bash's extended regular expressions)
like()
{
	if [[ $1 =~ $2 ]]; then
		ok "$3"
	else
		not_ok "$3" "got:          $1" "does not have: $2"
	fi
}

unlike()
{
	if [[ $1 =~ $2 ]]; then
		not_ok "$3" "got:            $1" "must not have: $2"
	else
		ok "$3"
	fi
}

# check WHAT COMMAND...: ok when the command succeeds; shows its output if not.
check()
{
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		ok "$what"
	else
		not_ok "$what" "$out"
	fi
}

# Ends the test; the plan goes last.
finish()
{
	printf '1..%d\n' "$tap_count"
	[ "$tap_failed" = 0 ] || exit 1
	exit 0
}

# --- processes ------------------------------------------------------------------

# start NAME COMMAND...: in the background until the end of the test. Waits for
# its first line of output: $line; its process: $pid; its standard error:
# $tmp/NAME.err; what it says later: await. Fails when it ends before, or says
# nothing for 30 seconds.
start()
{
	local name=$1 fd
	shift
	rm -f "$tmp/$name.fifo"
	mkfifo "$tmp/$name.fifo" || return 1
	"$@" > "$tmp/$name.fifo" 2> "$tmp/$name.err" < /dev/null &
	pid=$!
	kill_at_end "$pid"
	line=
	# Stays open: a program that says more later must not get SIGPIPE.
	exec {fd}< "$tmp/$name.fifo"
	start_fd=$fd
	read -r -t 30 -u "$fd" line && return 0
	printf '# %s did not start: %s\n' "$name" "$(cat "$tmp/$name.err")"
	return 1
}

# until_true SECONDS COMMAND...: for what nobody tells us about. False when it
# never is.
until_true()
{
	local deadline=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# await REGEX: reads on what the program that was started last says, until a
# line matches: $line. Fails when none comes within 30 seconds.
await()
{
	local deadline=$((SECONDS + 30))
	while ! [[ $line =~ $1 ]]; do
		[ "$SECONDS" -lt "$deadline" ] &&
			read -r -t 30 -u "$start_fd" line || return 1
	done
}

# hold FILE: somebody has an flock(2) on it from now on: $holder; end it.
# shellcheck disable=SC2034
hold()
{
	[ -p "$tmp/never" ] || mkfifo "$tmp/never"
	# Nobody ever opens the other side: it waits until it is ended.
	start hold bash -c 'exec 9<> "$1" && flock 9 && echo held &&
		exec cat "$2"' hold "$1" "$tmp/never" && holder=$pid
}

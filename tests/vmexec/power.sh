#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The host has lost power, and with it what it had not written yet: files that
# are empty, short, or of blanks.  The job was cut off by a reboot then, and
# never begins again by itself; a result that was kept counts.  Or it has shut
# down in order, and told the script to end: that is no result of the script.
. "$(dirname "$0")/lib.sh"
start_sshd

cat > "$tmp/script" <<END
echo \$1 >> $tmp/started
seq 1000
echo problem >&2
until [ -e $tmp/go ]; do sleep 0.02; done
echo end
exit 5
END
seq 1000 > "$tmp/half"
{ cat "$tmp/half"; echo end; } > "$tmp/whole"

# begin JOB: $pid follows it, and has its first half.
begin()
{
	rm -f "$tmp/go"
	timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" --delay 1 --job "$1" h \
		"$tmp/script" "$1" > "$tmp/$1.out" 2> "$tmp/$1.err" \
		< /dev/null &
	pid=$!
	until_true 30 cmp -s "$tmp/$1.out" "$tmp/half" &&
		until_true 30 grep -q problem "$tmp/$1.err"
}

# another_boot JOB: since it was made.
another_boot()
{
	local pid rest
	read -r pid rest < "$jobs/$1/pid"
	kill -KILL -- "-$pid" 2> /dev/null
	sed -i '3s/.*/another/' "$jobs/$1/meta"
	printf '%s 1 another setsid\n' "$pid" > "$jobs/$1/pid"
}

# while_away JOB COMMAND...: it knows nothing of that.
while_away()
{
	local vmexec_pid job=$1
	shift
	vmexec_pid=$(pgrep -f "vmexec .*--job $job h" -P "$pid")
	kill -STOP "$vmexec_pid"
	pkill -KILL -f '^sshd.*notty'
	"$@"
	kill -CONT "$vmexec_pid"
	wait "$pid"
	code=$?
}
said_of() { cat "$tmp/$1.err"; }
state_of() { on_host --list && grep "^$1 " "$tmp/out"; }

# --- in the middle ------------------------------------------------------------------

lose() { another_boot "$1"; for f in "${@:2}"; do : > "$jobs/$1/$f"; done; }
begin short
while_away short lose short out err
is "$code" 252 'files that are shorter than what was sent: a reboot'
like "$(said_of short)" 'has rebooted while it ran' 'which is said'
same "$tmp/short.out" "$tmp/half" 'what was sent is not sent again'

begin empty
while_away empty lose empty out err meta pid script
is "$code" 252 'files that are empty: a reboot'
like "$(state_of empty)" 'cut off by a reboot' 'which the list knows'
touch "$tmp/go"
on_host --job empty -- "$tmp/script" anew
is "$code $(grep -c anew "$tmp/started")" '5 1' 'a job of that name runs anew'

forget() { lose "$1" out err meta pid script; rm -r "$jobs/$1/run"; }
begin unknown
while_away unknown forget unknown
is "$code $(grep -c unknown "$tmp/started")" '252 1' \
	'nobody knows that it has begun: it does not begin again'

blank() { another_boot "$1"; printf '%255s\n' '' > "$jobs/$1/rc"; }
begin blank
while_away blank blank blank
is "$code" 252 'a result of blanks is none'

# --- after the end --------------------------------------------------------------------

# Everything is here, there nothing but the result.
finish_job()
{
	touch "$tmp/go"
	until_true 30 [ -s "$jobs/$1/rc" ]
	no_job_runs || until_true 30 no_job_runs
}
lose_end() { finish_job "$1"; truncate -s 100 "$jobs/$1/out"; }
begin result
while_away result lose_end result
is "$code" 5 'what was kept of the result counts'
like "$(said_of result)" 'output is missing' 'that output is missing is said'
same "$tmp/result.out" "$tmp/half" 'and nothing comes twice'

lose_err() { finish_job "$1"; : > "$jobs/$1/err"; }
begin sent
while_away sent lose_err sent
is "$code" 5 'a stream that is lost there, and is here'
unlike "$(said_of sent)" missing 'is not missing'
same "$tmp/sent.out" "$tmp/whole" 'the other one is complete'

# --- in order ---------------------------------------------------------------------------

# Who shuts down tells everybody.
tell()
{
	local pid rest
	read -r pid rest < "$jobs/$1/pid"
	kill -TERM -- "-$pid"
	until_true 30 [ -s "$jobs/$1/rc" ]
}
shut_down() { tell "$1"; another_boot "$1"; }
begin down
while_away down shut_down down
is "$code" 252 'told to end by a host that shuts down: a reboot'
unlike "$(said_of down)" 'nothing was lost' 'and nothing else'
like "$(state_of down)" 'cut off by a reboot *$' 'which the list knows'

begin told
tell told
wait "$pid"
is "$?" 143 'told to end by somebody else: the status'

nobody_left
finish

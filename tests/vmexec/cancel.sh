#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Who ends a job ends nobody else: neither who looks like one of it, nor who has
# got a number that was one of its.
# timeout: 120
. "$(dirname "$0")/lib.sh"
start_sshd
runs() { kill -0 "$1" 2> /dev/null; }

# job NAME COMMAND: once it has printed a line; $tmp/NAME.out, .code.
job()
{
	{
		timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" --job "$1" h \
			-c "$2" > "$tmp/$1.out" 2> "$tmp/$1.err" < /dev/null
		echo $? > "$tmp/$1.code"
	} &
	until_true 30 grep -q . "$tmp/$1.out"
}

# --- who looks like one ---------------------------------------------------------------

# Daemons have files of /proc open.
sleep 1000 9< /proc/self/mounts &
daemon=$!
# "ls -l" prints what reads like two lines about the descriptors of a process.
sleep 1000 &
innocent=$!
lie="$tmp/lie
/proc/$innocent/fd:
l -> $jobs/both"
mkdir -p "$lie"
touch "$lie/out.pipe"
sleep 1000 9< "$lie/out.pipe" &
liar=$!
for pid in $daemon $innocent $liar; do
	kill_at_end "$pid"
done
job both 'echo begin; sleep 1000'
on_host --cancel both
is "$code" 0 'a job is ended'
until_true 30 [ -e "$tmp/both.code" ]
is "$(cat "$tmp/both.code")" 143 'and who follows it is told'
check 'not who has a file of /proc open' runs "$daemon"
check 'not who is named by a file' runs "$innocent"
check 'nor who has that file open' runs "$liar"

# --- who has its number ----------------------------------------------------------------

# Who came in from outside has the session 0 here, as threads of the kernel do.
job old 'setsid sleep 1000 & echo begin; wait'
read -r runner rest < $jobs/old/pid
pkill -KILL -s "$runner"
until_true 30 [ -e "$tmp/old.code" ]
take_number()
{
	echo $((runner - 1)) > /proc/sys/kernel/ns_last_pid
	sleep 1000 &
	again=$!
	kill_at_end "$again"
	[ "$again" = "$runner" ]
}
until_true 10 take_number
is "$again" "$runner" 'the number of a dead runner is given anew'
on_host --cancel old
is "$code" 0 'what it left is ended'
check 'not who has its number now' runs "$again"
check 'nor who has no session' runs "$daemon"

# --- who has not begun -----------------------------------------------------------------

job late 'echo begin; sleep 1000'
mv $jobs/late/pid $jobs/late/pid.kept
on_host --cancel late &
cancel=$!
check 'a job that has not begun is waited for' \
	until_true 10 pgrep -f 'sleep .1'
mv $jobs/late/pid.kept $jobs/late/pid
wait "$cancel"
until_true 30 [ -e "$tmp/late.code" ]
is "$(cat "$tmp/late.code")" 143 'and ended then'
mkdir $jobs/never
printf '%s\n' x 1 "$(sed -n 3p $jobs/late/meta)" 0 > $jobs/never/meta
on_host --cancel never
is "$code" 254 'one that never begins'
like "$(said)" 'not begun' 'which is said'

nobody_left
finish

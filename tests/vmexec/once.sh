#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A job is started once, whoever starts it and however often; and it can be
# followed, listed, ended and cleared away from anywhere.
# timeout: 180
. "$(dirname "$0")/lib.sh"
start_sshd

# A script that says that it was started, and waits while there is a gate.
cat > "$tmp/script" <<END
echo \$\$ >> $tmp/started
echo "begin \$1"
echo "problem" >&2
[ ! -p $tmp/gate ] || read -r go < $tmp/gate
echo "end"
exit 5
END
again()
{
	rm -f "$tmp/gate" "$tmp/started" "$tmp"/[0-9]*.{out,err,code}
	mkfifo "$tmp/gate"
}
# The gate opens: for the one that waits, and for who comes later.
open_gate()
{
	check 'it waits to be told to go on' \
		timeout 30 sh -c 'echo go > "$0"' "$tmp/gate"
	rm "$tmp/gate"
}
started() { wc -l < "$tmp/started"; }

# begin N OPTION...: a vmexec in the background, $pid.
begin()
{
	local n=$1
	shift
	{
		timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" "$@" \
			> "$tmp/$n.out" 2> "$tmp/$n.err" < /dev/null
		echo $? > "$tmp/$n.code"
	} &
	pid=$!
}
says() { grep -qs "$2" "$tmp/$1.$3"; }

# --- starts at the same time --------------------------------------------------------

for count in 2 8; do
	again
	pids=()
	for ((i = 0; i < count; i++)); do
		begin $i --job same h "$tmp/script"
		pids+=("$pid")
	done
	for ((i = 0; i < count; i++)); do
		until_true 30 says $i begin out ||
			not_ok "$i of $count sees the job" \
				"$(cat "$tmp/$i.err")"
	done
	is "$(started)" 1 "$count starts at the same time run it once"
	open_gate
	wait "${pids[@]}"
	is "$(cat "$tmp"/[0-9].code | tr '\n' ' ')" \
		"$(printf '5 %.0s' $(seq $count))" 'all get its status'
	is "$(cat "$tmp"/[0-9].out | sort | uniq -c | tr -s ' \n' ' ')" \
		" $count begin $count end " 'and its output'
	is "$(grep -l 'has started' "$tmp"/[0-9].err | wc -l)" 1 \
		'one says that it has started it'
done

again
rm "$tmp/gate"
on_host --job same -- "$tmp/script" anew
is "$code $(started) $(head -n 1 "$tmp/out")" '5 1 begin anew' \
	'a job of that name that has ended runs anew'
again
rm "$tmp/gate"
for i in 0 1 2 3 4 5; do
	begin $i --job same h "$tmp/script"
	pids[i]=$pid
done
wait "${pids[@]:0:6}"
is "$(cat "$tmp"/[0-9].code | sort | uniq -c | tr -s ' \n' ' ')" ' 6 5 ' \
	'also when many want that at the same time'
unlike "$(cat "$tmp"/[0-9].err)" error 'without a complaint'
again
rm "$tmp/gate"
mkdir $jobs/same/aside
for i in 0 1 2 3 4 5; do
	begin $i --job same h "$tmp/script"
	pids[i]=$pid
done
wait "${pids[@]:0:6}"
is "$(cat "$tmp"/[0-9].code | tr '\n' ' ')$(started)" '5 5 5 5 5 5 1' \
	'and when who made room for them has died of it'

# --- from elsewhere -----------------------------------------------------------------

again
begin 0 --job other h "$tmp/script"
until_true 30 says 0 begin out
begin 1 --attach other h
check 'another one attaches' until_true 30 says 1 begin out
until_true 10 says 1 problem err
is "$(cat "$tmp/1.err" | grep -c problem)" 1 'and gets both streams'
on_host --list
like "$(out)" 'other +[-0-9]{10} .*running' '--list shows a job that runs'
like "$(out)" 'same +[-0-9]{10} .*ended with 5' 'and one that has ended'
on_host --list --json
is "$("$python" -c 'import json, sys
for j in sorted(json.load(open(sys.argv[1]))["jobs"], key=lambda j: j["id"]):
    if j["id"] in ("other", "same"):
        print(j["id"], j["state"], j["exit_status"], j["bytes_out"],
              j["bytes_err"], j["started"][:2])' "$tmp/out")" \
	'other running None 7 8 20
same ended 5 11 8 20' '--list --json'
open_gate
until_true 30 [ -e "$tmp/0.code" ] && until_true 30 [ -e "$tmp/1.code" ]
is "$(cat "$tmp/0.code" "$tmp/1.code" | tr '\n' ' ')$(cmp "$tmp/0.out" "$tmp/1.out")" \
	'5 5 ' 'both get all of it'
on_host --attach other
is "$code $(out | tr '\n' ' ')" '5 begin  end ' 'also after its end'
on_host --attach nosuch
is "$code" 254 'a job that is not there'
like "$(said)" 'there is no job nosuch' 'which is said'
on_host --cancel nosuch
is "$code" 254 'nor can it be cancelled'

# --- the runner dies -------------------------------------------------------------------

again
begin 0 --job murder h "$tmp/script"
until_true 30 says 0 begin out
read -r runner rest < $jobs/murder/pid
kill -KILL "$runner"
until_true 30 [ -e "$tmp/0.code" ]
is "$(cat "$tmp/0.code")" 251 'the runner is killed'
like "$(cat "$tmp/0.err")" 'killed' 'which is said'
on_host --list
like "$(out)" 'murder .*killed' 'and seen in the list'
on_host --attach murder
is "$code $(out)" '251 begin ' 'and by who comes later'
on_host --cancel murder
is "$code" 0 'what it left can be ended'
check 'and is gone' until_true 10 no_job_runs

# --- ended ------------------------------------------------------------------------------

# tree: children that try to get away.
cat > "$tmp/tree" <<END
trap 'trap "" TERM; echo told; exit 3' TERM
sleep 1000 &
setsid sleep 1001 &
env -i sleep 1002 &
setsid env -i sleep 1003 &
setsid sh -c 'trap "" TERM; echo up; exec sleep 1007' &
(setsid env -i /bin/sh -c 'sleep 1004 & wait' &)
setsid env -i /bin/sh -c 'setsid sleep 1005 & exec setsid sleep 1006' &
wait
END
gone()
{
	! pgrep -f '^sleep 100[0-7]' > /dev/null && no_job_runs
}
show_sleeps() { pgrep -a -f '^sleep 100[0-7]'; show_jobs; }
again
begin 0 --job tree h "$tmp/tree"
until_true 30 says 0 up out
until_true 10 pgrep -f '^sleep 1006'
on_host --cancel tree
is "$code" 0 '--cancel'
if gone; then ok 'the whole tree is gone'; else
	not_ok 'the whole tree is gone' "$(show_sleeps)"; fi
until_true 30 [ -e "$tmp/0.code" ]
is "$(cat "$tmp/0.code") $(tr '\n' ' ' < "$tmp/0.out")" '3 up told ' \
	"who follows it gets its last words and status"
on_host --cancel tree
is "$code" 0 'once more does no harm'
like "$(said)" 'had ended already' 'and is said'

for kind in --timeout --idle-timeout; do
	again
	on_host $kind 2 -- "$tmp/tree"
	is "$code" 124 "$kind"
	like "$(said)" 'ended' 'which is said'
	is "$(tr '\n' ' ' < "$tmp/out")" 'up told ' 'with its last words'
	if until_true 30 gone; then ok 'the whole tree is gone'; else
		not_ok 'the whole tree is gone' "$(show_sleeps)"; fi
done
on_host --idle-timeout 3 -c 'i=0; while [ $i -lt 9 ]; do echo; sleep 0.4
	i=$((i + 1)); done'
is "$code" 0 'who prints is not idle'
on_host -q --timeout 30 -c 'exit 4'
is "$code" 4 'in time'

# --- what remains ------------------------------------------------------------------------

again
begin 0 --job runs h "$tmp/script"
until_true 30 says 0 begin out
on_host --clean
is "$code $(ls $jobs | wc -l | sed 's/^[1-9].*/many/')" '0 many' \
	'--clean keeps what is young'
age() { find "$@" -exec touch -h -d '20 days ago' {} +; }
age $jobs/other
age $jobs/murder
touch $jobs/murder/out
age $jobs/same/meta
on_host --clean
check 'but not what is old' [ ! -e $jobs/other ]
check 'what began long ago and has ended now is not' [ -e $jobs/same ]
check 'nor what has written something' [ -e $jobs/murder ]
mkdir $jobs/same/aside
on_host --clean --keep-days 0
is "$(ls -A $jobs | tr '\n' ' ')" 'runs same ' \
	'what runs stays, and what somebody starts anew just now'
age $jobs/same
on_host --clean
is "$(ls -A $jobs)" runs 'but not when that was long ago'
open_gate
until_true 30 [ -e "$tmp/0.code" ]
on_host --list
like "$(out)" '^runs .* ended with 5' 'and ends'
on_host --clean --keep-days 0
on_host --list
is "$code $(out)" '0 ' 'an empty list'

nobody_left
finish

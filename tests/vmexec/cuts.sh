#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The line is cut, at any byte and in every way: what arrives equals what a run
# without cuts prints, the status too, and the script was started once.
# VMEXEC_CUTS: how many (32); VMEXEC_SEED: another seed, another plan.
# timeout: 180
. "$(dirname "$0")/lib.sh"
cuts=${VMEXEC_CUTS:-32}
seed=${VMEXEC_SEED:-1}
lanes=4
per_run=8

# The script: some of its output comes at once, some while lines are cut.
head -c 600000 /dev/urandom > "$tmp/random"
cat > "$tmp/script" <<END
echo "\$1" >> "$tmp/started"
i=0
while [ \$i -lt 30 ]; do
	dd if="$tmp/random" bs=10000 skip=\$i count=1 2> /dev/null
	dd if="$tmp/random" bs=10000 skip=\$((i + 30)) count=1 2> /dev/null >&2
	echo "line \$i"
	printf 'no newline \\r\\0' >&2
	sleep 0.03
	i=\$((i + 1))
done
exit 37
END

# Every kind in turn, at bytes of both directions, many of them early: in the
# exchange of keys, the login, the request.
kinds=(reset swallow kill close stop restart murder reset)
plan()
{
	local i kind direction bytes range
	for ((i = 0; i < per_run; i++)); do
		kind=${kinds[i]}
		direction=down range=60000
		[ $((RANDOM % 3)) != 0 ] || direction=up range=6000
		[ $((RANDOM % 3)) != 0 ] || range=5000
		bytes=$(((RANDOM * 32768 + RANDOM) % range))
		printf '%s %s %s 0.%s\n' "$kind" "$direction" "$bytes" \
			$((RANDOM % 6))
	done | shuf --random-source=<(yes "$RANDOM")
}

# decode.py JSON OUT ERR: what --json says the script has printed.
cat > "$tmp/decode.py" <<'END'
import base64, json, sys
files = {"stdout": open(sys.argv[2], "wb"), "stderr": open(sys.argv[3], "wb")}
for line in open(sys.argv[1], encoding="utf-8"):
    event = json.loads(line)
    if event["event"] == "output":
        files[event["stream"]].write(
            base64.b64decode(event["base64"]) if "base64" in event
            else event["text"].encode())
END

# follow LANE.RUN JOB OPTION...: starts it, or comes back to it until it is not
# killed any more: $code.
follow()
{
	local me=$1 job=$2 how=(h "$tmp/script" "$1")
	shift 2
	for _ in {1..20}; do
		timeout -k 5 100 "$vmexec" -F "$tmp/$me.ssh" --retries 100 \
			--delay 1 --connect-timeout 4 --heartbeat-timeout 3 \
			--log "$tmp/$me.log" "$@" --job "$job" "${how[@]}" \
			> "$tmp/$me.out" 2> "$tmp/$me.err" < /dev/null
		code=$?
		cat "$tmp/$me.err" >> "$tmp/$me.said"
		if [ $code = 137 ]; then
			set -- "$@" --attach "$job"
			how=(h)
		elif [ $code = 254 ] && grep -q 'there is no job' \
			"$tmp/$me.err" "$tmp/$me.out"; then
			# Killed before it could begin.
			set -- "${@:1:$#-2}"
			how=(h "$tmp/script" "$me")
		else
			break
		fi
	done
}

# one_run LANE RUN: a line of what is wrong, or none.
one_run()
{
	local me=$1.$2 code fd relay relay_port wrong=
	RANDOM=$((seed + $1 * 1000 + $2))
	plan > "$tmp/$me.plan"
	rm -f "$tmp/$me.fifo"
	mkfifo "$tmp/$me.fifo"
	"$python" tests/vmexec/relay.py "${ports[$1]}" "$tmp/$me.plan" \
		/usr/sbin/sshd -D -f "$tmp/sshd.conf" -p "${ports[$1]}" \
		-o PidFile=none -E "$tmp/sshd.$1.log" \
		> "$tmp/$me.fifo" 2> "$tmp/$me.relay" &
	relay=$!
	exec {fd}< "$tmp/$me.fifo"
	read -r -t 30 -u "$fd" relay_port
	write_ssh_config "$relay_port" |
		sed "s|^UserKnown.*|UserKnownHostsFile $tmp/$me.known|" \
			> "$tmp/$me.ssh"
	know "$relay_port" > "$tmp/$me.known"
	# In turn with both streams apart, and with the bytes as they are.
	if [ $(($2 % 2)) = 0 ]; then
		follow "$me" "cut-$me" --json
		"$python" "$tmp/decode.py" "$tmp/$me.out" "$tmp/$me.o" \
			"$tmp/$me.e"
		cmp -s "$tmp/$me.e" "$tmp/want.err" ||
			wrong="$wrong standard error differs;"
	else
		follow "$me" "cut-$me"
		mv "$tmp/$me.out" "$tmp/$me.o"
	fi
	cmp -s "$tmp/$me.o" "$tmp/want.out" ||
		wrong="$wrong standard output differs;"
	[ "$(wc -c < "$tmp/$me.log")" = "$both" ] ||
		wrong="$wrong the log has $(wc -c < "$tmp/$me.log") bytes;"
	[ "$(grep -cx "$me" "$tmp/started")" = 1 ] || wrong="$wrong \
started $(grep -cx "$me" "$tmp/started") times;"
	[ "$code" = 37 ] || wrong="$wrong status $code;"
	# The relay may just be starting sshd again.
	until_true 20 listens "${ports[$1]}" || wrong="$wrong no sshd;"
	exec {fd}<&-
	kill "$relay"
	wait "$relay" 2> /dev/null
	touch "$tmp/$me.plan.done"
	wc -l < "$tmp/$me.plan.done" >> "$tmp/$1.count"
	cut -d ' ' -f 1 "$tmp/$me.plan.done" >> "$tmp/kinds"
	[ -z "$wrong" ] || {
		printf 'run %s:%s plan:\n' "$me" "$wrong"
		cat "$tmp/$me.plan" "$tmp/$me.relay"
		tail -n 12 "$tmp/$me.said" | tr -cd '\n -~' | cut -c 1-300
	} >> "$tmp/$1.wrong"
	rm -f "$tmp/$me."*
	rm -rf "${jobs:?}/cut-$me"
}

# counted LANE...: cuts that were made.
counted()
{
	local n sum=0
	while read -r n; do sum=$((sum + n)); done < "$tmp/$1.count"
	echo "$sum"
}

lane()
{
	local run=0
	while [ "$(counted "$1")" -lt $(((cuts + lanes - 1) / lanes)) ]; do
		one_run "$1" $run
		run=$((run + 1))
		[ ! -e "$tmp/$1.wrong" ] || break
	done 2>> "$tmp/lane.err"
}

sh "$tmp/script" undisturbed > "$tmp/want.out" 2> "$tmp/want.err"
both=$(cat "$tmp/want.out" "$tmp/want.err" | wc -c)
start_sshd
ports=()
pids=()
for ((i = 0; i < lanes; i++)); do
	ports[i]=$(free_port)
	: > "$tmp/$i.count"
	run_sshd sshd "${ports[i]}"
done
began=$SECONDS
for ((i = 0; i < lanes; i++)); do
	lane $i &
	pids+=($!)
done
wait "${pids[@]}" 2> /dev/null
sum=0
for ((i = 0; i < lanes; i++)); do sum=$((sum + $(counted $i))); done
is "$(cat "$tmp"/*.wrong 2> /dev/null)" '' \
	"every byte, the status, one start: seed $seed"
sort "$tmp/kinds" | uniq -c | sed 's/^/# /'
check "$sum of $cuts cuts were made, in $((SECONDS - began)) s" \
	[ "$sum" -ge "$cuts" ]
exec 2> "$tmp/noise" # "Killed"
for pid in $(pgrep -f "sshd.conf -p"); do kill -KILL "$pid"; done
nobody_left
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A gigabyte: every byte arrives, whether the line is cut or not, and vmexec does
# not need more memory for it.
# timeout: 300
. "$(dirname "$0")/lib.sh"
size=1000000000
room=$(df --output=avail -B1 "$tmp" | tail -n 1)
[ "$room" -gt $((size * 2)) ] || skip_all "no room for 2 GB in $tmp"
start_sshd

# No part of it is like another one, so that none can stand in for another.
bytes() { head -c $size /dev/zero | openssl enc -aes-128-ctr -K 0 -iv 0 2> "$tmp/noise"; }
cat > "$tmp/script" <<END
head -c $size /dev/zero | openssl enc -aes-128-ctr -K 0 -iv 0 2> /dev/null
echo the end >&2
exit 19
END

# arrives OPTION...: compared on the way; $kib is the most memory vmexec had.
arrives()
{
	bytes | cmp - <(
		/usr/bin/time -o "$tmp/kib" -f %M timeout -k 5 200 "$vmexec" \
			-F "$tmp/ssh_config" "$@" h "$tmp/script" \
			2> "$tmp/err" < /dev/null
		echo $? > "$tmp/code"
	) > "$tmp/cmp" 2>&1
	is "$? $(cat "$tmp/cmp")" '0 ' "$what: every byte"
	until_true 10 test -s "$tmp/code"
	is "$(cat "$tmp/code")" 19 "$what: the status"
	kib=$(tail -n 1 "$tmp/kib")
}

# little_memory: for a gigabyte no more than for nothing.
little_memory()
{
	if [ "${SAN:-}" = 1 ]; then
		skip "$what: memory" 'the sanitizers keep what is freed'
	else
		check "$what: $kib KiB of memory, $little KiB without it" \
			[ $((kib - little)) -lt 2048 ]
	fi
}

what=nothing
/usr/bin/time -o "$tmp/kib" -f %M "$vmexec" -F "$tmp/ssh_config" h -c true \
	2> "$tmp/noise" < /dev/null
little=$(tail -n 1 "$tmp/kib")

what='1 GB'
arrives --job undisturbed
is "$(said | tail -n 1)" 'the end' "$what: the other stream"
little_memory
rm -r "${jobs:?}/undisturbed"

# The process that serves the session is ended as soon as half of it is there.
what='1 GB, sshd killed in the middle'
cut_in_the_middle()
{
	until_true 100 half_of_it || return
	pkill -KILL -f '^sshd: root@notty' || pkill -KILL -f '^sshd: root'
}
half_of_it() { [ "$(stat -c %s "$jobs/cut/out")" -gt $((size / 2)) ]; }
cut_in_the_middle &
cutter=$!
arrives --job cut --delay 0
wait "$cutter"
is "$?" 0 "$what: it was"
like "$(said)" 'connected again' "$what: vmexec has seen it"
little_memory

nobody_left
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a terminal gets to see, and what happens when nobody takes the output:
# nothing is executed, nothing is mixed, nothing is lost on the host.
# timeout: 120
. "$(dirname "$0")/lib.sh"
start_sshd
on=("$vmexec" -F "$tmp/ssh_config")

# here COMMAND...: on a terminal, with its status to be seen.
here()
{
	local name=$1
	shift
	sit "$name" bash -c '"$@"; echo "status $?"' - "$@"
}

# --- Ctrl-S, from here on -----------------------------------------------------------

# Longer than the host may be silent, and the script, too.
write_ticker
here s "${on[@]}" --job s --heartbeat-timeout 3 --idle-timeout 3 h "$tmp/ticker"
shows s 'line 5'
press s '\x13'
behind() { [ "$(wc -l < $jobs/s/out)" -gt $(($(wc -l < "$tmp/s.screen") + 9)) ]; }
check 'Ctrl-S: nothing comes any more' until_true 20 behind
stopped=$SECONDS

# --- what must not reach a terminal, and what may -----------------------------------

# Twice the same lines: as a script prints them, and as they are to be seen.
printf '%b' > "$tmp/evil" \
	'plain \xc3\xbc \xe2\x82\xac \\x1b\n' \
	'\e[1;31mred\e[0m \e[38;5;9mbright\e[m \e[Kerased\n' \
	'\r 10%\r 20%\b\b\b\tdone\n' \
	'clipboard \e]52;c;ZXZpbA==\a.\n' \
	'title \e]0;evil\e\\.\n' \
	'answer \e[6n \e[c \eP$q"p\e\\.\n' \
	'screen \e[2J\e[H \e[?1049h \ec \e[8;1;1t \e[3;1r.\n' \
	'C1 \x9b6n \xc2\x9b6n \xc2\x9d0;evil\a.\n' \
	'order \xe2\x80\xae \xe2\x81\xa6 \xd8\x9c.\n' \
	'broken \xff\xfe \xc3( \xe2\x82 \xed\xa0\x80.\n' \
	'controls \x01\x05\x0e\x7f\x00.\n' \
	'not ended \e]0;'
printf '%b' > "$tmp/tame" \
	'plain \xc3\xbc \xe2\x82\xac \\x1b\n' \
	'\e[1;31mred\e[0m \e[38;5;9mbright\e[m \e[Kerased\n' \
	'\r 10%\r 20%\b\b\b\tdone\n' \
	'clipboard \\x1B]52;c;ZXZpbA==\\x07.\n' \
	'title \\x1B]0;evil\\x1B\\.\n' \
	'answer \\x1B[6n \\x1B[c \\x1BP$q"p\\x1B\\.\n' \
	'screen \\x1B[2J\\x1B[H \\x1B[?1049h \\x1Bc \\x1B[8;1;1t \\x1B[3;1r.\n' \
	'C1 \\x9B6n \\xC2\\x9B6n \\xC2\\x9D0;evil\\x07.\n' \
	'order \\xE2\\x80\\xAE \\xE2\\x81\\xA6 \\xD8\\x9C.\n' \
	'broken \\xFF\\xFE \\xC3( \\xE2\\x82 \\xED\\xA0\\x80.\n' \
	'controls \\x01\\x05\\x0E\\x7F\\x00.\n' \
	'not ended \\x1B]0;'

# on_screen NAME STATUS WANTED WHAT
on_screen()
{
	left "$1" 0 "$4: it ends"
	{
		cat "$3"
		printf 'status %s\n' "$2"
	} > "$tmp/want"
	same "$tmp/$1.screen" "$tmp/want" "$4: what is to be seen"
}
here evil "${on[@]}" -q h -c "cat '$tmp/evil'; exit 3"
on_screen evil 3 "$tmp/tame" 'standard output'
here evil "${on[@]}" -q h -c "cat '$tmp/evil' >&2"
on_screen evil 0 "$tmp/tame" 'standard error'
here evil sh -c '"$@" | cat' - "${on[@]}" -q h -c "cat '$tmp/evil'"
on_screen evil 0 "$tmp/evil" 'a pipe: as it was'
here evil sh -c '"$@" 2> "$0" > "$0.2"; cat "$0"' "$tmp/file" "${on[@]}" -q h \
	-c "cat '$tmp/evil' >&2"
on_screen evil 0 "$tmp/evil" 'a file: as it was'
here evil "${on[@]}" -q --prefix 'web3| ' h -c "cat '$tmp/evil'"
sed 's/^/web3| /' "$tmp/tame" > "$tmp/prefixed"
on_screen evil 0 "$tmp/prefixed" '--prefix'
grep -a 'order' "$tmp/evil" > "$tmp/text"
here evil "${on[@]}" --json h -c "cat '$tmp/text'"
left evil 0 '--json: it ends'
is "$(LC_ALL=C tr -d '\n -~' < "$tmp/evil.screen" | od -A n -c)" '' \
	'--json: ASCII and nothing else'
like "$(seen evil)" 'order \\u202[eE]' '--json: escaped'
here evil "${on[@]}" -q h -c "printf 'a\\033[7;31m'"
left evil 0 'a colour that is left on: it ends'
is "$(cat -v "$tmp/evil.screen")" 'a^[[7;31m^[[0mstatus 0' \
	'a colour that is left on is taken off'
here mode sh -c '"$@"; "$0" -c "import fcntl, os
print(fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK)"' "$python" "${on[@]}" -q \
	h -c 'echo hello'
printf 'hello\n0\n' > "$tmp/want.mode"
on_screen mode 0 "$tmp/want.mode" 'the terminal blocks as before'

# A window of ten columns, and then of five.
line=$(printf '%0300d' 7)
sit narrow 10 "${on[@]}" h -c "echo $line; until [ -e '$tmp/narrow' ]; do
	sleep 0.02; done; echo $line"
shows narrow "^$line"
at narrow 'columns 5'
touch "$tmp/narrow"
left narrow 0 'a narrow window'
is "$(grep -ac "^$line\$" "$tmp/narrow.screen")" 2 'does not break lines'
like "$(seen narrow)" 'has started \(kept alive by [a-z]+\)' 'nor notices'

# --- notices and output -------------------------------------------------------------

here half "${on[@]}" --job half h -c "printf '\\033[30;40mhalf a line'
	until [ -e '$tmp/half' ]; do sleep 0.02; done; echo ' and the rest'"
shows half 'half a line'
two_sessions() { [ "$(pgrep -c -P "$sshd")" = 2 ]; }
check 'two connections' until_true 10 two_sessions
# Which is ours, and which that of Ctrl-S, does not matter.
pgrep -P "$sshd" | xargs kill -KILL
check 'a loss in the middle of a line' shows half 'connected again'
touch "$tmp/half"
left half 0 'the line goes on'
is "$(cat -v "$tmp/half.screen" | sed 's/ (.*)//; s/; job.*//')" \
	'h: job half has started
^[[30;40mhalf a line^[[0m
^[[1;33mwarning:^[[0m h: the connection is lost
h: connected again, nothing was lost
 and the rest
status 0' 'notices have lines of their own, and can be seen'

# --- nobody takes it ----------------------------------------------------------------

# all_there JOB STATUS WHAT: on the host nothing is missing.
all_there()
{
	on_host -q --attach "$1"
	same "$tmp/out" "$tmp/random" "$3: all is there with --attach"
	is "$code" "$2" "$3: and its status"
}
# refused WHY WHAT: $code and $tmp/err are of who could not write.
refused()
{
	is "$code" 253 "$2: 253"
	like "$(said)" "$1.*job [a-z]+ goes on on h.*--attach" "$2: which is said"
}
# part FILE WHAT: the beginning of what was printed.
part()
{
	head -c "$(stat -c %s "$1")" "$tmp/random" > "$tmp/want"
	same "$1" "$tmp/want" "$2"
}

# full_pipe: $fifo takes nothing any more.
full_pipe()
{
	"$python" -c 'import select, sys
sys.exit(bool(select.select([], [int(sys.argv[1])], [], 0)[1]))' "$fifo"
}

head -c 300000 /dev/urandom > "$tmp/random"
printf 'cat "%s"\nexit 6\n' "$tmp/random" > "$tmp/script"
mkdir "$tmp/small"
mount -t tmpfs -o size=64k tmpfs "$tmp/small"
at_end "umount -l '$tmp/small'"

timeout 60 "${on[@]}" --job head h "$tmp/script" 2> "$tmp/err" |
	head -c 1000 > "$tmp/out"
code=${PIPESTATUS[0]}
refused 'standard output: Broken pipe' 'head -c 1000'
part "$tmp/out" 'head -c 1000 has got that'
all_there head 6 'head -c 1000'

timeout 60 "${on[@]}" --job full h "$tmp/script" > /dev/full 2> "$tmp/err"
code=$?
refused 'standard output: No space left' /dev/full
all_there full 6 /dev/full
timeout 60 "${on[@]}" --json --job json h "$tmp/script" > /dev/full \
	2> "$tmp/err"
code=$?
refused 'cannot write to standard output' '--json to /dev/full'
all_there json 6 '--json to /dev/full'
timeout 60 "${on[@]}" --json h -c 'exit 0' > /dev/full 2> "$tmp/err"
code=$?
is "$code" 253 '--json of nothing but events to /dev/full: 253'
like "$(said)" 'No space left.*not all of it was written' 'which is said'
"${on[@]}" --list h > /dev/full 2> "$tmp/err"
is "$? $(said)" '254 error: cannot write to standard output' \
	'--list to /dev/full'

timeout 60 "${on[@]}" --job disk h "$tmp/script" > "$tmp/small/out" \
	2> "$tmp/err"
code=$?
refused 'standard output: No space left' 'a full disk'
part "$tmp/small/out" 'a full disk has the beginning'
all_there disk 6 'a full disk'
rm "$tmp/small/out"
on_host --log "$tmp/small/log" --job log -- "$tmp/script"
refused 'write the log: No space left' 'a full disk for the log'
part "$tmp/small/log" 'a full disk has the beginning of the log'
part "$tmp/out" 'so has standard output'
all_there log 6 'a full disk for the log'
on_host --log /dev/full --job device -- "$tmp/script"
refused 'write the log: No space left' '--log /dev/full'
all_there device 6 '--log /dev/full'
on_host --log "$tmp/nowhere/log" --job never -- "$tmp/script"
is "$code" 254 'a log that cannot be made'
check 'nothing was started' [ ! -e $jobs/never ]

# Somebody who does not read on.
mkfifo "$tmp/fifo"
exec {fifo}<> "$tmp/fifo"
for how in '' --json; do
	# shellcheck disable=SC2086 # or nothing
	sit pager sh -c 'trap : INT; "$@" > "$0"; echo "status $?"' \
		"$tmp/fifo" "${on[@]}" $how --job pager h "$tmp/script"
	until_true 20 [ -s $jobs/pager/rc ]
	until_true 20 full_pipe
	press pager '\x03'
	left pager 0 "Ctrl-C while nobody reads${how:+ ($how)}"
	like "$(seen pager)" 'job pager goes on.*status 253' 'which is said'
	dd bs=1M count=1 iflag=nonblock <&"$fifo" > "$tmp/out" 2> "$tmp/noise"
	rm -r $jobs/pager
done
exec {fifo}>&-

# --- Ctrl-S, until here -------------------------------------------------------------

long_ago() { [ $((SECONDS - stopped)) -ge 5 ]; }
until_true 10 long_ago
before=$(wc -l < $jobs/s/out)
press s '\x11'
check 'Ctrl-Q: all that came meanwhile' shows s "line $before\$"
touch "$tmp/enough"
left s 0 'and its end'
like "$(seen s)" 'status 5' 'and its status'
grep -a '^line ' "$tmp/s.screen" > "$tmp/out"
same "$tmp/out" $jobs/s/out 'every byte'
unlike "$(seen s)" 'too long|not said' 'nobody was silent or idle for that'

nobody_left
finish

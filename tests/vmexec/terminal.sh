#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Somebody sits at a terminal: Ctrl-C, Ctrl-Z, passwords, a window that is
# closed.  The job on the host goes on, and nothing of it is lost.
# timeout: 120
. "$(dirname "$0")/lib.sh"
start_sshd 'PasswordAuthentication yes'
# For the commands that are printed, to be typed as they are.
PATH=$ASBACKUP_BUILD:$PATH
on=(vmexec -F "$tmp/ssh_config")

# A script that has a child, and waits for $tmp/NAME.go.
cat > "$tmp/script" <<END
echo begin
echo trouble >&2
sleep 1000 &
until [ -e "$tmp/\$1.go" ]; do sleep 0.02; done
kill \$!
echo end
exit 7
END
touch "$tmp/want.go"
sh "$tmp/script" want > "$tmp/want.out" 2> "$tmp/want.err"

# run NAME OPTION...: on a terminal, until the script is heard.
run()
{
	local name=$1
	shift
	sit "$name" "${on[@]}" --job "$name" "$@" h "$tmp/script" "$name"
	shows "$name" trouble && shows "$name" begin ||
		not_ok "$name begins" "$(seen "$name")"
}
runs() { on_host --list && grep -q "^$1 .* running" "$tmp/out"; }
# ago WHEN SECONDS: what is tested is that time passes.
ago() { [ $((SECONDS - $1)) -ge "$2" ]; }
child_gone() { ! pgrep -f '^sleep 1000'; }

# printed NAME WORDS: the command that was to be seen behind these words.
printed() { seen "$1" | sed -n "s/.*$2: \(vmexec [^;]*\).*/\1/p" | tail -n 1; }

# whole NAME WHAT: the command that was printed brings all of its output.
whole()
{
	local command
	command=$(printed "$1" 'Follow it again')
	touch "$tmp/$1.go"
	timeout 60 sh -c "$command" > "$tmp/out" 2> "$tmp/err"
	code=$?
	is "$code" 7 "$2: its status, by the command that was printed"
	same "$tmp/out" "$tmp/want.out" "$2: its output"
	is "$(grep -c trouble "$tmp/err")" 1 "$2: and what it said as an error"
}

# --- Ctrl-Z, from here on -----------------------------------------------------------

# Stopped for longer than the host may be silent, and the script, too.
write_ticker
sit z bash --norc -i
shows z '[$#] $'
press z "stty -echo; ${on[*]} --job z --heartbeat-timeout 3 --idle-timeout 3 \
h $tmp/ticker\r"
shows z 'line 5'
press z '\x1a'
check 'Ctrl-Z: the shell sees that it has stopped' shows z 'Stopped.*vmexec'
stopped=$SECONDS

# --- Ctrl-C, once and twice ---------------------------------------------------------

run once
press once '\x03'
check 'Ctrl-C: what a second one means is said' \
	shows once 'press Ctrl-C again to end the job'
run quiet --quiet
press quiet '\x03'
left once 253 'and without it: 253'
check 'the job goes on' runs once
whole once 'and has lost nothing'
left quiet 253 '--quiet: 253'
like "$(seen quiet)" 'press Ctrl-C again.*Follow it again' \
	'and what Ctrl-C means is said nevertheless'
unlike "$(seen quiet)" 'has started' 'but no notice'
check 'the job goes on' runs quiet
eval "$(printed quiet 'end it')" > "$tmp/out" 2> "$tmp/err"
is $? 0 'the other command that was printed ends it'
on_host --list
like "$(out)" 'quiet .* ended with 143' 'as the list tells'

run twice
press twice '\x03'
shows twice 'press Ctrl-C again'
press twice '\x03'
left twice 143 'Ctrl-C twice: ended, by SIGTERM'
like "$(seen twice)" 'ending job twice.*it was cancelled' 'which is said'
unlike "$(seen twice)" 'connected again' 'and no more'
check 'with its children' until_true 10 child_gone

# Who does not obey has ten seconds; nobody has to wait for that.
printf 'trap "" TERM\necho begin\nuntil [ -e %s ]; do sleep 0.02; done\n' \
	"$tmp/obey" > "$tmp/stubborn"
sit thrice "${on[@]}" --job thrice h "$tmp/stubborn"
shows thrice begin
press thrice '\x03'
shows thrice 'press Ctrl-C again'
press thrice '\x03'
shows thrice 'ending job'
until_true 10 [ -e $jobs/thrice/cancel ]
press thrice '\x03'
left thrice 253 'Ctrl-C while the job is being ended'
like "$(seen thrice)" 'not known whether job thrice has been ended' \
	'which is said'
touch "$tmp/obey"

# --- Ctrl-C before there is anything ------------------------------------------------

# Takes connections and says nothing; prints a line for each.
cat > "$tmp/silent.py" <<'END'
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(9)
print(s.getsockname()[1], flush=True)
held = []
while True:
    held.append(s.accept())
    print("somebody came", flush=True)
END
nothing_begun()
{
	left "$1" 255 "$2: 255"
	like "$(seen "$1")" 'nothing was started' "$2: nothing was started"
	check "$2: which is true" [ ! -e "$jobs/$1" ]
}
# connects OPTION...: on a terminal, until it has a connection.
connects()
{
	line=
	sit nobody "${on[@]}" -p "$silent" "$@"
	await came || not_ok 'it connects' "$(seen nobody)"
}
start silent "$python" "$tmp/silent.py"
silent=$line
connects --job nobody h "$tmp/script"
press nobody '\x03'
nothing_begun nobody 'Ctrl-C while connecting'
connects --job nobody h "$tmp/script"
kill "$(cat "$tmp/nobody.pid")"
nothing_begun nobody 'SIGTERM while connecting'
sit nobody "${on[@]}" -p "$(free_port)" --delay 60 --job nobody h "$tmp/script"
shows nobody refused
press nobody '\x03'
nothing_begun nobody 'Ctrl-C while waiting for another attempt'
for how in --list --clean '--attach nobody' '--cancel nobody'; do
	# shellcheck disable=SC2086 # split into words
	connects $how h
	press nobody '\x03'
	left nobody 255 "Ctrl-C while connecting for $how"
	like "$(seen nobody)" 'error: h: interrupted' 'which is said'
done

# --- a host that went away ----------------------------------------------------------

other=$(free_port)
run_sshd sshd "$other"
know "$other" >> "$tmp/known"
run lost -p "$other" --delay 60
{
	# shellcheck disable=SC2046 # and the children, which are its sessions
	kill -KILL "$sshd" $(pgrep -P "$sshd")
	wait "$sshd"
} 2> "$tmp/noise" # "Killed"
check 'a host goes away' shows lost 'connection is lost'
shows lost refused
press lost '\x03'
shows lost 'press Ctrl-C again'

# --- no terminal any more -----------------------------------------------------------

run hup
at hup 'hang up'
left hup 253 'the window is closed: 253'
check 'and the job goes on' runs hup
run term
kill "$(cat "$tmp/term.pid")"
left term 253 'SIGTERM: 253'
whole term 'its job'
left lost 253 'Ctrl-C while waiting for a host that went away: 253'
run_sshd sshd "$other"
whole lost 'the job there'

# --- secrets ------------------------------------------------------------------------

hash=$(perl -e 'print crypt("geheim", "\$6\$salt")')
sed "s|^root:[^:]*|root:$hash|" "$tmp/shadow" > /etc/shadow
sed "s|IdentityFile.*|IdentityFile $tmp/none|" "$tmp/ssh_config" > "$tmp/ssh_pw"
new_key "$tmp/locked" geheim
cat "$tmp/locked.pub" >> "$tmp/authorized_keys"
sed "s|IdentityFile.*|IdentityFile $tmp/locked|" "$tmp/ssh_config" \
	> "$tmp/ssh_locked"

# asked NAME KIND OPTION...: on a terminal, until it asks; in the end the state
# of the terminal is to be seen.
asked()
{
	local name=$1 kind=$2
	shift 2
	sit "$name" sh -c 'trap : INT QUIT; "$@"; echo "status $?"; stty -a' \
		- vmexec -F "$tmp/ssh_$kind" "$@"
	shows "$name" '^Pass(word|phrase) of .*: $' ||
		not_ok "$name: asks" "$(seen "$name")"
}
echoes() { shows "$1" '[^-]echo ' && gone "$1"; }
asked_times() { [ "$(grep -cE '^Pass(word|phrase)' "$tmp/$1.screen")" = "$2" ]; }

for kind in pw locked; do
	asked $kind $kind h -c 'echo hello'
	press $kind 'geheim\r'
	check "$kind: the right one" shows $kind hello
	check "$kind: the terminal echoes again" echoes $kind
	unlike "$(seen $kind)" geheim "$kind: it was not to be seen"
done
asked pw pw h -c 'echo hello'
press pw 'falsch\r'
check 'a wrong one: asked again' until_true 20 asked_times pw 2
press pw 'geheim\r'
check 'and then the right one' shows pw hello

# Somebody who takes longer than an attempt may.
asked slow pw --retries 0 --connect-timeout 1 h -c 'echo hello'
asking=$SECONDS
for how in 'h -c true' '--attach x h' '--list h' '--cancel x h' '--clean h'; do
	# shellcheck disable=SC2086 # split into words
	asked pw pw $how
	press pw '\x03'
	check "Ctrl-C at the password of \"$how\": the terminal echoes" \
		echoes pw
	like "$(seen pw)" 'interrupted.*status 255' 'which is said'
	unlike "$(seen pw)" refuses 'and not that the host refused it'
done
# A password could be tried next.
asked locked locked h -c true
press locked '\x03'
check 'Ctrl-C at a passphrase: the terminal echoes' echoes locked
check 'and nothing else is asked' asked_times locked 1
asked pw pw h -c true
press pw '\x1c'
check 'Ctrl-\ at a password: the terminal echoes' echoes pw
like "$(seen pw)" 'status 131' 'and it ends'
until_true 5 ago "$asking" 2
press slow 'geheim\r'
check 'who types slowly gets in, too' shows slow hello

# An interactive shell would set the terminal itself.
sit stop bash -c 'set -m; vmexec -F "$0" h -c "echo hello"; stty -a; fg' \
	"$tmp/ssh_locked"
shows stop '^Passphrase'
press stop '\x1a'
check 'stopped at a passphrase: the terminal echoes' shows stop '[^-]echo '
check 'it asks again behind fg' until_true 20 asked_times stop 2
press stop 'geheim\r'
check 'and it goes on' shows stop '^hello'
unlike "$(seen stop)" geheim 'it was not to be seen'

# --- Ctrl-Z, until here -------------------------------------------------------------

until_true 10 ago "$stopped" 5
before=$(grep -c . $jobs/z/out)
press z 'fg\r'
check 'fg: all that came meanwhile' shows z "line $before\$"
touch "$tmp/enough"
until_true 20 [ -s $jobs/z/rc ]
press z 'echo \"status $?\"\r'
check 'and its status' shows z 'status 5'
grep -a '^line ' "$tmp/z.screen" > "$tmp/out"
same "$tmp/out" $jobs/z/out 'every byte'
unlike "$(seen z)" 'lost|too long' 'nobody was silent or idle for that'

touch "$tmp/hup.go"
nobody_left
finish

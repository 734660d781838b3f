#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a script prints and what it ends with arrive as they were, whatever they
# are; arguments, variables and the script too; and nobody sees them in ps.
# timeout: 180
. "$(dirname "$0")/lib.sh"
start_sshd

# script TEXT: $tmp/script, and what it does here: $tmp/want.out, .err, $want.
script()
{
	printf '%s\n' "$1" > "$tmp/script"
	# Pipes, as with ssh: a file would be emptied by who opens it again.
	{ sh "$tmp/script" 2>&3 | cat > "$tmp/want.out"; } 3>&1 < /dev/null |
		cat > "$tmp/want.err"
	sh "$tmp/script" > /dev/null 2>&1 < /dev/null
	want=$?
}

# as_here WHAT [OPTION...]: there as here.
as_here()
{
	local what=$1
	shift
	on_host -q "$@" -- "$tmp/script"
	same "$tmp/out" "$tmp/want.out" "$what: standard output"
	same "$tmp/err" "$tmp/want.err" "$what: standard error"
	is "$code" "$want" "$what: exit status"
}

# --- output -----------------------------------------------------------------------

script 'echo hello'
as_here 'a line'
script ':'
as_here 'nothing at all'
script 'printf "no newline"; printf "nor here" >&2; exit 3'
as_here 'no final newline'
head -c 3000000 /dev/urandom > "$tmp/random"
script "cat '$tmp/random'; tac '$tmp/random' >&2; exit 17"
as_here 'binary'
script 'printf "a\rb\r\nc\0d\0\n\033[2Je\377\376\n"; printf "\0\0" >&2'
as_here 'CR, NUL, escapes, no UTF-8'
script "tr '\\n' x < '$tmp/random' | cat - - - '$tmp/random'; echo
	head -c 10000000 /dev/zero | tr '\\0' y; echo; echo end"
as_here 'lines of 10 MB'
script 'i=0; while [ $i -lt 2000 ]; do echo "out $i"; echo "err $i" >&2
	i=$((i + 1)); done'
as_here 'both streams in turn'
script "exec 2>&1; i=0; while [ \$i -lt 200 ]; do echo out \$i
	sh -c \"echo err \$i >&2\"; i=\$((i + 1)); done"
as_here 'both streams in one keep their order'
script 'echo one; echo two > /dev/stdout; echo three > /dev/stderr
	echo four > /dev/stderr; echo five | tee /dev/stderr; echo six'
as_here '/dev/stdout and /dev/stderr are opened anew'
script 'head -c 100000000 /dev/zero | tr "\0" "z"'
as_here '100 MB'

# Somebody who stays holds the pipes: the last byte arrives nevertheless.
cat > "$tmp/script" <<-END
	sleep 300 & echo \$! > '$tmp/pid'
	cat '$tmp/random' >&2; cat '$tmp/random'; exit 9
END
cp "$tmp/random" "$tmp/want.out"
cp "$tmp/random" "$tmp/want.err"
want=9 SECONDS=0
as_here 'a child that keeps the output open'
check 'which is not waited for' [ "$SECONDS" -lt 20 ]
kill "$(cat "$tmp/pid")"
on_host --log "$tmp/log" -- "$tmp/script"
is "$(wc -c < "$tmp/log")" 6000000 'the log has both streams'
kill "$(cat "$tmp/pid")"
on_host -q -c "yes & echo \$! > '$tmp/pid'; exit 8"
is "$code" 8 'a child that never stops writing'
kill "$(cat "$tmp/pid")"

# --- status -----------------------------------------------------------------------

# All at once, a few at a time.
status_of()
{
	timeout 60 "$vmexec" -q -F "$tmp/ssh_config" h -c "$2" \
		> "$tmp/status.$1.out" 2>&1 < /dev/null
	echo $? > "$tmp/status.$1"
}
for status in {0..255}; do
	status_of "$status" "exit $status" &
	pids[status % 8]=$!
	[ $((status % 8)) != 7 ] || wait "${pids[@]}"
done
wrong=
for status in {0..255}; do
	wanted=$((status > 250 ? 250 : status))
	[ "$(cat "$tmp/status.$status")" = "$wanted" ] ||
		wrong="$wrong $status:$(cat "$tmp/status.$status" \
			"$tmp/status.$status.out")"
done
is "$wrong" '' 'exit 0 to 250, and more is 250'
like "$(cat "$tmp/status.253.out")" 'ended with 253; 250' 'which is said'
for signal in TERM KILL SEGV PIPE INT; do
	on_host -q -c "kill -$signal \$\$; exit 99"
	is "$code" $((128 + $(kill -l $signal))) "killed by SIG$signal"
done
on_host -q -c 'nosuchcommand'
is "$code" 127 'an unknown command'
on_host -q --interpreter /nonexistent -c 'echo'
is "$code" 127 'an interpreter that is not there'

# --- what goes there ----------------------------------------------------------------

printf '%s\n' "printf '<%s>' \"\$#\" \"\$@\"" > "$tmp/script"
awkward=('' ' ' '  a  b ' "it's" '"' "\\" 'a\nb' '$HOME' '`id`' '$(id)' '*' '~'
	'!' '!!' '#' '%s' '-' '--' '-c' ';' '&' '|' '<x' '>y' $'new\nline\n'
	$'\t' $'\r' $'\x01\x7f\x80\xff' $'\e[2J' 'ümläut' "'" "''" "'\\''")
bash "$tmp/script" "${awkward[@]}" > "$tmp/want.out"
on_host -q -- "$tmp/script" "${awkward[@]}"
same "$tmp/out" "$tmp/want.out" 'arguments with awkward bytes'
is "$code" 0 'and a status of 0'
all=$("$python" -c 'import os
os.write(1, bytes(range(1, 256)))'; printf .)
all=${all%.}
bash "$tmp/script" "$all" > "$tmp/want.out"
on_host -q -- "$tmp/script" "$all"
same "$tmp/out" "$tmp/want.out" 'all bytes in one argument'
bash "$tmp/script" -- -x --help > "$tmp/want.out"
on_host -q -- "$tmp/script" -- -x --help
same "$tmp/out" "$tmp/want.out" "the script's options are its own"

on_host -q --env "AWKWARD=$all" -c 'printf %s "$AWKWARD"'
is "$(cat "$tmp/out"; echo .)" "$all." 'all bytes in a variable'
# Names that the programs on the host use themselves.
names=(job dir mask interpreter nonce rc line limit since id base method env
	n p l started boot script settings runner killer state IFSX x HOME2)
options=()
for name in "${names[@]}"; do options+=(--env "$name=value of $name"); done
on_host -q "${options[@]}" -c 'env'
is "$(grep -c 'value of' "$tmp/out")" "${#names[@]}" \
	'variables of any name get there'
is "$code" 0 'and do no harm'
on_host -q --env 'PATH=/bin:/nowhere' --env LC_ALL=C.UTF-8 --env HOME=/nowhere \
	-c 'echo "$PATH $LC_ALL $HOME $PWD"'
is "$(out)" '/bin:/nowhere C.UTF-8 /nowhere /root' 'PATH, LC_ALL, HOME'
on_host -q -c 'echo "$HOME $(umask) ${LC_ALL-unset} $(ulimit -n > /dev/null; tty)"'
like "$(out)" '^/root 0022 unset not a tty$' 'the environment of a login'

mkdir -p "$tmp/a dir 'x'"
on_host -q --cwd "$tmp/a dir 'x'" -c 'pwd'
is "$(out)" "$tmp/a dir 'x'" '--cwd'
on_host -q --cwd sub -c 'pwd'
is "$code" 250 'a directory that is not there'
like "$(said)" 'sub' 'which is said'
mkdir -p /root/sub
on_host -q --cwd sub -c 'pwd'
is "$(out)" /root/sub 'from home on'
mkdir /root/-P
on_host -q --cwd=-P -c pwd
is "$(out)" /root/-P 'a directory like an option'

on_host -q --interpreter "$python" -c 'import sys; print(sys.version_info[0])'
is "$(out)" 3 '--interpreter'
printf '#!%s -Bs\nimport sys\nprint(sys.flags.no_user_site, sys.argv[1:])\n' \
	"$python" > "$tmp/script"
on_host -q -- "$tmp/script" a 'b c'
is "$(out)" "1 ['a', 'b c']" '#! with an argument'
printf '#!/usr/bin/env bash\necho "$BASH_VERSION" "${BASH_SOURCE[0]##*/}"\n' \
	> "$tmp/script"
on_host -q -- "$tmp/script"
like "$(out)" '^[0-9].* script$' '#! with env'
printf '#! /bin/bash -eu\nfalse\necho "not reached"' > "$tmp/script"
on_host -q -- "$tmp/script"
is "$code $(out)" '1 ' '#! with a blank'
input=$tmp/script on_host -q -- -
is "$code $(out)" '1 ' 'a file as standard input'
printf 'echo "from a pipe $1"\n' |
	timeout 60 "$vmexec" -q -F "$tmp/ssh_config" h - arg > "$tmp/out" 2>&1
is "$? $(out)" '0 from a pipe arg' 'a pipe as standard input'
printf 'cat; echo "$0" | grep -c vmexec' > "$tmp/script"
on_host -q -- "$tmp/script"
is "$(out)" 1 'the script has no standard input'
: > "$tmp/script"
on_host -q -- "$tmp/script"
is "$code $(out)$(said)" '0 ' 'an empty script'
{
	echo 'tail -n 1 "$0" | head -c 20; exit 7'
	head -c 5000000 /dev/zero | tr '\0' '#'
	echo
	echo 'the last line'
} > "$tmp/script"
on_host -q -- "$tmp/script"
is "$code $(out)" '7 the last line' 'a script of 5 MB'
on_host -- "$tmp/nonexistent"
is "$code" 254 'a script that is not there'

# --- what is seen -------------------------------------------------------------------

mkfifo "$tmp/gate"
cat > "$tmp/script" <<'END'
echo up
read -r go < "$GATE"
END
"$vmexec" -q -F "$tmp/ssh_config" --env GATE="$tmp/gate" \
	--env PASSWORD=geheimnis h "$tmp/script" > "$tmp/out" 2> "$tmp/err" &
pid=$!
kill_at_end "$pid"
check 'a job runs' until_true 30 grep -q up "$tmp/out"
# Its own command line is what was typed.
seen=$(grep -l -a '[g]eheimnis' /proc/[0-9]*/cmdline 2> /dev/null |
	grep -v "/$pid/")
is "$seen" '' 'no process here or there shows a variable'
on_host -q --list
unlike "$(out)$(said)" geheimnis 'nor does the list'
is "$(grep -rl geheimnis $jobs)" '' 'nor any file of a job that runs'
is "$(stat -c %a $jobs $jobs/* | sort -u)" 700 'whose files are its own'
echo go > "$tmp/gate"
wait "$pid"
is $? 0 'it ends'
"$vmexec" -q -F "$tmp/ssh_config" h -c "# geheimnis
	echo up; read -r go < $tmp/gate" arg-geheim \
	> "$tmp/out" 2> "$tmp/err" &
pid=$!
kill_at_end "$pid"
check 'a job runs again' until_true 30 grep -q up "$tmp/out"
seen=$(grep -l -a '[g]eheim' /proc/[0-9]*/cmdline 2> /dev/null |
	grep -v "/$pid/" | while read -r path; do
	tr '\0' ' ' < "$path" | grep -v '/script arg-geheim'
done 2> /dev/null)
is "$seen" '' "only the script's own process shows its arguments"
echo go > "$tmp/gate"
wait "$pid"
is $? 0 'it ends'

nobody_left
finish

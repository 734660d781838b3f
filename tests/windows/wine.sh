#!/bin/bash
# SPDX-License-Identifier: MIT
#
# veeam-lock.exe and veeam-unlock.exe under wine: the ids of the process above
# them, what ssh.exe is given, exit codes, time limit, log and event log.  Parent
# and ssh.exe are stand-ins.
# timeout: 400
. "$(dirname "$0")/lib.sh"
build_windows
start_wine

# A directory as Windows has them: blanks, brackets, an umlaut, and worse.
play "$tmp/Prögramme (x86) & 100%h" \
	"$tmp/Prögramme (x86) & 100%h/öpenssh/ssh.exe"
cp "$win"/*.exe "$home/"

# set_up [LINE...]: the settings.
set_up() { ini 'host = backup.example.org' 'ssh = öpenssh\ssh.exe' "$@"; }

program() { printf '"%s"' "$(win_path "$home/$1.exe")"; }

# --- the ids ----------------------------------------------------------------------

set_up
FAKE_SSH_SAY='Gewährt' veeam "$(program veeam-lock)"
is "$code" 0 'the lock: exit code 0'
is "$(cat "$record")" "$(ssh_got "\"Z:${home//%/%%}/known_hosts\"" \
	"$(win_path "${home//%/%%}/id_ed25519")" \
	"veeam-lock --remote --job $job --run $run")" \
	'what ssh.exe is given, and an empty standard input'
like "$(log)" '\] info: \| Gewährt.*\] info: \| and on stderr' \
	'what ssh said is in the log'
like "$(log)" "veeam-lock\[[0-9]+\] info: job $job, run $run, says \
Veeam\.Backup\.Manager\.exe" 'and where the ids are from'
like "$(log)" '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\+00:00 veeam-lock' \
	'with the time'
like "$err" "trace:eventlog:.*veeam-lock: job $job, run $run: The lock is held" \
	'the event log has one sentence'
like "$out" 'The lock is held' 'and so has standard output'
is "$(grep -c $'[^\r]$' "$home/veeam-lock.log")" 0 'the log has CR LF'

set_up
veeam "$(program veeam-unlock)"
is "$code $(remote)" "0 arg:veeam-unlock --job $job --run $run" 'the unlock'

set_up
veeam "cmd.exe /s /c \"$(program veeam-lock)\""
is "$code $(remote)" "0 arg:veeam-lock --remote --job $job --run $run" \
	'with a cmd.exe in between'

# One in between that has ids of its own counts only while nobody is Veeam.
other=$home/other.exe
cp "$manager" "$other"
set_up
two='11111111-2222-3333-4444-555555555555 66666666-7777-8888-9999-000000000000'
FAKE_COMMAND=$(program veeam-lock) in_wine "$other" $two
is "$code $(remote)" "0 arg:veeam-lock --remote --job ${two/ / --run }" \
	'ids of a process that is not called Veeam'

set_up
veeam "cmd.exe /s /c \"$(program veeam-lock) & rem $two\""
is "$(remote)" "arg:veeam-lock --remote --job $job --run $run" \
	'but those of Veeam count more, though it is further away'

set_up
FAKE_COMMAND=$(program veeam-lock) in_wine "$manager" \
	"{${job^^}}" "{${run^^}} in quotes"
is "$code $(remote)" "0 arg:veeam-lock --remote --job $job --run $run" \
	'ids with braces, quotes and capitals'

set_up
FAKE_COMMAND=$(program veeam-lock) in_wine "$manager" startbackupjob
is "$code $(remote)" '0 arg:veeam-lock --remote' 'no ids: the common lock'
like "$(log)" 'warning: no process above this one names a job' 'with a warning'

# The other way to read a command line, for Windows before 8.1.
check 'a program that only knows the PEB' "$mingw" -municode -static -O1 \
	-D_WIN32_WINNT=0x0A00 -D__USE_MINGW_ANSI_STDIO=1 \
	-DANCESTORS_NO_KERNEL -DWINDOWS_ACTION=SSH_LOCK \
	-DWINDOWS_VERSION='L"0"' -o "$home/peb.exe" windows/*.c -lntdll
set_up
veeam "$(program peb)"
is "$code $(remote)" "0 arg:veeam-lock --remote --job $job --run $run" \
	'and finds the same'

# --- what ssh.exe gets and says ---------------------------------------------------

# A handle that Veeam lets its scripts inherit must not reach ssh.exe: with it
# a file or a socket of Veeam would stay open as long as ssh waits.
FAKE_LEAK=$(win_path "$tmp/leaked")
export FAKE_LEAK
set_up
veeam "$(program öpenssh/ssh) x"
like "$(cat "$record")" 'inherited:.*leaked' 'who inherits it would notice'
set_up
veeam "$(program veeam-lock)"
is "$code $(grep inherited "$record")" '0 ' 'ssh.exe inherits nothing'
unset FAKE_LEAK

# hex TEXT: as fake_ssh wants it.
hex() { printf %b "$1" | od -An -v -tx1 | tr -d ' \n'; }
set_up
FAKE_SSH_HEX=$(hex 'one\r\n\xff\xfe two\n\x1b[31mthree\x00\n\nfour') \
	veeam "$(program veeam-lock)"
is "$code" 0 'whatever ssh.exe says, its exit code counts'
like "$(log)" $'\\| one\n.*\\| .+ two\n.*\\| \\?\\[31mthree\\?\n.*\\| four\n' \
	'its lines are in the log, and nothing that a terminal obeys'
check 'which is valid UTF-8' iconv -f UTF-8 -t UTF-8 "$home/veeam-lock.log" -o \
	/dev/null
set_up
FAKE_SSH_HEX=$(hex "$(printf 'a%.0s' {1..5000})") veeam "$(program veeam-lock)"
is "$code $(log | grep -o 'a\{400,\}' | tr -d '\n' | wc -c)" '0 5000' \
	'a long line is cut into pieces, none of it lost'

set_up
printf 'no program\n' > "$home/öpenssh/text.exe"
printf 'ssh = öpenssh\\text.exe\r\n' >> "$home/veeam-lock.ini"
veeam "$(program veeam-lock)"
is "$code" 1 'what cannot be started grants nothing'
like "$(log)" 'error: cannot start .*text\.exe \(error [1-9][0-9]*\)' 'and why'
like "$err" 'ssh\.exe could not be started; the backup server was not asked' \
	'the event log has it'

# --- options ----------------------------------------------------------------------

set_up
veeam "$(program veeam-lock) --job Fileserver --host=10.0.0.7"
is "$code $(tail -n 3 "$record" | head -n 2 | tr '\n' ' ')" '0 '\
'arg:10.0.0.7 arg:veeam-lock --remote --job Fileserver ' \
	'options go before what is found; another job has no part in the run'
set_up
veeam "$(program veeam-lock) --run {R-1}"
is "$(remote)" "arg:veeam-lock --remote --job $job --run {R-1}" '--run'

mkdir "$tmp/sönst wo"
printf '%s\n' 'host = else.example.org' \
	"ssh = $(win_path "$home/öpenssh/ssh.exe")" > "$tmp/sönst wo/my.ini"
rm -f "$record"
veeam "$(program veeam-lock) --config \"$(win_path "$tmp/sönst wo/my.ini")\""
is "$code $(grep -c else.example.org "$record")" '0 1' '--config'
check 'its log is beside it' grep -q 'The lock is held' \
	"$tmp/sönst wo/veeam-lock.log"

# usage ARGUMENTS: refused before anything is asked.
usage()
{
	set_up
	veeam "$(program veeam-lock) $1"
	is "$code $(asked)" '2 ' "refused: $1"
}
usage '--job "a b"'
usage '--job "x;reboot"'
usage '--job "a\" -oProxyCommand=calc"'
usage '--run -oX'
usage '--job ..'
usage "--run $(printf 'a%.0s' {1..81})"
usage '--host -oProxyCommand=calc'
usage '--job'
usage '--job ""'
usage '--job='
usage '--jobs x'
usage '--nonsense'
usage 'word'

set_up
veeam "$(program veeam-lock) --job $(printf 'a%.0s' {1..7000})"
is "$code" 2 'an argument of any length is refused'
like "$out" 'not an id .*: a{200}.*Try "veeam-lock.exe --help"' 'in a short line'

in_wine "$home/veeam-unlock.exe" --version
like "$code $out" '^0 veeam-unlock.exe [0-9]' '--version'
in_wine "$home/veeam-lock.exe" --help
for word in --job --run --host --config --help --version 75; do
	like "$code $out" "^0 Usage: veeam-lock.exe.*$word" "--help names $word"
done

# --- exit codes -------------------------------------------------------------------

# ends PROGRAM CODE-OF-SSH CODE TEXT
ends()
{
	set_up 'attempts = 1'
	FAKE_SSH_CODES=$2 veeam "$(program "$1")"
	is "$code" "$3" "$1: ssh ends with $2, we with $3"
	like "$(log)" "error: $1: job $job, run $run: $4" 'the log says why'
	like "$err" "err:eventlog:.*$4" 'the event log, too, as an error'
}
ends veeam-lock 1 1 'The lock was not granted in time or could not be made'
ends veeam-lock 75 75 'Gave up waiting for the running copy'
ends veeam-lock 2 2 'The backup server refused the request'
ends veeam-lock 3 3 'The configuration of the backup server is wrong'
ends veeam-lock 255 1 'ssh could not log in.*Look at the network'
ends veeam-lock 127 1 'The backup server could not start the command'
ends veeam-lock 143 1 'veeam-lock was ended on the backup server'
ends veeam-unlock 143 1 'veeam-unlock was ended on the backup server'
ends veeam-lock 200 1 'ssh.exe ended in a way that is not understood'
ends veeam-unlock 1 1 'The lock could not be released'

set_up
FAKE_SSH_CODES='255 0' veeam "$(program veeam-lock)"
is "$code $(calls)" '0 2' 'a connection that fails is tried again'
like "$(log)" 'warning: attempt 1 of 3 failed, once more' 'and that is said'
set_up 'attempts = 2'
FAKE_SSH_CODES=255 veeam "$(program veeam-lock)"
is "$code $(calls)" '1 2' 'but not more often than attempts says'
like "$(log)" 'Look at the network' 'and what to look at is said once it is over'
set_up 'limit-seconds = 4'
FAKE_SSH_CODES='255 0' veeam "$(program veeam-lock)"
is "$code $(calls)" '1 1' 'nor when the time would be over'
set_up
FAKE_SSH_CODES='75 0' veeam "$(program veeam-lock)"
is "$code $(calls)" '75 1' 'an answer is an answer'

# --- settings ---------------------------------------------------------------------

# wrong WHAT TEXT: with the ini file that is there.
wrong()
{
	veeam "$(program veeam-lock)"
	is "$code $(asked)" '3 ' "$1: exit code 3"
	like "$out" "error: .*$2" 'which says what is wrong'
	like "$err" "err:eventlog:.*$2" 'in the event log, too'
}
set_up 'hots = x'
wrong 'an unknown key' 'line 3: there is no key .*hots'
set_up $'user = \xe4'
wrong 'no UTF-8' 'is not UTF-8'
set_up
printf 'user = x\0y\r\n' >> "$home/veeam-lock.ini"
wrong 'a NUL byte' 'is not UTF-8'
iconv -t UTF-16 <<< 'host = a' > "$home/veeam-lock.ini"
wrong 'UTF-16' 'is not UTF-8'
head -c 70000 /dev/zero | tr '\0' '#' > "$home/veeam-lock.ini"
wrong 'a file without end' 'is too large'
printf 'port = 1\r\n' > "$home/veeam-lock.ini"
wrong 'no host' 'host is missing'
set_up 'ssh = nowhere.exe'
wrong 'no ssh.exe' 'install the OpenSSH client'
rm "$home/veeam-lock.ini"
wrong 'no settings' 'cannot be read'
check 'without settings the log is where they should be' \
	grep -q 'cannot be read' "$home/veeam-lock.log"
is "$(find "$WINEPREFIX/drive_c/ProgramData" -name '*asbackup*')" '' \
	'never where everybody can write: it could be a link by then'
mkdir "$home/veeam-lock.log.d"
set_up 'log = veeam-lock.log.d'
veeam "$(program veeam-lock)"
is "$code" 0 'no log is no reason to fail'
like "$out" 'cannot write to .*veeam-lock\.log\.d.*the key log' 'but is said'

set_up
printf '\xef\xbb\xbf' | cat - "$home/veeam-lock.ini" > "$tmp/bom"
cp "$tmp/bom" "$home/veeam-lock.ini"
veeam "$(program veeam-lock)"
is "$code" 0 'a byte order mark is no mistake'

set_up
head -c 1100000 /dev/zero | tr '\0' 'x' > "$home/veeam-lock.log"
veeam "$(program veeam-lock)"
is "$(stat -c %s "$home/veeam-lock.log.1")" 1100000 'a large log makes room'
rm "$home/veeam-lock.log.1"

# --- the time limit ---------------------------------------------------------------

# The stand-ins for ssh.exe that are at work, those of this test alone.
ssh_processes()
{
	grep -lzF 'penssh\ssh.exe' /proc/[0-9]*/cmdline 2> /dev/null |
		xargs -r grep -lzF "${tmp##*/}" 2> /dev/null
}

set_up 'limit-seconds = 3'
began=$SECONDS
FAKE_SSH_SAY='waiting for the copy' FAKE_SSH_HANG=1 veeam "$(program veeam-lock)"
took=$((SECONDS - began))
is "$code" 1 'ssh hangs: exit code 1'
check "after limit-seconds ($took s)" [ $((took >= 3 && took <= 20)) = 1 ]
is "$(calls)" 1 'and no second attempt'
like "$(log)" 'waiting for the copy.*error: .*No answer before limit-seconds' \
	'the log has what ssh said before, and why it ended'
is "$(ssh_processes)" '' 'neither ssh nor what it started is left'

# Veeam ends the script: ssh must not wait on alone.
set_up 'limit-seconds = 60'
FAKE_SSH_HANG=1 timeout -k 5 60 "$wine" "$home/veeam-lock.exe" --job x --run y \
	> "$tmp/out" 2>&1 < /dev/null &
victim=$!
kill_at_end "$victim"
hanging() { [ "$(ssh_processes | wc -l)" -ge 2 ]; }
check 'ssh is at work' until_true 30 hanging
pid=$(pgrep -P "$victim" | head -n 1)
kill -KILL "${pid:-$victim}"
wait "$victim" 2> /dev/null
gone() { [ -z "$(ssh_processes)" ]; }
check 'when we are killed, ssh ends with us' until_true 20 gone
finish

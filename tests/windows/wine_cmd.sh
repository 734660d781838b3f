#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The .cmd files under wine.  Parent, ssh.exe and powershell.exe are stand-ins;
# the last one prints the ids.
# timeout: 400
. "$(dirname "$0")/lib.sh"
build_windows
start_wine

# wine has no "chcp 65001": an umlaut in the settings is lost on it.
system=$WINEPREFIX/drive_c/windows/system32
play "$tmp/Prögramme (x86)" "$system/OpenSSH/ssh.exe"
cp "$win"/*.cmd "$win"/*.ps1 "$home/"
shell=$system/WindowsPowerShell/v1.0/powershell.exe
rm -f "$shell"
check 'a PowerShell' "$mingw" -static -o "$shell" \
	tests/windows/fake_powershell.c || finish

# set_up [LINE...]: the settings.
set_up() { ini '# of the test' 'host = backup.example.org' "$@"; }

# script NAME IDS [CODE-OF-SSH [ARGUMENT]]: IDS is what PowerShell says.
script()
{
	FAKE_SSH_SAY=granted FAKE_IDS=$2 FAKE_SSH_CODES=${3:-0} veeam \
		"cmd.exe /s /c \"\"$(win_path "$home/$1.cmd")\"${4:+ $4}\""
}

# --- what is asked ------------------------------------------------------------------

set_up
script veeam-pre-job "$job $run"
is "$code" 0 'veeam-pre-job.cmd: exit code 0'
is "$(cat "$record")" "$(ssh_got known_hosts id_ed25519 \
	"veeam-lock --remote --job $job --run $run")" 'what ssh.exe is given'
like "$(log)" 'asking backup\.example\.org.*granted.*and on stderr.*exit code 0' \
	'the log has what was asked and what ssh said'
like "$out" 'granted' 'so has standard output'
is "$(find "$home" -name '*.tmp')" '' 'no file is left'

set_up 'user = veeam' 'port = 2222' 'key = k.key' 'known-hosts = kh'
script veeam-post-job "$job $run"
is "$code $(remote)" "0 arg:veeam-unlock --job $job --run $run" \
	'veeam-post-job.cmd'
for word in UserKnownHostsFile=kh k.key 2222 veeam; do
	check "the setting $word" grep -qx "arg:$word" "$record"
done

set_up 'host = blanks.example.org  ' 'user = veeam ' 'port = 2222  '
script veeam-pre-job "$job $run"
is "$code $(grep -cxE 'arg:(blanks.example.org|veeam|2222)' "$record")" '0 3' \
	'blanks behind a value are not part of it'

mkdir "$home/logs.d"
set_up "log = $(win_path "$home/logs.d")"
script veeam-pre-job "$job $run"
is "$code $(remote)" "0 arg:veeam-lock --remote --job $job --run $run" \
	'no log is no reason to fail'

# --- which job ------------------------------------------------------------------------

set_up
script veeam-pre-job ''
is "$code $(remote)" '0 arg:veeam-lock --remote' 'no ids: the common lock'
like "$(log)" 'no job found' 'which the log says'

# What is no id is not passed on, nor run.
for evil in "x\"&echo.>$(win_path "$tmp/evil")& y" "%PATH% !PATH!" "a|b c>d" \
	"$job;x -oProxyCommand=y"; do
	set_up
	script veeam-pre-job "$evil"
	like "$(remote)" '^arg:veeam-lock --remote[a-z0-9 -]*$' \
		"not passed on: $evil"
done

# Where PowerShell must not run, the script is given a name.
set_up
script veeam-pre-job "$job $run" 0 Daily_1.full
is "$code $(remote)" '0 arg:veeam-lock --remote --job Daily_1.full' \
	'a name goes before what PowerShell says'
set_up
script veeam-post-job "$job $run" 0 '"Daily_1.full"'
is "$code $(remote)" '0 arg:veeam-unlock --job Daily_1.full' \
	'a name in quotes, for veeam-post-job.cmd'
mv "$shell" "$shell.away"
set_up
script veeam-pre-job '' 0 Daily
is "$code $(remote)" '0 arg:veeam-lock --remote --job Daily' \
	'a name, and no PowerShell anywhere'
set_up
script veeam-pre-job ''
is "$code $(remote)" '0 arg:veeam-lock --remote' \
	'neither of them: the common lock'
mv "$shell.away" "$shell"
for evil in '"a b"' '"a;b"' '"a&echo.>evil"' '"a|more"' '"-oX=$(x)"' 'ä' \
	'"%OS%*"'; do
	set_up
	script veeam-pre-job "$job $run" 0 "$evil"
	is "$code $(asked)" '2 ' "no name of a job: $evil"
done
check 'nothing of it was run' eval '! find "$tmp" -maxdepth 2 -name evil | grep .'

# --- exit codes -----------------------------------------------------------------------

for codes in 1:1 2:2 3:3 75:75 255:1 127:1; do
	set_up
	script veeam-pre-job "$job $run" "${codes%:*}"
	is "$code" "${codes#*:}" "ssh ends with ${codes%:*}"
	like "$(log)" "ended with ${codes%:*}" 'and the log says so'
done

# wrong TEXT: with the settings that are there.
wrong()
{
	script veeam-pre-job "$job $run"
	is "$code $(asked)" '3 ' "exit code 3: $1"
	like "$out" "$1" 'which it says'
}
set_up 'ssh = nowhere.exe'
wrong 'install the OpenSSH client'
set_up 'known-hosts = a b'
wrong 'known-hosts must be a name without blanks'
for line in 'host=-oX' 'host=a&echo.>evil' 'host=a|b' 'host=a;b' \
	'host=a"&echo.>evil&"'; do
	set_up "$line"
	wrong 'what stands there is no host'
done
set_up 'user = a\b'
wrong 'what stands there is no user'
set_up 'user ='
wrong 'what stands there is no user'
set_up 'port = 22x'
wrong 'what stands there is no port'
ini '# nothing'
wrong 'names no host'
rm "$home/veeam-lock.ini"
wrong 'veeam-lock.ini is missing'
check 'nothing of it was run' eval '! find "$tmp" -maxdepth 2 -name evil | grep .'
is "$(find "$home" -name '*.tmp')" '' 'no file is left'
finish

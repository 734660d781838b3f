# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# not a test
#
# The .cmd files, for wine.sh: PowerShell is a stand-in that prints the ids.
# Much is set there:
# shellcheck disable=SC2154

home=$tmp/'Prögramme (x86)'
mkdir "$home"
cp "$win"/*.cmd "$win"/*.ps1 "$home/"
shell=$WINEPREFIX/drive_c/windows/system32/WindowsPowerShell/v1.0
mkdir -p "$shell"
rm -f "$shell/powershell.exe"
# wine has no "chcp 65001": an umlaut in the settings is lost on it.
openssh=$WINEPREFIX/drive_c/windows/system32/OpenSSH
mkdir -p "$openssh"
check 'stand-ins' eval 'exe tests/windows/fake_ssh.c "$openssh/ssh.exe" &&
	"$mingw" -static -o "$shell/powershell.exe" \
		tests/windows/fake_powershell.c' || finish

# cmd_ini [LINE...]: the settings.
cmd_ini()
{
	printf '%s\r\n' '# of the test' 'host = backup.example.org' "$@" \
		> "$home/veeam-lock.ini"
	rm -f "$record" "$home"/*.log
}

# script NAME IDS [ssh's code]
script()
{
	FAKE_SSH_SAY=granted FAKE_IDS=$2 FAKE_SSH_CODES=${3:-0} \
		veeam "cmd.exe /s /c \"\"$(win_path "$home/$1.cmd")\"\""
}

cmd_ini
script veeam-pre-job "$job $run"
is "$code" 0 'veeam-pre-job.cmd: exit code 0'
is "$(cat "$record")" "call
arg:-F
arg:none
arg:-T
arg:-o
arg:BatchMode=yes
arg:-o
arg:IdentitiesOnly=yes
arg:-o
arg:StrictHostKeyChecking=yes
arg:-o
arg:ClearAllForwardings=yes
arg:-o
arg:ConnectTimeout=20
arg:-o
arg:ServerAliveInterval=15
arg:-o
arg:ServerAliveCountMax=4
arg:-o
arg:UserKnownHostsFile=known_hosts
arg:-i
arg:id_ed25519
arg:-p
arg:22
arg:-l
arg:root
arg:backup.example.org
arg:veeam-lock --remote --job $job --run $run
stdin:0" 'what ssh.exe is given'
like "$(cat "$home/veeam-lock.log")" \
	'asking backup\.example\.org.*granted.*and on stderr.*exit code 0' \
	'the log has what was asked and what ssh said'
is "$(find "$home" -name '*.tmp')" '' 'no file is left'

cmd_ini 'user = veeam' 'port = 2222' 'key = k.key' 'known-hosts = kh'
script veeam-post-job "$job $run"
is "$code $(tail -n 2 "$record" | head -n 1)" \
	"0 arg:veeam-unlock --job $job --run $run" 'veeam-post-job.cmd'
for word in UserKnownHostsFile=kh k.key 2222 veeam; do
	check "the setting $word" grep -qx "arg:$word" "$record"
done

cmd_ini
script veeam-pre-job ''
is "$code $(tail -n 2 "$record" | head -n 1)" '0 arg:veeam-lock --remote' \
	'no ids: the common lock'
check 'which the log says' grep -q 'no job found' "$home/veeam-lock.log"

# What is no id is not passed on, nor run.
for evil in "x\"&echo.>$(win_path "$tmp/evil")& y" "%PATH% !PATH!" "a|b c>d" \
	"$job;x -oProxyCommand=y"; do
	cmd_ini
	script veeam-pre-job "$evil"
	like "$(tail -n 2 "$record" | head -n 1)" \
		'^arg:veeam-lock --remote[a-z0-9 -]*$' \
		"not passed on: $evil"
done
check 'nothing of it was run' [ ! -e "$tmp/evil" ]

for codes in 1:1 2:2 3:3 75:75 255:1 127:1; do
	cmd_ini
	script veeam-pre-job "$job $run" "${codes%:*}"
	is "$code" "${codes#*:}" "ssh ends with ${codes%:*}"
	check 'and the log says so' grep -q "ended with ${codes%:*}" \
		"$home/veeam-lock.log"
done

cmd_ini 'ssh = nowhere.exe'
script veeam-pre-job "$job $run"
is "$code" 3 'no ssh.exe: exit code 3'
cmd_ini 'known-hosts = a b'
script veeam-pre-job "$job $run"
is "$code" 3 'known-hosts with a blank: exit code 3'
rm "$home/veeam-lock.ini"
script veeam-pre-job "$job $run"
is "$code" 3 'no settings: exit code 3'

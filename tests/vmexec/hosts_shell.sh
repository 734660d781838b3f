#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Login shells of all kinds, what they run first, what stands in their place,
# and an odd environment.
# timeout: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
start_sshd
new_user vm

# --- login shells ----------------------------------------------------------------------

# What each runs first talks, and says that it was there.
mkdir -p /root/.config/fish
talk="echo 'Welcome to this host'; printf 'no newline'; sh -c 'echo trouble >&2'"
for file in .bashrc .tcshrc .zshenv .config/fish/config.fish; do
	printf '%s\ntouch %s/ran\n' "$talk" "$tmp" > /root/$file
done
for shell in bash dash tcsh zsh fish; do
	if ! path=$(command -v $shell); then
		skip "login shell $shell" 'it is not installed'
		continue
	fi
	login_shell root "$path"
	rm -f "$tmp/ran"
	as_ever "login shell $shell"
	[ $shell = dash ] || check 'that talks first' [ -e "$tmp/ran" ]
done

login_shell root /bin/bash
bashrc() { printf '%s\n' "$@" > /root/.bashrc; }
bashrc 'cd /; set -eu; shopt -s extglob nullglob dotglob; alias exec=false sh=false' \
	'set -o noclobber; IFS=0123; export IFS; trap "echo bye" EXIT'
as_ever 'options, aliases, IFS'
bashrc 'export CDPATH=/:/etc BASH_ENV=/nonexistent ENV=/nonexistent' \
	'f() { echo "$1"; }; export -f f; export "a" ; declare -x -r b="x y"'
as_ever 'exported functions and constants'
on_host -q -c 'echo "$b $CDPATH"; bash -c "f hello" 2> /dev/null'
is "$(out)" 'x y /:/etc
hello' 'the script gets them'
bashrc 'sleep 3.5' 'echo "such a slow login"'
as_ever 'a slow login' --heartbeat-timeout 3
for mask in 000 027 077; do
	bashrc "umask $mask"
	on_host -q --job "mask$mask" -- "$tmp/script"
	on_host -q -c 'umask'
	is "$(out) $(find $jobs -perm /077)" "0$mask " \
		"umask $mask is the script's, and not that of the job's files"
done
bashrc 'read line' 'echo "You said: ${line:0:8}"'
refused 'a login that reads what is not meant for it' \
	'only a part of what was sent: You said: .*reads standard input'
bashrc 'echo "no entry today"; exit 0'
refused 'a login that ends' 'runs no shell .*exit 0.*: no entry today'
bashrc 'exec /nonexistent 2> /dev/null'
refused 'a login that becomes something else' 'runs no shell .*exit 127'
rm /root/.bashrc

login_shell root /usr/sbin/nologin
refused 'nologin' 'exit 1.*: This account is currently not available.*getent'
login_shell root /bin/false
refused 'false as login shell' 'runs no shell for this user .exit 1.'
login_shell root "$tmp/script"
on_host --retries 0 -c echo
is "$code" 255 'no program as login shell: sshd refuses'
like "$(said)" 'refuses the login of root' 'which is said'
login_shell root /bin/sh
sshd_with 'ForceCommand echo "for backups only"; exit 3'
refused 'ForceCommand' 'exit 3.*: for backups only.*ForceCommand'
sshd_with
cp "$tmp/authorized_keys" "$tmp/authorized_keys.good"
sed -i 's/^/command="cat \/etc\/hostname >\&2; exit 1" /' "$tmp/authorized_keys"
refused 'command= in authorized_keys' "exit 1.*: $(cat /etc/hostname)"
sed -i 's/^command="[^"]*"/restrict/' "$tmp/authorized_keys"
as_ever 'a key without a terminal and tunnels'
cp "$tmp/authorized_keys.good" "$tmp/authorized_keys"

# --- the environment -------------------------------------------------------------------

sshd_with 'SetEnv LC_ALL=nonsense LANG=tr_TR.UTF-8 LANGUAGE=de TZ=Mars/Phobos' \
	'PermitTTY no' 'Banner /etc/passwd' 'PrintMotd yes'
as_ever 'an odd language, no terminal, a banner'
on_host -q -c 'echo "$LC_ALL $LANG $LANGUAGE $TZ"'
is "$(out)" 'nonsense tr_TR.UTF-8 de Mars/Phobos' 'the script gets it'
sshd_with 'SetEnv POSIXLY_CORRECT=1 GREP_OPTIONS=-v LS_COLORS=x COLUMNS=1
SetEnv TMPDIR=/nonexistent CDPATH=/ IFS=0 PS4=x SHELLOPTS=xtrace PWD=/x'
as_ever 'settings that change tools'
sshd_with "SetEnv HOME=$tmp/nonexistent"
as_ever 'no home'
mkdir -p "$tmp/its" /run/user
sshd_with "SetEnv HOME='$tmp/its'"
as_ever 'a home that is not his'
install -d -m 700 -o vm "/run/user/$(id -u vm)" # else it is /var/tmp
on_host -q -l vm -c 'pwd'
is "$code $(out)" "0 $tmp/its" 'of another user, too: the job finds a place'
rm -rf "$tmp/vm/.local"

nobody_left
finish

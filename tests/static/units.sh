#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The units are valid, and no less confined than they were: what
# "systemd-analyze security" says of them (0 is confined, 10 is not) must not
# rise.  A new service needs a limit here.
. "$(dirname "$0")/common.sh"
need systemd-analyze systemd

# The program is not where it will be installed.
units=$tmp/units
mkdir "$units"
for unit in "$build"/systemd/*; do
	sed "s|^ExecStart=[^ ]*/asbackup|ExecStart=$build/asbackup|" \
		"$unit" > "$units/${unit##*/}"
done
mv "$units/asbackup@.service" \
	"$units/asbackup@3f29817d-f647-4ca5-931d-be6f49dac67f.service"

limit()
{
	case $1 in
	asbackup@*) echo 3.5 ;; # it has to mount
	asbackup-inhibit.service) echo 1.0 ;;
	asbackup-mail.service | asbackup-overdue.service) echo 1.3 ;;
	*) echo none ;;
	esac
}

exposure()
{
	systemd-analyze security --offline=yes "$1" 2>&1 |
		sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p'
}

for unit in "$units"/*; do
	name=${unit##*/}
	# The manual page may not be installed here.
	systemd-analyze verify --man=no --recursive-errors=no "$unit" 2>&1 |
		empty "$name is valid"
	[[ $name == *.service ]] || continue
	level=$(exposure "$unit")
	check "$name: exposure ${level:-?} is at most $(limit "$name")" \
		awk -v is="${level:-99}" -v most="$(limit "$name")" \
		'BEGIN { exit !(most ~ /^[0-9]/ && is <= most) }'
	# /usr/sbin/x -> a manual page of ours for "systemctl help"
	check "$name: names its manual page" \
		grep -q '^Documentation=man:asbackup' "$unit"
done

# Only what must be root is root.
for unit in mail overdue; do
	check "asbackup-$unit.service is not root" \
		grep -q '^User=_asbackup$' "$units/asbackup-$unit.service"
done

# systemd-tmpfiles and systemd-sysusers read theirs, in a root of our own.
root=$tmp/root
mkdir -p "$root/etc"
printf 'root:x:0:0::/:/bin/sh\n' > "$root/etc/passwd"
printf 'root:x:0:\nadm:x:4:\n' > "$root/etc/group"
if [ "$(id -u)" = 0 ]; then
	systemd-sysusers --root="$root" "$PWD/systemd/asbackup.sysusers" 2>&1 |
		grep -v '^Creating ' | empty 'the user can be made'
	systemd-tmpfiles --root="$root" --create \
		"$PWD/systemd/asbackup.tmpfiles" 2>&1 |
		empty 'the directories can be made'
	is "$(stat -c '%a %u' "$root/var/lib/asbackup")" '700 0' \
		'the state is for root alone'
	is "$(stat -c %a "$root/var/lib/asbackup/spool")" 700 \
		'the spool has mode 700'
	check 'and belongs to the user that sends the mails' test \
		"$(stat -c %u "$root/var/lib/asbackup/spool")" = \
		"$(sed -n 's/^_asbackup:[^:]*:\([0-9]*\):.*/\1/p' \
			"$root/etc/passwd")"
fi
finish

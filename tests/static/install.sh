#!/bin/bash
# SPDX-License-Identifier: MIT
#
# "make install" puts each file where it belongs, "make uninstall" leaves
# nothing but the configuration, and neither touches anything outside DESTDIR.
# timeout: 300
. "$(dirname "$0")/common.sh"
[ "${SAN:-}" != 1 ] || skip_all 'the build with sanitizers is not installed'
need msgfmt gettext

dest=$tmp/dest
# Built once with the paths of /usr; the same build serves all cases.
installed() { own_build install-check -s PREFIX=/usr DESTDIR="$dest" "$@"; }
files() { (cd "$dest" && find . ! -type d -printf "%m %P\n" | sort -k 2); }

expected()
{
	installed_files
	printf '644 usr/share/doc/asbackup/%s\n' README.md CHANGES.md LICENSE
}

check 'make install' installed install || finish
expected | sort -k 2 | diff - <(files) | empty 'every file is in its place'
"$dest/usr/sbin/asbackup" --version 2>&1 | grep -v '^asbackup [0-9]' |
	empty 'what was installed says its version'
grep -c "/usr/share/locale" "$dest/usr/sbin/asbackup" | grep -x 0 |
	empty 'it looks for its messages below PREFIX'

lib=$dest/usr/lib
grep -rnE '@[A-Z]+@' "$lib" | empty 'no placeholder is left in a unit or rule'
{
	cat "$lib"/systemd/system/*.service "$lib"/udev/rules.d/*.rules |
		grep -oE '[^ "=]*/asbackup (run|match)' | sort -u
} | diff - <(printf '%s\n' /usr/sbin/asbackup\ {match,run}) |
	empty 'units and rule start the program where it is'

# An upgrade must not touch what the administrator wrote.
echo '# changed' >> "$dest/etc/asbackup/config.ini"
check 'make install again' installed install
tail -n 1 "$dest/etc/asbackup/config.ini" | grep -vx '# changed' |
	empty 'an existing configuration stays as it is'

check 'make uninstall' installed uninstall
files | grep -vx '600 etc/asbackup/config.ini' |
	empty 'nothing is left but the configuration'
(cd "$dest" && find . -type d -path '*asbackup*' ! -path '*/etc/asbackup') |
	empty 'no directory of its own is left'
finish

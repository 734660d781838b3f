#!/bin/bash
# SPDX-License-Identifier: MIT
#
# "make windows": hardened programs that need nothing but Windows, the same
# bytes every time, and files with the line ends of Windows.
. "$(dirname "$0")/lib.sh"
objdump=x86_64-w64-mingw32-objdump

build_windows
is "$(cd "$win" && ls -- *.* | tr '\n' ' ')" 'veeam-ids.ps1 veeam-lock.exe '\
'veeam-lock.ini veeam-post-job.cmd veeam-pre-job.cmd veeam-ssh.cmd '\
'veeam-unlock.exe ' 'what a Veeam server needs, and nothing else'

for name in veeam-lock veeam-unlock; do
	"$objdump" -p "$win/$name.exe" > "$tmp/dump"
	for flag in HIGH_ENTROPY_VA DYNAMIC_BASE NX_COMPAT; do
		check "$name.exe: $flag" grep -qw "$flag" "$tmp/dump"
	done
	check "$name.exe can be moved: it has relocations" \
		grep -q '\.reloc' "$tmp/dump"
	is "$(sed -n 's/.*DLL Name: //p' "$tmp/dump" | tr 'A-Z' 'a-z' |
		sort | tr '\n' ' ')" \
		'advapi32.dll kernel32.dll msvcrt.dll ntdll.dll ' \
		"$name.exe: libraries that Windows itself keeps"
	check "$name.exe says its version to Windows" \
		grep -qa 'S.t.r.i.n.g.F.i.l.e.I.n.f.o' "$win/$name.exe"
	is "$(grep -acF -e "$tmp" -e "$PWD" "$win/$name.exe")" 0 \
		"$name.exe names no path of this machine"
done

for file in veeam-lock.ini veeam-{pre,post}-job.cmd veeam-ssh.cmd veeam-ids.ps1
do
	is "$(grep -c $'[^\r]$' "$win/$file")" 0 "$file: CR LF"
	is "$(LC_ALL=C grep -c '[^ -~	]' "windows/$file")" 0 "$file: ASCII"
done

sums() { sha256sum "$win"/*.exe; }
before=$(sums)
rm -rf "$tmp/b"
check 'once more' env MAKEFLAGS= TZ=Asia/Tokyo "${MAKE:-make}" -s \
	--no-print-directory BUILD="$tmp/b" windows
is "$(sums)" "$before" 'the same bytes'
finish

# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# not a test
#
# For the tests of what runs on Windows: the programs, built into $win, and wine
# with a prefix of its own.
#
# What is set here is read by the tests.
# shellcheck disable=SC2034
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$ASBACKUP_SRC" || exit 1

mingw=x86_64-w64-mingw32-gcc
command -v "$mingw" > /dev/null ||
	skip_all 'mingw-w64 is not installed (gcc-mingw-w64-x86-64-win32)'

# build_windows: "make windows", into $win.
build_windows()
{
	win=$tmp/b/windows
	check 'make windows' env MAKEFLAGS= "${MAKE:-make}" -s \
		--no-print-directory BUILD="$tmp/b" windows || finish
}

# exe FILE.c TARGET [FLAG...]: a program that only the test needs.
exe()
{
	local source=$1 target=$2
	shift 2
	"$mingw" -municode -static -O1 -Wall -Wextra -Werror -o "$target" \
		"$source" "$@"
}

# win_path PATH: as programs in wine see it.
win_path() { printf 'Z:%s' "${1//\//\\}"; }

# --- wine -----------------------------------------------------------------------

find_wine()
{
	local dir
	for dir in /usr/lib/wine /usr/bin /opt/wine-stable/bin; do
		[ -x "$dir/wine64" ] || continue
		wine=$dir/wine64
		for wineserver in "$dir/wineserver64" "$dir/wineserver"; do
			[ ! -x "$wineserver" ] || return 0
		done
	done
	return 1
}

# Every process of the prefix ends, however the test does.
end_wine()
{
	timeout -k 1 20 "$wineserver" -k
	timeout -k 1 20 "$wineserver" -w
}

# start_wine: makes the prefix, in ten seconds and 700 MB.
start_wine()
{
	local free
	[ "$(uname -m)" = x86_64 ] ||
		skip_all 'wine runs these programs on x86-64 only'
	find_wine || skip_all 'wine is not installed (wine64)'
	free=$(df --output=avail -k "$tmp" | tail -n 1)
	[ "$free" -gt 1500000 ] ||
		skip_all "wine needs 1.5 GB of free space in $tmp"
	export WINEPREFIX=$tmp/wine WINESERVER=$wineserver WINEDEBUG=-all \
		WINEDLLOVERRIDES='mscoree,mshtml,winemenubuilder.exe='
	at_end end_wine
	check 'wine makes its prefix' timeout -k 5 150 "$wine" wineboot -i ||
		finish
}

# in_wine PROGRAM [ARGUMENT...]: $code, $out, $err (what the event log got,
# too), within $limit seconds.
limit=60
in_wine()
{
	WINEDEBUG=-all,+eventlog timeout -k 5 "$limit" "$wine" "$@" \
		> "$tmp/out" 2> "$tmp/err" < /dev/null
	code=$?
	out=$(tr -d '\r' < "$tmp/out")
	err=$(tr -d '\r' < "$tmp/err")
}

# --- Veeam and ssh.exe, played -----------------------------------------------------

job=3e8f1a20-0b1c-4d2e-8f30-112233445566
run=9c21aa00-ffee-4abc-9def-665544332211

# play DIR SSH: makes DIR, as Windows has directories ($home), with a stand-in
# for Veeam's process in it ($manager), and one for ssh.exe ($record is what it
# was given).
play()
{
	home=$1
	manager=$home/Veeam.Backup.Manager.exe
	record=$tmp/record
	FAKE_SSH_RECORD=$(win_path "$record")
	export FAKE_SSH_RECORD
	mkdir -p "$home" "$(dirname "$2")"
	check "a stand-in for Veeam's process" \
		exe tests/windows/fake_parent.c "$manager" || finish
	check 'a stand-in for ssh.exe' exe tests/windows/fake_ssh.c "$2" ||
		finish
}

# ini LINE...: the settings; nothing was asked yet.
ini()
{
	printf '%s\r\n' "$@" > "$home/veeam-lock.ini"
	rm -f "$record" "$home"/*.log
}

# veeam COMMAND LINE: as Veeam's process with these ids starts it.
veeam()
{
	FAKE_COMMAND=$1 in_wine "$manager" startbackupjob 'owner=[vbsvc]' \
		Normal "$job" "$run"
}

calls() { grep -cx call "$record"; }
remote() { grep '^arg:' "$record" | tail -n 1; }
asked() { [ ! -e "$record" ] || echo asked; }
log() { tr -d '\r' < "$home/veeam-lock.log"; }

# ssh_got KNOWN-HOSTS KEY REMOTE: the whole call of ssh.exe, with the defaults.
ssh_got()
{
	local option
	set -- "$1" "$2" "$3" -F none -T
	for option in BatchMode=yes IdentitiesOnly=yes \
		StrictHostKeyChecking=yes ClearAllForwardings=yes \
		ConnectTimeout=20 ServerAliveInterval=15 \
		ServerAliveCountMax=4 "UserKnownHostsFile=$1"; do
		set -- "$@" -o "$option"
	done
	echo call
	printf 'arg:%s\n' "${@:4}" -i "$2" -p 22 -l root backup.example.org \
		"$3"
	echo stdin:0
}

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Makes tests/recordings/rsync anew: what the rsync of this machine prints when
# it is called as asbackup calls it. NAME.txt is its standard output, NAME.err
# its standard error with the temporary directory taken out and the exit code
# as last line. Look at the differences before committing them, and bring the
# figures in tests/unit/test_rsync_out.c up to date.
#
# Needs root (another user for a file that cannot be read), localedef and
# unshare; changes nothing outside a temporary directory.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$here/rsync
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
mkdir -p "$out" "$w/locale"
chmod 755 "$w"

[ "$(id -u)" = 0 ] || { echo "record.sh: needs root" >&2; exit 1; }

for l in de_DE en_US; do
	localedef -i "$l" -f UTF-8 "$w/locale/$l.UTF-8"
done
export LOCPATH=$w/locale LC_ALL=C

common="-a --numeric-ids --no-devices --delete-after --checksum-choice=xxh128
	--stats --outbuf=L --exclude=/.asbackup"
format='--out-format=asb|%i|%l|%C|%n'
plain=--no-human-readable

# finish NAME CODE: what was recorded becomes a file of the tree.
finish() {
	sed -e "s|$w|/w|g" "$w/err" > "$out/$1.err"
	echo "exit $2" >> "$out/$1.err"
	cp "$w/out" "$out/$1.txt"
}

# record NAME OPTION...: one rsync from $w/src/ to $w/dst.
record() {
	local name=$1 code=0
	shift
	# else it depends on the second whether a directory has changed
	[ ! -d "$w/src" ] || find "$w/src" -type d -exec touch -d @1780000000 {} +
	# shellcheck disable=SC2086 # words on purpose
	(cd "$w/dst" && rsync $common $plain "$format" "$@" -- "$w/src/" ./) \
		> "$w/out" 2> "$w/err" || code=$?
	finish "$name" "$code"
}

# Several rounds need other times: rsync compares seconds.
stamp=1790000000
file() {
	mkdir -p "$(dirname "$w/src/$1")"
	head -c "$2" /dev/zero | tr '\0' "$3" > "$w/src/$1"
	stamp=$((stamp + 10))
	touch -d "@$stamp" "$w/src/$1"
}

fresh() {
	rm -rf "$w/src" "$w/dst"
	mkdir "$w/src" "$w/dst"
}

copy=--info=progress2

fresh
file "Job A/Job A2026-11-06T220000.vbk" 3000000 a
file "Job A/Job A2026-11-07T220000.vib" 400000 b
file "Job A/Job A.vbm" 1234 c
mkdir "$w/src/empty"
ln -s "Job A.vbm" "$w/src/Job A/link"
record dry-run --dry-run
record first "$copy"
record nothing "$copy"
record nothing-dry --dry-run
file "Job A/Job A2026-11-08T220000.vib" 500000 d
file "Job A/Job A.vbm" 2345 e
chmod 600 "$w/src/Job A/Job A2026-11-07T220000.vib"
record update "$copy"
rm "$w/src/Job A/Job A2026-11-07T220000.vib"
rmdir "$w/src/empty"
record deletes-dry --dry-run
record deletes "$copy"

fresh
file $'new\nline.vbk' 10 a
file $'esc\e[31m.vbk' 20 b
file $'invalid\xff\xfe.vbk' 30 c
file 'Büro Köln.vbk' 40 d
file 'back\#012slash.vbk' 50 e
file 'asb|>f+++++++++|1|x|trap.vbk' 60 f
file ' 33%   leading.vbk' 70 g
file $'di\nr/-rf *.vib' 80 h
record names "$copy"
rm "$w/src/"$'new\nline.vbk'
record names-deleted "$copy"

# The locale's own separators, with and without --no-human-readable.
fresh
file "large.vbk" 12345678 a
file "small.vib" 999 b
for l in C en_US.UTF-8 de_DE.UTF-8; do
	for kind in plain grouped; do
		plain=
		[ $kind = grouped ] || plain=--no-human-readable
		rm -rf "$w/dst"
		mkdir "$w/dst"
		LC_ALL=$l record "locale-${l%%.*}-$kind" "$copy"
	done
done
plain=--no-human-readable

# A source that may not be read.
fresh
file "good.vbk" 1000 a
file "secret.vbk" 1000 b
chmod 600 "$w/src/secret.vbk"
chown 65534 "$w/dst"
code=0
# shellcheck disable=SC2086
(cd "$w/dst" && setpriv --reuid=65534 --regid=65534 --clear-groups \
	rsync $common $plain "$format" "$copy" -- "$w/src/" ./) \
	> "$w/out" 2> "$w/err" || code=$?
finish denied "$code"

# No source at all.
fresh
rmdir "$w/src"
record missing "$copy"

# on_tmpfs NAME OPTIONS COMMAND: the destination is a small file system.
on_tmpfs() {
	local code=0
	# shellcheck disable=SC2016,SC2086
	unshare -m bash -c '
		set -e
		mount -t tmpfs -o "$1" tmpfs "$2/dst"
		eval "$3"
		cd "$2/dst"
		shift 3
		exec rsync "$@"' - "$2" "$w" "$3" \
		$common $plain "$format" "$copy" -- "$w/src/" ./ \
		> "$w/out" 2> "$w/err" || code=$?
	finish "$1" "$code"
}
fresh
file "large.vbk" 3000000 a
file "small.vib" 1000 b
on_tmpfs full size=1m :
# shellcheck disable=SC2016
on_tmpfs read-only size=8m 'mount -o remount,ro "$2/dst"'
code=0
# shellcheck disable=SC2086
(cd "$w/dst" && ulimit -f 1000 && trap '' XFSZ && \
	rsync $common $plain "$format" "$copy" -- "$w/src/" ./) \
	> "$w/out" 2> "$w/err" || code=$?
finish too-large "$code"

# wait_for TEXT: until rsync has printed it.
wait_for() {
	for _ in $(seq 200); do
		grep -q "$1" "$w/out" && return
		sleep 0.05
	done
	echo "record.sh: rsync did not print $1" >&2
	exit 1
}
# slowly: starts one that takes seconds; its process is $!.
slowly() {
	fresh
	file "a-large.vbk" 3000000 a
	file "b-small.vib" 1000 b
	: > "$w/out"
	# shellcheck disable=SC2086
	(cd "$w/dst" && exec rsync $common $plain "$format" "$copy" \
		--bwlimit=1000 -- "$w/src/" ./) > "$w/out" 2> "$w/err" &
}
for signal in TERM KILL; do
	slowly
	wait_for %
	disown -h $!
	kill -"$signal" $!
	code=0
	wait $! || code=$?
	sleep 0.5 # the other rsync of the pair prints as well
	finish "killed-$(echo "$signal" | tr '[:upper:]' '[:lower:]')" "$code"
done
slowly
wait_for %
rm "$w/src/b-small.vib"
code=0
wait $! || code=$?
finish vanished "$code"

rsync --version | head -n 1 > "$out/VERSION"

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures asbackup against what one would use instead, in pairs that alternate
# in one run, and prints ratios.  Needs root, loop devices and about 25 GB in
# BENCH_DIR.  Nothing here is a test: figures depend on the machine, which is
# named in the output.
#
#	BENCH_ROUNDS=3  rounds of each pair (the median counts)
#	BENCH_FILES=1000000  files for the memory figure
# Mounts of its own: nobody else's namespace keeps them busy.
if [ "$(id -u)" = 0 ] && [ -z "${BENCH_PRIVATE:-}" ]; then
	BENCH_PRIVATE=1 exec unshare -m --propagation private "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"

asbackup=$build/asbackup
rounds=${BENCH_ROUNDS:-3}
many=${BENCH_FILES:-1000000}
# A hook must lie where only root can change it: not in a sticky directory.
hooks=$(mktemp -d /run/asbackup-bench.XXXXXX) || exit 1
device=''

clean()
{
	mountpoint -q "$work/mnt" && umount "$work/mnt"
	[ -n "$device" ] && losetup -d "$device"
	rm -rf --one-file-system "$work" "$hooks"
}

now() { date +%s%N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

[ "$(id -u)" = 0 ] || die "needs root"
[ -x "$asbackup" ] || die "$asbackup is missing"

# --- the disk ---------------------------------------------------------------

# new_disk SIZE: an empty ext4 on a loop device, always the same UUID.
uuid=6f6e6575-7569-4d64-8000-000000000001
new_disk()
{
	[ -n "$device" ] && losetup -d "$device"
	rm -f "$work/disk.img"
	truncate -s "$1" "$work/disk.img"
	mkfs.ext4 -q -F -N "$((many * 2))" -U "$uuid" \
		-E lazy_itable_init=0 "$work/disk.img" || die mkfs
	device=$(losetup --show -f "$work/disk.img") || die losetup
	rm -rf "$work/state"
}

# config SHARE: writes the configuration; SHARE percent are read back.
config()
{
	conf <<-END
	verify-share-percent = $1
	io-priority = normal
	${2:-}
	[disk bench]
	uuid = $uuid
	END
}

cold() { [ "$cache" = warm ] || { sync; echo 3 > /proc/sys/vm/drop_caches; }; }

# Both end with everything on the disk and the disk unmounted.
with_rsync()
{
	mount -o noatime "$device" "$work/mnt" || die mount
	rsync -a "$work/source/" "$work/mnt/" || die rsync
	sync -f "$work/mnt" && umount "$work/mnt" || die umount
}

with_asbackup()
{
	"$asbackup" -q --config "$work/config.ini" run --no-mail \
		> "$work/out" 2>&1 || { cat "$work/out"; die "asbackup: $?"; }
}

# timed COMMAND: milliseconds.
timed()
{
	local began

	cold
	began=$(now)
	"$@" > /dev/null
	echo $((($(now) - began) / 1000000))
}

# pair TITLE PREPARE: one line with both medians and their ratio.
pair()
{
	local title=$1 prepare=$2 i a b

	: > "$work/a"
	: > "$work/b"
	for ((i = 0; i < rounds; i++)); do
		"$prepare"
		timed with_rsync >> "$work/a"
		"$prepare"
		timed with_asbackup >> "$work/b"
	done
	a=$(median < "$work/a")
	b=$(median < "$work/b")
	printf '%-52s %8d ms %8d ms %6s\n' "$title" "$a" "$b" \
		"$(ratio "$a" "$b")"
}

# --- the trees --------------------------------------------------------------

large_files()
{
	local i

	rm -rf "$work/source"
	mkdir -p "$work/source"
	for i in 1 2 3 4; do
		head -c 1G /dev/urandom > "$work/source/backup$i.vbk"
	done
}

# small_files N: a thousand to a directory, 1 to 8 KiB each.
small_files()
{
	rm -rf "$work/source"
	mkdir -p "$work/source"
	/usr/bin/python3 - "$work/source" "$1" <<-'END'
	import os, sys
	root, n = sys.argv[1], int(sys.argv[2])
	data = os.urandom(8192)
	small = n > 200000
	for i in range(n):
	    d = "%s/d%04d" % (root, i // 1000)
	    if i % 1000 == 0:
	        os.mkdir(d)
	    size = 16 if small else 1024 + i * 37 % 7168
	    with open("%s/file%07d.bin" % (d, i), "wb") as f:
	        f.write(data[:size])
	END
}

fresh() { new_disk 10G; }
kept() { :; }

# --- the figures ------------------------------------------------------------

mkdir -p "$work/mnt"
machine
printf 'Disk: ext4 on a loop device; rsync %s; %s rounds, medians\n\n' \
	"$(rsync --version | awk 'NR == 1 { print $3 }')" "$rounds"
printf '%-52s %11s %11s %6s\n' '' 'rsync -a' asbackup ratio

large_files
for cache in cold warm; do
	config 0
	pair "4 GB in large files, $cache" fresh
done
cache=warm
config 5
pair "  the same, 5 % of the disk read back (default)" fresh

small_files 100000
cache=cold
config 0
pair "100,000 small files, cold" fresh
cache=warm
pair "100,000 small files, warm" fresh
config 5
pair "  the same, 5 % of the disk read back (default)" fresh
config 0
fresh
with_asbackup
pair "100,000 files, nothing to do" kept

# match: what the rule costs udev for a block device with a UUID, and with a
# look at the superblock.  A shell's loop would count its fork as well.
match_ms()
{
	"$asbackup" match -q -c "$work/config.ini" "$@" > /dev/null || die match
	ms 300 1 "$asbackup match -q -c $work/config.ini $*"
}
printf '\nasbackup match: %s ms by UUID, as the udev rule calls it; %s\n' \
	"$(match_ms --uuid "$uuid")" "$(match_ms --device "$device") ms by device"

# Peak memory of asbackup itself (not of rsync), told by its post-run hook.
small_files "$many"
cat > "$hooks/peak" <<'END'
#!/bin/sh
exec grep VmHWM "/proc/$PPID/status"
END
chmod 755 "$hooks/peak"
config 0 "post-run = $hooks/peak"
new_disk 14G
"$asbackup" -v --config "$work/config.ini" run --no-mail > "$work/out" 2>&1 ||
	{ tail "$work/out"; die "asbackup: $?"; }
printf 'Peak memory of asbackup with %s files: %s\n' "$many" \
	"$(sed -n 's/.*VmHWM:[^0-9]*//p' "$work/out")"

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
#
# The rule, read by a real udevd that is our own: in namespaces of its own, with
# a /dev of its own, so that this machine's udev neither sees nor is seen.
. "$(dirname "$0")/lib.sh"

# --- a udevd --------------------------------------------------------------------

# The installed one, or that of the package, unpacked and not installed.
udev_root=/
if ! [ -x /lib/systemd/systemd-udevd ]; then
	udev_root=$tmp/udev
	mkdir "$udev_root"
	(cd "$udev_root" && apt-get download udev > "$tmp/apt.log" 2>&1 &&
		dpkg -x udev_*.deb .) ||
		skip_all "no udevd here: $(tail -n 1 "$tmp/apt.log")"
fi
udevadm=$udev_root/bin/udevadm

# Nodes as they are in a fresh /dev; udevd makes its links here.
own_dev()
{
	local i
	mkdir "$tmp/dev"
	mount -t tmpfs -o mode=755 tmpfs "$tmp/dev" || return 1
	for i in null zero full random urandom tty loop-control; do
		cp -a "/dev/$i" "$tmp/dev/"
	done
	for ((i = 0; i < 64; i++)); do
		mknod "$tmp/dev/loop$i" b 7 "$i"
	done
	mount --move "$tmp/dev" /dev
}

own_udev()
{
	own_dev || return 1
	mkdir -p /run/udev
	mount -t tmpfs -o mode=755 tmpfs /run/udev || return 1
	[ "$udev_root" = / ] ||
		mount --bind "$udev_root/lib/udev" /lib/udev || return 1
	mkdir -p /run/udev/rules.d
	sed "s|PROGRAM!=\"[^ ]*|PROGRAM!=\"$w/match|" \
		"$ASBACKUP_BUILD/udev/65-asbackup.rules" \
		> /run/udev/rules.d/65-asbackup.rules
	# Kernel events reach every network namespace; udevd's own go nowhere.
	unshare -n "$BASH" -c 'exec -a systemd-udevd "$0" --children-max=2' \
		"$udevadm" > "$tmp/udevd.log" 2>&1 &
	udevd_pid=$!
	kill_at_end "$udevd_pid"
	until_true 20 test -S /run/udev/control
}

# What udev knows of a device, one property to a line.
properties()
{
	local dev=$1
	"$udevadm" settle --timeout=20 &&
		sed -n 's/^E://p' "/run/udev/data/b7:${dev#/dev/loop}"
}
wants() { properties "$1" | sed -n 's/^SYSTEMD_WANTS=//p'; }

# Asks the real program, and remembers that it was asked.
world
fill
cat > "$w/match" << END
#!/bin/sh
echo "\$*" >> '$w/asked'
shift
exec '$asbackup' match --config '$config' "\$@"
END
chmod 755 "$w/match"
disks 6f6e6575-7569-4d64-8000-000000000001,1234-ABCD
conf_write
own_udev || skip_all 'no udevd can be started here'

# disk_with UUID-OR-COMMAND: an image, attached: $dev.
new_image() { img=$tmp/$1.img; rm -f "$img"; truncate -s 16M "$img"; }

# trigger_uuid ACTION: as the kernel would tell it of $dev. (It prints the UUID.)
trigger_uuid()
{
	"$udevadm" trigger --uuid --action="$1" "/sys/block/${dev#/dev/}" \
		> /dev/null
}

# plugged: $img is attached as a disk is plugged in. (losetup
# itself writes to the device, and udev tells of that, sooner or later.)
plugged()
{
	attach "$img"
	"$udevadm" settle --timeout=20
	trigger_uuid add
}

what='a configured disk'
new_image known
mkfs.ext4 -q -U 6f6e6575-7569-4d64-8000-000000000001 "$img"
plugged
is "$(wants "$dev")" asbackup@6f6e6575-7569-4d64-8000-000000000001.service \
	"$what: its unit is wanted"
like "$(properties "$dev")" 'UDISKS_IGNORE=1' "$what: no auto-mounter takes it"
like "$(cat "/run/udev/data/b7:${dev#/dev/loop}")" 'G:systemd' \
	"$what: systemd is told"

what='a change of the device'
: > "$w/asked"
trigger_uuid change
is "$(wants "$dev")" asbackup@6f6e6575-7569-4d64-8000-000000000001.service \
	"$what: the unit stays wanted"
is "$(wc -l < "$w/asked")" 1 "$what: asked once"

what='a program has written to the device'
# What udevd tells itself when it sees the device closed; the same by hand.
"$udevadm" trigger --action=change "/sys/block/${dev#/dev/}"
is "$(wants "$dev")" '' "$what: that starts no copy"
like "$(properties "$dev")" 'UDISKS_IGNORE=1' "$what: it is still left alone"
detach "$dev"

what='a disk with a short UUID, written in small letters'
new_image fat
mkfs.vfat -i 1234abcd "$img" > /dev/null
plugged
is "$(wants "$dev")" asbackup@1234-ABCD.service "$what: as it is configured"
detach "$dev"

what='an unknown disk'
new_image unknown
mkfs.ext4 -q "$img"
plugged
is "$(wants "$dev")" '' "$what: nothing is wanted"
unlike "$(properties "$dev")" UDISKS "$what: it is left to others"
detach "$dev"

what='a disk without a file system'
: > "$w/asked"
new_image empty
plugged
is "$(wants "$dev")" '' "$what: nothing is wanted"
is "$(wc -l < "$w/asked")" 0 "$what: nobody is asked"
detach "$dev"

# ISO 9660 has a "UUID" made of free text.
what='a disk whose UUID is no UUID'
: > "$w/asked"
"$python" - "$tmp/iso.img" << 'END'
import sys
image = bytearray(1 << 20)
image[32768:32775] = b"\x01CD001\x01"
for date in 813, 830:
    image[32768 + date:32768 + date + 17] = b"2$(touch /x)';x\n\0"
with open(sys.argv[1], "wb") as f:
    f.write(image)
END
attach "$tmp/iso.img"
like "$(properties "$dev")" 'ID_FS_UUID_ENC=.*[^-0-9A-Fa-f]' "$what: it has such a one"
is "$(wants "$dev")" '' "$what: nothing is wanted"
unlike "$(cat "$w/asked")" '[^-a-zA-Z0-9 ]' "$what: nothing of it reaches a command line"
detach "$dev"

what='the configuration is broken'
new_image broken
mkfs.ext4 -q -U 6f6e6575-7569-4d64-8000-000000000001 "$img"
mv "$config" "$config.away"
plugged
is "$(wants "$dev")" '' "$what: nothing is wanted"
mv "$config.away" "$config"
trigger_uuid change
is "$(wants "$dev")" asbackup@6f6e6575-7569-4d64-8000-000000000001.service \
	"$what: repaired, and no new rule is needed"
detach "$dev"

# Of our rule: other rules, and other tests' disks that come and go, are no
# matter of ours. (A line about a rule begins with its file and line.)
is "$(grep -F 65-asbackup.rules "$tmp/udevd.log")" '' \
	'udevd has nothing to complain about'
finish

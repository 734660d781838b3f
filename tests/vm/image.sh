#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Makes the image of the virtual machine, once: prints the directory that holds
# it (root.img, vmlinuz, initrd).  Kept below ${ASBACKUP_VM_CACHE:-
# /var/cache/asbackup/vm}, named after what it is made of; images that nothing
# has asked for in a month go.  Needs root and a Debian mirror, which is taken
# from this machine's own apt.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
cache=${ASBACKUP_VM_CACHE:-/var/cache/asbackup/vm}
suite=bookworm
size=2500M

packages() { sed 's/#.*//; /^[[:space:]]*$/d' "$here/packages"; }

key=$({
	packages
	cat "$here/image.sh" "$here"/guest/*
	dpkg --print-architecture
} | sha256sum | cut -c 1-16)
dir=$cache/$key

mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9
if [ -e "$dir/root.img" ]; then
	touch "$dir"
	printf '%s\n' "$dir"
	exit 0
fi
find "$cache" -mindepth 1 -maxdepth 1 -type d -mtime +30 -exec rm -rf {} +

tmp=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf --one-file-system "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
root=$tmp/root

# This machine's own mirror and proxy, and nothing of its other sources.
# shellcheck disable=SC2016 # apt's variables, not ours
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
	'Created-By: Packages' 'Origin: Debian' | sort -u |
	grep -E " $suite(-security|-updates)? main\$" > "$tmp/sources" || {
	printf 'image.sh: apt knows no Debian %s here\n' "$suite" >&2
	exit 1
}
apt-config dump | grep -E '^Acquire::(Check|http|https|Retries)' \
	> "$tmp/apt.conf" || :

mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
	--include="$(packages | paste -sd ,)" --aptopt="$tmp/apt.conf" \
	"$suite" "$root" "$tmp/sources" < /dev/null >&2

# --- what makes it ours -------------------------------------------------------

printf 'vm\n' > "$root/etc/hostname"
printf '127.0.0.1 localhost vm\n' > "$root/etc/hosts"
cat > "$root/etc/fstab" << 'END'
/dev/vda / ext4 noatime 0 1
/dev/vdb /srv/veeam ext4 noatime 0 0
END
mkdir -p "$root/srv/veeam"
printf '%s\n' 00000000000000000000000000000001 > "$root/etc/machine-id"
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* \
	"$root"/etc/apt/apt.conf.d/99mmdebstrap
mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system"
printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\nSyncIntervalSec=1h\n' \
	> "$root/etc/systemd/journald.conf.d/vm.conf"
install -m 755 "$here/guest/vm-agent" "$root/usr/local/sbin/"
install -m 644 "$here"/guest/*.service "$root/etc/systemd/system/"
for unit in "$here"/guest/*.service; do
	chroot "$root" systemctl --quiet enable "${unit##*/}"
done
chroot "$root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer \
	dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service \
	getty@tty1.service serial-getty@ttyS0.service \
	systemd-networkd.service systemd-timesyncd.service \
	systemd-update-utmp.service systemd-pstore.service udisks2.service
# who wants it starts it
chroot "$root" systemctl --quiet disable ssh.service

# --- kernel and initial RAM disk --------------------------------------------

version=$(basename "$root"/lib/modules/*)
cp -L "$root/boot/vmlinuz-$version" "$tmp/vmlinuz"
mkdir -p "$tmp/initrd"/{bin,dev,root}
cp "$root/bin/busybox" "$tmp/initrd/bin/"
install -m 755 "$here/guest/init" "$tmp/initrd/init"
for module in virtio_pci virtio_blk crc32c_generic ext4; do
	chroot "$root" modprobe --show-depends -S "$version" "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' \
	> "$tmp/initrd/modules"
while read -r module; do
	install -D -m 644 "$root$module" "$tmp/initrd$module"
done < "$tmp/initrd/modules"
(cd "$tmp/initrd" && find . | cpio --quiet -o -H newc) > "$tmp/initrd.cpio"
rm -rf "$tmp/initrd" "$root"/boot/initrd.img* "$root"/var/cache/apt/*.bin

mkfs.ext4 -q -F -E lazy_itable_init=1 -d "$root" "$tmp/root.img" "$size" >&2
mkdir "$tmp/done"
mv "$tmp/vmlinuz" "$tmp/root.img" "$tmp/done/"
mv "$tmp/initrd.cpio" "$tmp/done/initrd"
mv "$tmp/done" "$dir"
printf '%s\n' "$dir"

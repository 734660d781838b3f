#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The main job, to see with your own eyes: a small repository with the shape of
# Veeam's, two "removable disks" on loop devices, real copies, a refusal, and
# what the operator gets to see.  Everything lies in one directory; clean.sh
# takes it away.
set -u
cd "$(dirname "$0")" || exit 1
. ./common.sh

build=${ASBACKUP_BUILD:-$PWD/../../build}
asbackup=$build/asbackup
export ASBACKUP_LOCALEDIR=$build/locale
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m' plain=$'\033[0m'
fi

title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '   %s\n' "$*"; }

# Shows a command as one would type it, runs it, shows how it ended.
run()
{
	local code

	printf '%s# asbackup' "$bold"
	printf ' %q' "$@"
	printf '%s\n' "$plain"
	"$asbackup" --config "$config" "$@" 2>&1
	code=$?
	[ $code = 0 ] || say "(exit code $code)"
	return $code
}

fail()
{
	printf '\nThe demonstration failed: %s\n' "$*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "please run it as root: sudo make demo"
[ -x "$asbackup" ] || fail "$asbackup is missing; run make first"
demo_clean || fail "$demo is in use"
mkdir -p "$demo" && chmod 755 "$demo" || exit 1
free=$(df --output=avail -B1M "$demo" | tail -n 1)
[ "$free" -gt 2000 ] || fail "$demo needs 2 GB of free space"

# --- the world --------------------------------------------------------------

# file NAME MEGABYTES: incompressible, as backup files are.
file() { head -c "$2M" /dev/urandom > "$repository/$1"; }

make_repository()
{
	local job="$repository/Büro Server"

	mkdir -p "$job" "$repository/Buchhaltung"
	file "Büro Server/Büro Server2026-11-06T220000.vbk" 160
	file "Büro Server/Büro Server2026-11-07T220000.vib" 24
	file "Büro Server/Büro Server2026-11-08T220000.vib" 30
	file "Buchhaltung/Buchhaltung2026-11-06T200000.vbk" 90
	file "Buchhaltung/Buchhaltung2026-11-07T200000.vib" 12
	printf '<BackupMeta><Storage FileName="%s"/></BackupMeta>\n' \
		"Büro Server2026-11-06T220000.vbk" > "$job/Büro Server.vbm"
	printf '<BackupMeta><Storage FileName="%s"/></BackupMeta>\n' \
		"Buchhaltung2026-11-06T200000.vbk" \
		> "$repository/Buchhaltung/Buchhaltung.vbm"
}

# A real file system of its own, as a repository should have.
mount_repository() { mount --bind "$repository" "$repository"; }

# disk NAME FSTYPE: prints the device.
disk()
{
	local image=$demo/$1.img

	truncate -s 900M "$image" &&
		mkfs."$2" -q -L "$1" "$image" > /dev/null &&
		losetup --show -f "$image"
}

uuid_of() { blkid -p -o value -s UUID "$1"; }

make_config()
{
	cat > "$config" <<-END
	# Made by "make demo"; see config/config.ini.sample for every key.
	[Paths]
	state-directory = $demo/state
	runtime-directory = $demo/run
	log-directory = $demo/log

	[Backup]
	backup-source = $repository/
	source-must-be-mountpoint = yes
	veeam-lockfile-dir = $demo/veeam-locks
	rsync-update-ratio-seconds = 1
	verify-share-percent = 20

	[disk Monday]
	uuid = $1
	label = Monday (blue)
	mail = office@company.example

	[disk Thursday]
	uuid = $2
	label = Thursday (green)

	[Mail]
	to-mail-addresses-sysop = admin@company.example
	END
	chmod 600 "$config"
}

title "A repository with the shape of Veeam's, and two disks"
mkdir -p "$repository"
make_repository || fail "cannot make the repository"
mount_repository || fail "cannot mount the repository"
grep -qw "$fs_b" /proc/filesystems || modprobe -q "$fs_b" || fs_b=ext4
disk_a=$(disk monday ext4) || fail "cannot make a disk (loop devices?)"
disk_b=$(disk thursday "$fs_b") || fail "cannot make the second disk"
make_config "$(uuid_of "$disk_a")" "$(uuid_of "$disk_b")"
say "repository: $repository ($(du -sh "$repository" | cut -f 1))"
say "disks:      $disk_a (ext4), $disk_b ($fs_b)"
say "settings:   $config"

# --- the story --------------------------------------------------------------

title "Is everything as it must be?"
run check || fail "check"

title "The disk \"Monday\" is plugged in: the first copy"
run run -v --device "$disk_a" || fail "first copy"

title "A day later Veeam has written an increment and removed an old one"
file "Büro Server/Büro Server2026-11-09T220000.vib" 40
rm "$repository/Buchhaltung/Buchhaltung2026-11-07T200000.vib"
run run --device "$disk_a" || fail "second copy"

title "The other disk"
run run --device "$disk_b" || fail "copy to the other disk"

title "Read the disk back and compare, whatever the page cache says"
run verify --all --device "$disk_a" || fail "verify"

title "Could it be restored from?"
run restore-check --device "$disk_a" || fail "restore-check"

title "The repository is not mounted: nothing may be deleted for that"
umount "$repository" || fail "umount"
run run --device "$disk_a"
[ $? = 11 ] || fail "the missing source was not refused"
mount_repository || fail "cannot mount the repository again"

title "What the operator sees"
run disks
run history
run status

title "The mail about the good copy, as it waits in the spool"
mail=$(ls "$demo"/state/spool/*.eml | sed -n 2p)
/usr/bin/python3 - "$mail" <<-'END'
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], "rb"),
                                   policy=email.policy.default)
for name in ("From", "To", "Subject"):
    print("  ", name + ":", m[name])
print()
for line in m.get_body().get_content().splitlines():
    print("  ", line)
for a in m.iter_attachments():
    print("   [attached: %s]" % a.get_filename())
END

title "What to look at next"
say "$demo/log        the log, and what rsync did"
say "$demo/state/spool   the mails; with [Mail] server set they are sent"
say "mount $disk_a /mnt; cd /mnt && xxhsum -c .asbackup/manifest.xxh128"
say "$asbackup -c $config run --device $disk_b -v"
say "$asbackup -c $config disks --json"
say "LANGUAGE=de LC_ALL=C.UTF-8 $asbackup -c $config status"
say "config/config.ini.sample  every setting, explained"
say "sudo make demo-clean      takes all of this away"

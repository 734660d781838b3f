# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# not a test
#
# For the tests in root/: a world of its own for asbackup (state, logs, mails,
# source, lock files, configuration, all below $tmp), disks that are files, and
# the program itself.
#
#	. "$(dirname "$0")/lib.sh"
#	world
#	disk one ext4                 # $one_uuid, $one_dev, $one_img
#	conf Backup filesystem-ids-and-notification-mail-addresses "$one_uuid"
#	asb                           # runs it: $code, $out, $err
#	is "$code" 0 'a copy'
#	finish

# Mounts are nobody else's business: a script that is started alone puts itself
# into a namespace, as the runner does.
if [ "$(id -u)" = 0 ] && [ "$(readlink /proc/self/ns/mnt)" = \
	"$(readlink "/proc/$PPID/ns/mnt")" ]; then
	exec unshare -m --propagation private bash "$0" "$@"
fi

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

[ "$(id -u)" = 0 ] || skip_all 'needs root'
[ -e /dev/loop-control ] || skip_all 'this machine has no loop devices'
for world_tool in losetup jq rsync mkfs.ext4 xxhsum; do
	command -v "$world_tool" > /dev/null ||
		skip_all "$world_tool is not installed"
done

asbackup=$ASBACKUP_BUILD/asbackup
python=/usr/bin/python3
helper=$(dirname "${BASH_SOURCE[0]}")/world.py

# --- the world ------------------------------------------------------------------

declare -A conf_values=()

# conf SECTION KEY VALUE: what the next asb reads. Without VALUE: not set.
conf()
{
	if [ $# = 2 ]; then
		unset "conf_values[$1|$2]"
	else
		conf_values["$1|$2"]=$3
	fi
}

# disks UUID...: the configured disks.
disks()
{
	local IFS=,
	conf Backup filesystem-ids-and-notification-mail-addresses "$*"
}

conf_write()
{
	local key section last=''
	while IFS= read -r key; do
		section=${key%%|*}
		[ "$section" = "$last" ] || printf '\n[%s]\n' "$section"
		last=$section
		printf '%s = %s\n' "${key#*|}" "${conf_values[$key]}"
	done < <(printf '%s\n' "${!conf_values[@]}" | LC_ALL=C sort) \
		> "$config"
	chmod 600 "$config"
}

# A world with nothing in it but directories and defaults. Again: a new one.
world()
{
	w=$tmp/w$((++world_count))
	state=$w/state run_dir=$w/run spool=$w/state/spool logs=$w/log
	veeam=$w/veeam src=$w/source config=$w/config.ini
	mkdir -p "$w" "$src" "$veeam"
	conf_values=()
	conf Paths state-directory "$state"
	conf Paths runtime-directory "$run_dir"
	conf Paths log-directory "$logs"
	conf Backup backup-source "$src/"
	conf Backup veeam-lockfile-dir "$veeam"
	conf Backup rsync-update-ratio-seconds 1
	conf Mail to-mail-addresses-sysop sysop@example.org
	conf Mail from-mail-address asbackup@example.org
}
world_count=0

# A small repository as Veeam makes one.
fill()
{
	mkdir -p "$src/Job A" "$src/Job B/deep"
	head -c 300000 /dev/urandom > "$src/Job A/full.vbk"
	head -c 70000 /dev/urandom > "$src/Job A/inc1.vib"
	printf 'chain' > "$src/Job A/Job A.vbm"
	head -c 200000 /dev/urandom > "$src/Job B/deep/full.vbk"
	: > "$src/Job B/empty"
	ln -s full.vbk "$src/Job A/link"
	settle
}

# The source is old: a file that was written within the clock's last tick
# could not be told from one that is being written.
settle()
{
	find "$src" -exec touch -h -d '2020-01-02 03:04:05' {} +
}

# --- the program ------------------------------------------------------------------

# asb [OPTION...]: runs it with the configuration: $code, $out, $err (the
# channels also as files, for bytes that a variable cannot hold).
asb()
{
	conf_write
	timeout -k 5 "${asb_limit:-100}" "$asbackup" --config "$config" "$@" \
		> "$w/out" 2> "$w/err" < /dev/null
	code=$?
	out=$(tr -d '\0' < "$w/out")
	err=$(tr -d '\0' < "$w/err")
	return 0
}

# asb_start [OPTION...]: in the background: $asb_pid.
asb_start()
{
	conf_write
	"$asbackup" --config "$config" "$@" > "$w/out" 2> "$w/err" \
		< /dev/null &
	asb_pid=$!
	kill_at_end "$asb_pid"
}

# Waits for it: $code, $out, $err.
asb_wait()
{
	wait "$asb_pid"
	code=$?
	out=$(tr -d '\0' < "$w/out")
	err=$(tr -d '\0' < "$w/err")
	return 0
}

# asb_is CODE WHAT: shows what the program said when it is another.
asb_is()
{
	if [ "$code" = "$1" ]; then
		ok "$2"
	else
		not_ok "$2" "exit code $code, wanted $1" "$err" "$out"
	fi
}

# status FILTER: of the status file, with jq.
status() { jq -r "$1" "$run_dir/status.json"; }

# asb_until COMMAND...: until_true while what asb_start began is at work.
asb_until() { until_true 60 asb_met "$@" && "$@"; }
asb_met() { "$@" || ! kill -0 "$asb_pid"; }

# mails: the mails in the spool, oldest first. mail N: the N-th of them as
# text, "Header: value" lines, an empty line, the body; -1 = the last.
mails() { find "$spool" -maxdepth 1 -name '*.eml' 2> /dev/null | LC_ALL=C sort; }
mail_count() { mails | wc -l; }
mail()
{
	local file
	if [ "$1" = -1 ]; then
		file=$(mails | tail -n 1)
	else
		file=$(mails | sed -n "$1p")
	fi
	[ -n "$file" ] && "$python" "$helper" mail "$file"
}
mail_body() { mail "$1" | sed '1,/^$/d'; }

# clean WHAT FILE...: no control characters, valid UTF-8 (mails: decoded).
clean()
{
	local what=$1
	shift
	check "$what" "$python" "$helper" clean "$@"
}

# --- disks ------------------------------------------------------------------------

# detach_all: every loop device that was made here, and what is mounted of it.
world_loops=()
detach_all()
{
	local dev
	for dev in "${world_loops[@]}"; do
		detach "$dev"
	done
	world_loops=()
}
world_cleanup()
{
	local mounted
	grep -F " $tmp/" /proc/self/mountinfo | cut -d ' ' -f 5 | tac |
		while read -r mounted; do
			umount "$(printf '%b' "$mounted")" ||
				umount -l "$(printf '%b' "$mounted")"
		done
	detach_all
}
at_end world_cleanup

# attach IMAGE [LOSETUP-OPTION...]: $dev.
attach()
{
	local image=$1
	shift
	dev=$(losetup -f --show "$@" "$image") || return 1
	world_loops+=("$dev")
	# What "blockdev --setro" did to it stays when a loop device is used
	# again.
	case " $* " in
	*' -r '*) ;;
	*) blockdev --setrw "$dev" ;;
	esac
}

# detach DEV: only while it is still ours.
detach()
{
	local dev=$1 part
	not_attached "$dev" && return
	# Some kernels keep the partitions: who gets the loop device next would
	# have a disk with partitions.
	for part in "/sys/class/block/${dev#/dev/}"/loop*p*/partition; do
		[ -e "$part" ] && delpart "$dev" "$(cat "$part")"
	done
	losetup -d "$dev"
	# The device goes when its last user has gone.
	until_true 10 not_attached "$dev"
}
not_attached()
{
	case $(losetup -n -O BACK-FILE "$1" 2> /dev/null) in
	"$tmp"/*) return 1 ;;
	esac
}

has_fs()
{
	command -v "mkfs.$1" > /dev/null || return 1
	grep -qw "$1" /proc/filesystems || modprobe -q "$1" 2> /dev/null
	grep -qw "$1" /proc/filesystems
}

new_uuid() { cat /proc/sys/kernel/random/uuid; }

# mkfs_on WHERE FSTYPE UUID [LABEL]
mkfs_on()
{
	local label=(-L "${4:-test}")
	case $2 in
	ext4) mkfs.ext4 -q -F -U "$3" "${label[@]}" "$1" ;;
	xfs) mkfs.xfs -q -f -m uuid="$3" "${label[@]}" "$1" ;;
	btrfs) mkfs.btrfs -q -f -U "$3" "${label[@]}" "$1" ;;
	esac > "$tmp/mkfs.out" 2>&1 || cat "$tmp/mkfs.out"
}

# The usual name is d.
# shellcheck disable=SC2034
d_uuid='' d_dev='' d_img=''

# disk NAME FSTYPE [SIZE [LABEL]]: makes and attaches one: $NAME_uuid, $NAME_dev,
# $NAME_img. The file is sparse.
disk()
{
	local name=$1 fs=$2 size=${3:-} uuid img
	uuid=$(new_uuid)
	img=$tmp/$name.img
	case $fs in
	xfs) : "${size:=310M}" ;;
	btrfs) : "${size:=160M}" ;;
	*) : "${size:=48M}" ;;
	esac
	rm -f "$img"
	truncate -s "$size" "$img"
	mkfs_on "$img" "$fs" "$uuid" "${4:-}"
	attach "$img"
	printf -v "${name}_uuid" %s "$uuid"
	printf -v "${name}_img" %s "$img"
	printf -v "${name}_dev" %s "$dev"
}

# on_disk DEV COMMAND...: with the disk mounted on $mnt, for writing.
mnt=$tmp/mnt
on_disk()
{
	local dev=$1 r
	shift
	mkdir -p "$mnt"
	mount "$dev" "$mnt" || return 1
	"$@"
	r=$?
	umount "$mnt"
	return "$r"
}

# free_disk DEV: nobody, in whatever namespace, has it mounted.
free_disk()
{
	"$python" -c 'import os, sys
os.close(os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL))' "$1"
}

# no_mounts: no disk of this test is mounted, neither here nor for others.
no_mounts()
{
	! grep -hF " $tmp/" /proc/self/mountinfo /proc/1/mountinfo |
		grep -F ' /dev/loop'
}

# --- comparing --------------------------------------------------------------------

# tree DIR: what is in it, names, types, modes, times, links and contents, as
# text; without what asbackup and the file system keep there.
tree()
{
	(
		cd "$1" || exit 1
		find . \( -path ./.asbackup -o -path ./lost+found \) -prune -o \
			! -path . -printf '%P %y %m %U:%G %T@ %l\0' |
			LC_ALL=C sort -z | tr '\0\n' '\n?'
		find . \( -path ./.asbackup -o -path ./lost+found \) -prune -o \
			-type f -print0 | LC_ALL=C sort -z |
			xargs -0 -r sha256sum -b
	)
}

# same_tree A B: alike, also by diff(1).
same_tree()
{
	diff -r --no-dereference -x .asbackup -x lost+found "$1" "$2" &&
		diff <(tree "$1") <(tree "$2")
}

# copy_is_good DEV WHAT [BELOW]: what is on the disk (below BELOW) is the source.
copy_is_good()
{
	check "$2" on_disk "$1" same_tree "$src" "$mnt/${3:-}"
}

# Everything a run must have left behind when it was good.
run_is_good()
{
	local dev=$1 what=$2
	asb_is 0 "$what: exit code 0"
	is "$(status '[.version, .state, .exit_code, .may_be_unplugged,
		.error] | map(tostring) | join(" ")')" \
		'1 succeeded 0 true null' "$what: the status says so"
	check "$what: unmounted" free_disk "$dev"
	check "$what: no mount is left" no_mounts
	check "$what: no lock file is left" on_disk "$dev" \
		no_lock_files "$mnt"
}
no_lock_files() { ! find "$1" -name '*.lock' | grep .; }

# run_failed CODE STEP DEV WHAT: failed in that step, and tidied up.
run_failed()
{
	asb_is "$1" "$4: exit code $1"
	is "$(status '[.state, .step, .exit_code] | map(tostring) | join(" ")')" \
		"failed $2 $1" "$4: the status names the step"
	is "$(status '[.error.message, .error.meaning, .error.action] |
		map(. != "" and . != null) | all')" true \
		"$4: what happened, what it means, what to do"
	[ -z "$3" ] || check "$4: unmounted" free_disk "$3"
	check "$4: no mount is left" no_mounts
}

# hooks: $hooks, a directory in which programs are trusted: owned by root, and
# nobody else can write anywhere above it.
hook_dir()
{
	mount -t tmpfs -o mode=0755 tmpfs /mnt || return 1
	at_end 'umount -l /mnt'
	hooks=/mnt
}

# hook NAME < SCRIPT
hook()
{
	cat > "$hooks/$1"
	chmod 755 "$hooks/$1"
}

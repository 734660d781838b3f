#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# Disks, file names and labels that were made by somebody who means harm: what
# is outside of the disk stays as it is, and nothing reaches a terminal, a log
# or a mail that could do something there.
. "$(dirname "$0")/lib.sh"

canary_before=
canary()
{
	mkdir -p "$tmp/canary/sub"
	printf precious > "$tmp/canary/sub/file"
	printf 'user:x' > "$tmp/canary/passwd"
	touch -d '2019-01-01' "$tmp/canary/sub" "$tmp/canary"
	canary_before=$(tree "$tmp/canary" | sha256sum)
}
canary_lives()
{
	is "$(tree "$tmp/canary" | sha256sum)" "$canary_before" \
		"$1: what is outside stays as it is"
}
canary

# trap_disk FUNCTION: a new world with a disk on which FUNCTION has worked.
trap_disk()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	on_disk "$d_dev" "$1"
}

# --- what is on the disk ----------------------------------------------------------

link_as_directory() { ln -s "$tmp/canary" "$mnt/.asbackup"; }
link_as_marker()
{
	mkdir "$mnt/.asbackup"
	ln -s "$tmp/canary/passwd" "$mnt/.asbackup/marker.json"
	ln -s "$tmp/canary/passwd" "$mnt/.asbackup/manifest.xxh128"
}
link_as_destination() { ln -s "$tmp/canary" "$mnt/source"; }
link_up() { ln -s ../../.. "$mnt/source"; }
links_inside()
{
	ln -s "$tmp/canary" "$mnt/Job A"
	mkdir -p "$mnt/Job B"
	ln -s "$tmp/canary/passwd" "$mnt/Job B/deep"
	ln -s "$tmp/canary/sub/file" "$mnt/Job B/empty"
	ln -s / "$mnt/gone"
}
bad_nodes()
{
	mkdir "$mnt/Job A"
	mknod "$mnt/null" c 1 3
	mknod "$mnt/Job A/full.vbk" c 1 5
	mknod "$mnt/Job A/inc1.vib" b 7 0
	mkfifo "$mnt/Job A/Job A.vbm" "$mnt/fifo"
	cp /bin/true "$mnt/suid"
	chmod 4755 "$mnt/suid"
}
link_as_lock() { ln -s "$tmp/canary/new.lock" "$mnt/backup.lock"; }
link_as_lock_dir() { ln -s "$tmp/canary" "$mnt/locks"; }
directory_as_lock() { mkdir -p "$mnt/backup.lock/x"; }
fifo_as_lock() { mkfifo "$mnt/backup.lock"; }
fifo_as_marker()
{
	mkdir "$mnt/.asbackup"
	mkfifo "$mnt/.asbackup/marker.json"
}

disks_with_traps()
{
	trap_disk link_as_directory
	asb
	run_failed 10 mount "$d_dev" 'our directory is a link'
	canary_lives 'our directory is a link'
	clean 'our directory is a link: what is said' "$w/out" "$w/err"
	asb disks --adopt "$d_uuid"
	[ "$code" != 0 ] && ok 'it cannot be adopted' ||
		not_ok 'it cannot be adopted' "$out$err"
	canary_lives 'adopting a link'
	detach_all

	trap_disk link_as_marker
	asb
	canary_lives 'our files are links'
	[ "$code" = 0 ] || [ "$code" = 10 ] &&
		ok 'our files are links: replaced or refused' ||
		not_ok 'our files are links: replaced or refused' "$code $err"
	detach_all

	trap_disk fifo_as_marker
	asb_limit=60 asb
	[ "$code" != 124 ] && ok 'our marker is a pipe: nothing hangs' ||
		not_ok 'our marker is a pipe: nothing hangs'
	detach_all

	for f in link_as_destination link_up; do
		trap_disk "$f"
		conf Backup backup-source "$src"
		asb
		canary_lives "$f"
		if [ "$code" = 0 ]; then
			copy_is_good "$d_dev" "$f: replaced" source
		else
			ok "$f: refused"
		fi
		detach_all
	done

	trap_disk links_inside
	asb
	run_is_good "$d_dev" 'links inside'
	copy_is_good "$d_dev" 'links inside: replaced'
	canary_lives 'links inside'
	detach_all

	trap_disk bad_nodes
	conf Backup max-delete-percent 100
	asb
	run_is_good "$d_dev" 'device nodes, pipes, set-uid'
	copy_is_good "$d_dev" 'device nodes: replaced'
	canary_lives 'device nodes'
	detach_all

	for f in link_as_lock directory_as_lock fifo_as_lock; do
		trap_disk "$f"
		conf Backup backup-lockfile-path backup.lock
		asb
		run_failed 13 lock "$d_dev" "$f"
		canary_lives "$f"
		detach_all
	done
	trap_disk link_as_lock_dir
	conf Backup backup-lockfile-path locks/backup.lock
	asb
	run_failed 13 lock "$d_dev" 'link_as_lock_dir'
	canary_lives 'link_as_lock_dir'
	detach_all
}

# What is on the disk is mounted so that it can do nothing.
mount_options()
{
	local mounted option
	trap_disk bad_nodes
	conf Backup max-delete-percent 100
	conf Backup mount-visible yes
	# Slow enough to be looked at.
	conf Backup bandwidth-limit 1
	head -c 3000000 /dev/urandom > "$src/large"
	settle
	asb_start
	if asb_until grep -F " $run_dir/mnt/$d_uuid " \
		/proc/self/mountinfo; then
		mounted=$(grep -F " $run_dir/mnt/$d_uuid " /proc/self/mountinfo)
		for option in nosuid nodev noexec noatime nosymfollow; do
			like "$mounted" "[ ,]${option}[ ,]" \
				"the disk is mounted with $option"
		done
	else
		not_ok 'mount-visible shows the mount'
	fi
	kill -TERM "$asb_pid"
	asb_wait
	asb_is 143 'stopped by TERM'
	check 'stopped: unmounted' free_disk "$d_dev"
	detach_all
}

# --- file names -------------------------------------------------------------------

hostile_names()
{
	local long
	long=$(printf 'n%.0s' {1..255})
	mkdir -p "$src/-rf" "$src/dir"$'\n''with line'
	printf 1 > "$src/new"$'\n''line'
	printf 2 > "$src/"$'\e]0;title\a\e[2J\e[31mred'
	printf 3 > "$src/inv"$'\xff\xfe\xc0\x80''alid'
	printf 4 > "$src/-leading"
	printf 5 > "$src/-rf/--delete"
	printf 6 > "$src/--rsh=sh x.sh"
	printf 7 > "$src/%s%n%d"
	printf 8 > "$src/$long"
	printf 9 > "$src/c1"$'\xc2\x9b''31m'
	printf a > "$src/raw"$'\x9b''31m'
	printf b > "$src/ctl"$'\x01\x08\x0b\x0d\x1f\x7f'
	printf c > "$src/"' leading and trailing '
	printf d > "$src/bidi"$'\u202e'gnp.exe
	printf e > "$src/"'*?[x]\#012$(touch x)`touch y`;|&'
	printf f > "$src/*deleting   ghost"
	printf g > "$src/>f+++++++++ ghost"
	printf h > "$src/dir"$'\n''with line/deep'$'\r''file'
	printf i > "$src/marker.json"
	printf 'touch "%s/canary/x"\n' "$tmp" > "$src/x.sh"
	settle
}

everything_clean()
{
	clean "$1: terminal, logs and status" "$w/out" "$w/err" \
		"$logs/asbackup.log" "$logs/rsync.log" "$run_dir/status.json"
	mapfile -t files < <(mails)
	clean "$1: mails" "${files[@]}"
}

names()
{
	world
	fill
	hostile_names
	disk d ext4
	disks "$d_uuid"
	asb -v
	run_is_good "$d_dev" 'hostile names'
	copy_is_good "$d_dev" 'hostile names: identical'
	everything_clean 'hostile names'
	canary_lives 'hostile names'
	is "$(status .result.files_copied)" "$(find "$src" -type f -printf x | wc -c)" \
		'hostile names: every file is counted'
	asb verify --all --json
	is "$(jq -r '[.good, .damaged, .missing] | map(tostring) | join(" ")' \
		<<< "$out")" "$(find "$src" -type f -printf x | wc -c) 0 0" \
		'hostile names: every file is found again'
	check 'hostile names: xxhsum finds every file by the list of hashes' \
		on_disk "$d_dev" manifest_holds

	# deleted again, and damaged
	find "$src" -mindepth 1 -maxdepth 1 -newermt 2019-01-01 \
		! -name 'Job*' -exec rm -r {} +
	conf Backup max-delete-percent 100
	asb -v
	run_is_good "$d_dev" 'hostile names deleted'
	copy_is_good "$d_dev" 'hostile names deleted: identical'
	everything_clean 'hostile names deleted'

	# errors name files, too
	hostile_names
	asb --no-mail
	asb_is 0 'hostile names, copied again'
	on_disk "$d_dev" damage
	asb verify --all
	asb_is 16 'damage is found'
	clean 'damage: terminal' "$w/out" "$w/err"
	asb verify --all --json
	check 'damage: JSON' jq -e '.damaged > 0' "$w/out"
	clean 'damage: JSON is clean' "$w/out"
	detach_all
}

# xxhsum before 0.8.2 cannot be told of a name with a line end; it says so.
manifest_holds()
{
	local good all=0 simple=0 f
	while IFS= read -r -d '' f; do
		all=$((all + 1))
		[[ $f = *$'\n'* ]] || simple=$((simple + 1))
	done < <(find "$src" -type f -print0)
	(cd "$mnt" && xxhsum -c .asbackup/manifest.xxh128) \
		> "$w/xxhsum" 2>&1 || { cat "$w/xxhsum"; return 1; }
	good=$(grep -ac ': OK$' "$w/xxhsum")
	[ "$good" = "$all" ] || [ "$good" = "$simple" ] || {
		echo "$good of $all"
		cat "$w/xxhsum"
		return 1
	}
}

# Other bytes, all else alike.
damage()
{
	local f
	for f in "$mnt"/*red "$mnt"/inv* "$mnt"/new*line; do
		touch -r "$f" "$tmp/times"
		printf Z > "$f"
		touch -r "$tmp/times" "$f"
	done
}

# A job's lock file may be called as anybody likes.
lock_names()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	: > "$veeam/"$'x\e[2J\r\nBcc: evil@example.org\n\x9b.lock'
	asb --no-wait
	asb_is 12 'a hostile lock file'
	everything_clean 'a hostile lock file'
	unlike "$(mail -1 | sed '/^$/q')" $'\n''Bcc:' \
		'a hostile lock file: no header'
	detach_all
}

# --- labels -----------------------------------------------------------------------

labels()
{
	local label
	for label in $'x\r\nBcc: evil@e' $'\e]0;x\a\e[2J\xff\x9b' '%s%n%x$(id)'; do
		world
		fill
		disk d ext4 48M "$label"
		disks "$d_uuid"
		asb
		run_is_good "$d_dev" "label ${label@Q}"
		everything_clean "label ${label@Q}"
		unlike "$(mail -1 | sed '/^$/q')" $'\n''Bcc:' \
			"label ${label@Q}: no header"
		asb disks
		clean "label ${label@Q}: disks" "$w/out" "$w/err"
		asb check
		clean "label ${label@Q}: check" "$w/out" "$w/err"
		printf '1\nname\n\n' | "$asbackup" --config "$config" \
			disks --add > "$w/out" 2> "$w/err"
		clean "label ${label@Q}: disks --add" "$w/out" "$w/err"
		detach_all
	done

	# On a terminal nothing of a name comes through either.
	if ! command -v script > /dev/null; then
		skip 'on a terminal' 'script is not installed'
		return
	fi
	world
	fill
	hostile_names
	disk d ext4
	disks "$d_uuid"
	conf_write
	TERM=xterm script -qec "'$asbackup' --config '$config' -v" \
		"$w/typescript" > /dev/null < /dev/null
	check 'on a terminal: nothing of a name comes through' \
		"$python" "$helper" terminal "$w/typescript"
	check 'on a terminal: unmounted' free_disk "$d_dev"
	detach_all
}

disks_with_traps
mount_options
names
lock_names
labels
finish

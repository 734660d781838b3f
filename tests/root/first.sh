#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# The main job: a copy, the next copy, on every file system that is at hand.
. "$(dirname "$0")/lib.sh"

change()
{
	head -c 90000 /dev/urandom > "$src/Job A/inc1.vib"
	rm "$src/Job B/empty"
	head -c 50000 /dev/urandom > "$src/Job A/inc2.vib"
	mkdir -p "$src/new"
	printf new > "$src/new/file"
	settle
}

# The list of hashes on the disk is good by a program that is not ours.
manifest_holds()
{
	(cd "$mnt" && xxhsum --strict -c .asbackup/manifest.xxh128) || return 1
	[ "$(wc -l < "$mnt/.asbackup/manifest.xxh128")" = \
		"$(find "$src" -type f | wc -l)" ]
}

marker_field() { jq -r "$1" "$mnt/.asbackup/marker.json"; }
marker_of() { on_disk "$1" marker_field "$2"; }

one_file_system()
{
	local fs=$1 size
	if ! has_fs "$fs"; then
		skip "$fs" "no mkfs.$fs, or the kernel does not know it"
		return
	fi
	world
	fill
	disk d "$fs"
	disks "$d_uuid,disk@example.org"

	asb
	run_is_good "$d_dev" "$fs, first copy"
	copy_is_good "$d_dev" "$fs, first copy: identical"
	is "$(marker_of "$d_dev" '[.uuid, .state, .run] | map(tostring) |
		join(" ")')" "$d_uuid complete 1" "$fs: the marker"
	is "$(on_disk "$d_dev" stat -c '%a %U' "$mnt/.asbackup")" \
		'700 root' "$fs: our directory is ours alone"
	check "$fs: the hashes on the disk" on_disk "$d_dev" manifest_holds
	is "$(status '[.disk.uuid, .disk.fstype, .adopted, .run,
		.result.files_copied] | map(tostring) | join(" ")')" \
		"$d_uuid $fs true 1 5" "$fs: status of the first copy"

	change
	asb
	run_is_good "$d_dev" "$fs, second copy"
	copy_is_good "$d_dev" "$fs, second copy: identical"
	check "$fs: the hashes after the second copy" \
		on_disk "$d_dev" manifest_holds
	is "$(status '[.result.files_copied, .result.files_deleted, .adopted] |
		map(tostring) | join(" ")')" '3 1 false' \
		"$fs: only what changed"

	asb
	run_is_good "$d_dev" "$fs, nothing to do"
	is "$(status '[.result.files_copied, .plan.files_to_copy,
		.progress.percent] | map(tostring) | join(" ")')" '0 0 100' \
		"$fs: nothing was copied"
	detach "$d_dev"
	rm -f "$d_img"
}

# --- what a good run leaves behind --------------------------------------------

reports()
{
	local keys
	world
	fill
	disk d ext4
	disks "$d_uuid,disk@example.org"
	asb
	like "$out" 'The disk may be unplugged' 'the terminal says the main thing'
	is "$(mail_count)" 2 'a mail at the start, one at the end'
	like "$(mail 1)" 'Subject: [^'$'\n'']*copy begins' 'the first mail'
	like "$(mail 1)" 'Do NOT unplug' 'the first mail warns'
	like "$(mail 2)" 'Subject: [^'$'\n'']*copy good' 'the second mail'
	like "$(mail 2)" 'To: [^'$'\n'']*sysop@example.org' 'the sysop hears'
	like "$(mail 2)" 'To: [^'$'\n'']*disk@example.org' \
		"the disk's address hears"
	like "$(mail_body 2)" 'may be unplugged' 'the mail says the main thing'
	[ "$(mail_body 2 | wc -l)" -le 10 ] && ok 'at most ten lines' ||
		not_ok 'at most ten lines' "$(mail_body 2)"
	mkdir "$w/attached"
	is "$("$python" "$helper" attachments "$(mails | tail -n 1)" \
		"$w/attached" | sort | tr '\n' ' ')" 'asbackup.log rsync.log ' \
		'both logs are attached'
	like "$(cat "$w/attached/rsync.log")" 'full.vbk' "rsync's own log"
	mapfile -t files < <(mails)
	clean 'the mails are clean' "${files[@]}"

	keys='.state, .step, .exit_code, .may_be_unplugged, .disk.uuid,
		.progress.bytes_done, .progress.bytes_total, .progress.percent,
		.progress.rate_bytes_per_second, .progress.eta_seconds,
		.warnings, .error'
	is "$(jq -c "[$keys | type]" "$run_dir/status.json")" \
		'["string","string","number","boolean","string","number","number","number","number","number","array","null"]' \
		'the promised fields of the status file'
	is "$(status '.progress.bytes_done == .progress.bytes_total and
		.progress.percent == 100')" true 'it ended at 100 percent'
	is "$(stat -c %a "$run_dir/status.json")" 644 'anybody may read it'

	asb status --json
	asb_is 0 'status --json'
	is "$(jq -r .state <<< "$out")" succeeded 'status --json: the state'
	asb status
	like "$out" 'may be unplugged' 'status for people'

	asb history --json
	asb_is 0 'history --json'
	is "$(jq -r '[.version, (.runs | length), .runs[0].result] |
		map(tostring) | join(" ")' <<< "$out")" '1 1 good' \
		'history --json: one good run'
	asb history
	like "$out" 'good' 'history for people'

	asb disks --json
	asb_is 0 'disks --json'
	is "$(jq -r '.disks[0] | [.uuid, .attached, .device,
		(.last_good | type), (.free_bytes > 0)] | map(tostring) |
		join(" ")' <<< "$out")" "$d_uuid true $d_dev string true" \
		'disks --json: the disk'
	asb disks
	like "$out" "$d_uuid" 'disks for people'

	asb verify --all --json
	asb_is 0 'verify --all'
	is "$(jq -r '[.good, .damaged, .missing] | map(tostring) | join(" ")' \
		<<< "$out")" '5 0 0' 'verify --all: every file is good'
	check 'verify --all: unmounted' free_disk "$d_dev"

	asb match --uuid "$d_uuid"
	asb_is 0 'match: configured'
	asb match --device "$d_dev"
	asb_is 0 'match: configured, by device'
	asb match --uuid "$(new_uuid)"
	[ "$code" != 0 ] && ok 'match: not configured' ||
		not_ok 'match: not configured'
}

# --- the forms of the source ----------------------------------------------------

# Without a slash at its end the directory itself is copied.
without_slash()
{
	world
	fill
	disk d ext4
	disks "$d_uuid"
	conf Backup backup-source "$src"
	asb
	run_is_good "$d_dev" 'no slash'
	copy_is_good "$d_dev" 'no slash: the directory itself' source
	change
	asb
	run_is_good "$d_dev" 'no slash, again'
	copy_is_good "$d_dev" 'no slash, again: identical' source
	asb
	is "$code $(status .plan.files_to_copy)" '0 0' 'no slash: nothing to do'
	detach "$d_dev"
}

# The old script ran this; its disks must not be copied anew.
old_disk()
{
	local slash
	for slash in / ''; do
		world
		fill
		disk d ext4
		disks "$d_uuid"
		conf Backup backup-source "$src$slash"
		: > "$w/rsync_excludes"
		on_disk "$d_dev" rsync -hrtv --size-only --delete-before \
			--inplace --stats --info=progress2 \
			--exclude-from="$w/rsync_excludes" "$src$slash" \
			"$mnt" > "$w/old" 2>&1
		asb
		run_is_good "$d_dev" "old disk, slash '$slash'"
		is "$(status .result.bytes_copied)" 0 \
			"old disk, slash '$slash': not copied anew"
		detach "$d_dev"
	done

	# The old script kept its stale lock file on the disk.
	world
	fill
	disk d ext4
	disks "$d_uuid"
	conf Backup backup-lockfile-path backup.lock
	on_disk "$d_dev" sh -c 'printf locked > "$0"' "$mnt/backup.lock"
	asb
	run_is_good "$d_dev" 'a stale lock file'
	like "$(status '.warnings | join(" ")')" 'did not finish' \
		'a stale lock file: told'
	detach "$d_dev"
}

# --- the forms of the disk ------------------------------------------------------

partition()
{
	local img=$tmp/parted.img uuid
	if ! command -v sfdisk > /dev/null; then
		skip 'a partition' 'sfdisk is not installed'
		return
	fi
	world
	fill
	truncate -s 80M "$img"
	printf 'label: gpt\nstart=2048, size=100000\n' |
		sfdisk -q "$img" > /dev/null 2>&1
	attach "$img" -P
	# A kernel that cannot read the table can be told of a partition.
	[ -b "${dev}p1" ] || addpart "$dev" 1 2048 100000 2> /dev/null
	if ! until_true 10 test -b "${dev}p1"; then
		skip 'a partition' 'no device node appears for it'
		return
	fi
	uuid=$(new_uuid)
	mkfs_on "${dev}p1" ext4 "$uuid"
	disks "$uuid"
	asb
	run_is_good "${dev}p1" 'a partition'
	is "$(status .disk.device)" "${dev}p1" 'a partition: its device'
	copy_is_good "${dev}p1" 'a partition: identical'
	detach "$dev"
}

# A list as long as in the field, and sections besides it.
many()
{
	local list='' n=0
	world
	fill
	disk d ext4
	while [ ${#list} -lt 4000 ]; do
		list+="$(new_uuid),admin$((n++))@example.org,"
	done
	conf Backup filesystem-ids-and-notification-mail-addresses \
		"$list$d_uuid,disk@example.org"
	asb
	run_is_good "$d_dev" 'a list of over 4,000 characters'
	like "$(mail -1)" 'disk@example.org' 'a long list: its address hears'
	unlike "$(mail -1)" 'admin' 'a long list: the others do not'
	detach "$d_dev"

	world
	fill
	disk d ext4
	conf 'disk Friday' uuid "${d_uuid^^}"
	conf 'disk Friday' mail friday@example.org
	conf 'disk Friday' label 'Friday, blue'
	asb
	run_is_good "$d_dev" 'a [disk] section'
	is "$(status .disk.title)" 'Friday, blue' 'a [disk] section: its label'
	like "$(mail -1)" 'friday@example.org' 'a [disk] section: its address'
	like "$(mail -1)" 'Friday, blue' 'a [disk] section: named in the mail'
	detach "$d_dev"
}

# --- options --------------------------------------------------------------------

options()
{
	local before
	one_uuid='' one_dev='' one_img='' two_uuid='' two_dev='' two_img=''
	world
	fill
	disk one ext4
	disk two ext4
	disks "$one_uuid" "$two_uuid"

	before=$(sha256sum "$one_img" "$two_img")
	asb --dry-run
	asb_is 0 '--dry-run'
	like "$out" 'nothing was changed' '--dry-run says so'
	is "$(sha256sum "$one_img" "$two_img")" "$before" \
		'--dry-run: not a byte of the disk changed'
	is "$(mail_count)" 0 '--dry-run: no mail'
	check '--dry-run: unmounted' free_disk "$one_dev"
	asb disks --json
	is "$(jq -c '[.disks[].last_good]' <<< "$out")" '[null,null]' \
		'--dry-run is no copy'

	asb
	run_is_good "$one_dev" 'two attached disks'
	is "$(status .disk.uuid)" "$one_uuid" 'the first configured one is used'
	asb --uuid "$two_uuid" --no-mail
	run_is_good "$two_dev" '--uuid'
	is "$(status .disk.uuid)" "$two_uuid" '--uuid: that disk'
	is "$(mail_count)" 2 '--no-mail: no mail'
	copy_is_good "$two_dev" '--uuid: identical'

	change
	asb --device "$two_dev" --json
	run_is_good "$two_dev" '--device'
	is "$(jq -r '[.disk.uuid, .state] | join(" ")' <<< "$out")" \
		"$two_uuid succeeded" '--device and --json'
	copy_is_good "$two_dev" '--device: identical'

	before=$(on_disk "$two_dev" tree "$mnt" | sha256sum)
	printf more > "$src/more"
	settle
	asb --uuid "$two_uuid" --dry-run --json
	is "$code $(jq -r .plan.files_to_copy <<< "$out")" '0 1' \
		'--dry-run --json: one file to copy'
	is "$(on_disk "$two_dev" tree "$mnt" | sha256sum)" "$before" \
		'--dry-run: the copy is as before'
	asb -v
	like "$err" 'Mounting the disk' '-v: a line for every step'
	asb -q
	is "$err" '' '-q: nothing to say'
}

for fs in ext4 xfs btrfs; do
	one_file_system "$fs"
done
reports
without_slash
old_disk
partition
many
options
finish

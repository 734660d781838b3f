# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What the demonstration and its cleaning up share.

# On a real disk, not on a tmpfs: two disk images and a repository, sparse.
demo=${ASBACKUP_DEMO_DIR:-/var/tmp/asbackup-demo}
repository=$demo/repository
config=$demo/config.ini
fs_b=xfs

# The loop devices whose image lies in the demonstration's directory.
demo_loops()
{
	losetup -n -l -O NAME,BACK-FILE 2>/dev/null |
		awk -v dir="$demo/" 'index($2, dir) == 1 { print $1 }'
}

demo_clean()
{
	local device

	while mountpoint -q "$repository" 2>/dev/null; do
		umount "$repository" || return 1
	done
	for device in $(demo_loops); do
		losetup -d "$device"
	done
	rm -rf --one-file-system "$demo"
}

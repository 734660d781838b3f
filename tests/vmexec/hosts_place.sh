#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Where a job's files find a place: disks that are full or mounted noexec, homes
# that cannot be written, tmux and what else keeps a job alive.
# timeout: 120
. "$(dirname "$0")/lib.sh"
start_sshd

# --- the disk -----------------------------------------------------------------------

mkdir -p $jobs
mount -t tmpfs -o noexec,size=128k,mode=700 tmpfs $jobs
at_end "umount -l $jobs"
printf '#!/bin/sh\necho runs\n' > "$tmp/script"
on_host -q -- "$tmp/script"
is "$code $(out)" '0 runs' 'a directory that forbids execution'
on_host -c 'head -c 300000 /dev/zero; echo over >&2; exit 4'
is "$code" 4 'the disk gets full: the script goes on, its status arrives'
like "$(said)" 'disk of the host was full' 'and that output is missing is said'
on_host --clean --keep-days 0
umount $jobs
mount -t tmpfs -o size=128k,mode=700 tmpfs $jobs
# Neither here nor at the next place.
mkdir -p /run/vmexec
mount -t tmpfs -o size=64k,mode=700 tmpfs /run/vmexec
at_end 'umount -l /run/vmexec'
head -c 200000 /dev/zero > $jobs/fill 2> /dev/null
on_host -q -c 'echo elsewhere'
is "$code $(out)" '0 elsewhere' 'the disk is full: there is another place'
head -c 200000 /dev/zero > /run/vmexec/fill 2> /dev/null
on_host -c 'echo never'
is "$code $(out)" '254 ' 'all are full'
rm -f $jobs/fill /run/vmexec/fill

nobody_left
finish

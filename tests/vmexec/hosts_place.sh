#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Hosts that are not as one would like them: shells, disks, sshd's limits, keys.
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

# --- keys -----------------------------------------------------------------------------

mv "$tmp/known" "$tmp/known.good"
on_host -c 'echo'
is "$code" 255 'an unknown host key'
like "$(said)" 'not known' 'which is said'
on_host --accept-new -c 'echo yes'
is "$code $(out)" '0 yes' '--accept-new'
on_host -q -c 'echo yes'
is "$code $(out)" '0 yes' 'keeps it'
new_key "$tmp/other"
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d ' ' -f 1,2 "$tmp/other.pub")" \
	> "$tmp/known"
on_host --accept-new -c 'echo never'
is "$code $(out)" '255 ' 'a changed key is refused, also with --accept-new'
like "$(said)" CHANGED 'which is said'
cp "$tmp/known.good" "$tmp/known"

new_key "$tmp/locked" 'a phrase'
cat "$tmp/locked.pub" >> "$tmp/authorized_keys"
printf 'a phrase\n' > "$tmp/phrase"
chmod 600 "$tmp/phrase"
sed -i "s|^IdentityFile.*|IdentityFile $tmp/locked|" "$tmp/ssh_config"
export VMEXEC_PASSWORD_FILE=$tmp/phrase
on_host -q -c 'echo yes'
is "$code $(out)" '0 yes' 'a key with a passphrase'
unset VMEXEC_PASSWORD_FILE
on_host --retries 0 -c 'echo never'
is "$code" 255 'nobody to ask for it'

nobody_left
finish

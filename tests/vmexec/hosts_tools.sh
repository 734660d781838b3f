#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a host has to run a script with: few tools, BusyBox alone, a wrong clock,
# sudo.
# timeout: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
start_sshd
new_user vm

# --- tools ---------------------------------------------------------------------------

mkdir "$tmp/tools"
sshd_with "SetEnv PATH=$tmp/tools"
musts='dd mkdir cat wc mv rm ls sleep'
may='date tee mkfifo setsid tail find grep env'
# tools WITHOUT: dash and what vmexec uses from coreutils and others.
tools()
{
	local name
	rm -f "$tmp/tools"/*
	for name in $musts $may; do
		[[ " $1 " == *" $name "* ]] ||
			ln -s "$(command -v "$name")" "$tmp/tools/"
	done
	ln -s "$(command -v dash)" "$tmp/tools/sh"
}
tools ''
whole_life 'few tools'
tools "$may"
whole_life 'only what is needed'
for name in $musts; do
	tools "$name"
	refused "no $name" "lacks.* $name"
done
tools 'dd sleep'
refused 'two are not there' 'lacks.* dd sleep'
rm "$tmp/tools/sh"
refused 'no shell' 'exit 127.*: .*sh: not found'
sshd_with 'SetEnv PATH=/nonexistent'
refused 'no PATH' 'exit 127.*: .*sh: not found'

# --- BusyBox alone --------------------------------------------------------------------

if busybox=$(command -v busybox); then
	own /srv
	box=/srv/box
	mkdir -p $box/{bin,dev,proc,etc,root,tmp,var/lib,run}
	cp "$busybox" $box/bin/busybox
	# None, unless it is the one that is not static.
	for file in $(ldd "$busybox" 2> /dev/null | grep -o '/[^ ]*'); do
		cp --parents "$file" $box
	done
	chroot $box /bin/busybox --install -s /bin
	mount -t tmpfs -o mode=755 tmpfs $box/dev
	at_end "umount -l $box/dev"
	mknod -m 666 $box/dev/null c 1 3
	mknod -m 666 $box/dev/zero c 1 5
	mount -t proc proc $box/proc
	at_end "umount -l $box/proc"
	echo 'root:x:0:0::/root:/bin/sh' > $box/etc/passwd
	sshd_with "ChrootDirectory $box"
	whole_life 'BusyBox alone'
	on_host -q -c '[ ! -e /usr/bin ] && readlink /proc/$$/exe'
	is "$(out)" /bin/busybox 'there is nothing else'
	head -c 5000000 /dev/urandom > $box/tmp/random
	on_host -q -c 'cat /tmp/random; cat /tmp/random >&2; exit 5'
	same "$tmp/out" $box/tmp/random 'BusyBox: 5 MB'
	same "$tmp/err" $box/tmp/random 'of both streams'
	on_host --timeout 1 -c 'echo x; sleep 100'
	is "$code $(out)" '124 x' 'BusyBox: --timeout'
	on_host --idle-timeout 1 -c 'echo x; sleep 100'
	is "$code $(out)" '124 x' 'BusyBox: --idle-timeout'
	on_host -q -c 'sleep 0.1; kill -TERM $$'
	is "$code" 143 'BusyBox: a signal'
	refused 'BusyBox: --sudo' 'sudo on the host .*127.*not found' --sudo
	umount -l $box/proc
	refused 'no /proc' '/proc'
	mount -t proc proc $box/proc
else
	skip 'BusyBox alone' 'busybox-static is not installed'
fi

# --- the clock -------------------------------------------------------------------------

faketime=$(find /usr/lib -name libfaketime.so.1 2> /dev/null | head -n 1)
if [ -n "$faketime" ]; then
	# It keeps locks there, by number of process: others have the same.
	own /dev/shm
	chmod 1777 /dev/shm
	for when in '@1971-01-01 00:00:00' '@2037-12-31 23:59:58' '-400d'; do
		sshd_with "SetEnv LD_PRELOAD=$faketime \
FAKETIME_DONT_FAKE_MONOTONIC=1 \"FAKETIME=$when\""
		as_ever "a clock that says $when" --timeout 60
		on_host --list
		is "$code" 0 'the list'
	done
	on_host -q -c 'date +%Y'
	unlike "$(out)" "$(date +%Y)" 'it is wrong indeed'
	on_host --timeout 1 -c 'sleep 100'
	is "$code" 124 'its time limit does not go by the clock'
else
	skip 'a wrong clock' 'libfaketime is not installed'
fi
sshd_with

# --- sudo --------------------------------------------------------------------------------

if command -v sudo > /dev/null; then
	own_file /etc/sudoers
	may() { printf '%s\n' "$@" > /etc/sudoers; }
	may 'vm ALL=(root) NOPASSWD: ALL'
	as_ever '--sudo' -l vm --sudo
	on_host -q -l vm --sudo --env 'LD_PRELOAD_=x' --env 'PATH2=y' \
		-c 'id -u; echo "$LD_PRELOAD_$PATH2 $HOME $PWD"'
	is "$(out)" '0
xy /root /root' 'is root, with his home'
	on_host -q -l vm --sudo --job its -c 'echo "$SUDO_USER"'
	is "$(out) $(ls -d $jobs/its)" "vm $jobs/its" 'and has his jobs'
	on_host -l vm --sudo --list
	like "$(out)" 'its  +.*ended with 0' 'which are listed'
	on_host -l vm --list
	unlike "$(out)" 'its  ' 'apart from those of the user'
	may 'vm ALL=(root) ALL'
	refused 'with a password only' \
		'sudo on the host .*password is required.*NOPASSWD' -l vm --sudo
	may 'root ALL=(ALL) ALL'
	refused 'not at all' 'sudo on the host .*password' -l vm --sudo
	may 'vm ALL=(root) NOPASSWD: /bin/true'
	refused 'for something else' 'sudo on the host .*sudoers' -l vm --sudo
	may 'Defaults lecture=always' 'Defaults requiretty' \
		'vm ALL=(root) NOPASSWD: ALL'
	refused 'with a terminal only' 'sudo on the host .*tty' -l vm --sudo
	may 'what is this'
	refused 'a broken sudoers' 'sudo on the host .*syntax' -l vm --sudo
else
	skip '--sudo' 'sudo is not installed'
fi

nobody_left
finish

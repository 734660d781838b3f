#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a host may have in its environment and on its disk: settings that change
# what tools print, no inodes, a place for jobs that is somebody else's, files
# that somebody has removed.
# timeout: 120
. "$(dirname "$0")/lib.sh"
mkdir "$tmp/bin"
start_sshd "SetEnv TIME_STYLE=long-iso BLOCK_SIZE=human-readable PATH=$tmp/bin:$PATH"

# --- settings for ls ----------------------------------------------------------------

on_host -q -c 'printf "%5000s" ""; echo "$TIME_STYLE $BLOCK_SIZE" >&2; exit 3'
is "$code $(wc -c < "$tmp/out") $(said)" '3 5000 long-iso human-readable' \
	'settings for ls are the script'"'"'s, not ours'
on_host --list --json
like "$(out)" '"bytes_out": ?5000,' 'nor do they change the list'

# --- no inodes ------------------------------------------------------------------------

mkdir -p $jobs
mount -t tmpfs -o nr_inodes=40,mode=700 tmpfs $jobs
at_end "umount -l $jobs 2> /dev/null"
cat > "$tmp/greedy" <<END
i=0
while touch $jobs/fill.\$i 2> /dev/null; do i=\$((i + 1)); done
echo full
sleep 1000
END
limit=20
on_host --timeout 1 -- "$tmp/greedy"
is "$code $(out)" '124 full' 'a time limit holds where no file can be made'
like "$(said)" 'took too long' 'and is said'
rm -f $jobs/fill.*
on_host --idle-timeout 1 -- "$tmp/greedy"
is "$code $(out)" '124 full' 'and so does ending a job'
like "$(said)" 'nothing for too long' 'and is said'
on_host -q -c 'echo elsewhere'
is "$code $(out)" '0 elsewhere' 'there is another place for the next'
umount $jobs

# --- a full disk, and BusyBox -------------------------------------------------------

if busybox tee < /dev/null > /dev/null 2>&1; then
	mkdir -p $jobs
	mount -t tmpfs -o size=128k,mode=700 tmpfs $jobs
	mount --bind "$(command -v busybox)" "$(readlink -f "$(command -v tee)")"
	on_host -c 'head -c 300000 /dev/zero; echo over >&2; exit 4'
	is "$code" 4 "BusyBox's tee: the status arrives from a full disk"
	like "$(said)" 'output is missing' 'and that output is missing is said'
	umount "$(readlink -f "$(command -v tee)")" $jobs
else
	skip "BusyBox's tee and a full disk" 'busybox is not installed'
fi

# --- a place that is somebody else's ---------------------------------------------------

on_host -q --job mine -c 'echo mine'
rm -rf /run/vmexec
mkdir /run/vmexec
cp -a $jobs/mine /run/vmexec/theirs
chown 1000 /run/vmexec
on_host --attach theirs
is "$code $(out)" '254 ' 'who owns the place owns what is in it'
on_host --list
unlike "$(out)" theirs 'so says the list'
on_host --clean --keep-days 0
is "$(ls -A /run/vmexec $jobs | tr '\n' ' ')" \
	'/run/vmexec: theirs  /var/lib/vmexec: ' 'and nothing is removed there'
rm -r /run/vmexec

# --- systemd ---------------------------------------------------------------------------

mkdir -p /run/systemd/system
cat > "$tmp/bin/systemd-run" <<'END'
#!/bin/sh
case $* in
*OOMPolicy*) echo "Unknown assignment: OOMPolicy=continue" >&2; exit 1 ;;
*--unit=vmexec-again\ *)
	echo "Failed to start transient service unit: Unit vmexec-again.service already exists." >&2
	exit 1
	;;
*--unit=vmexec-broken\ *)
	echo "Failed to connect to bus: No such file or directory" >&2
	exit 1
	;;
esac
while [ "$1" != /bin/sh ]; do shift; done
setsid "$@" < /dev/null > /dev/null 2>&1 &
END
chmod 755 "$tmp/bin/systemd-run"
for job in first again; do
	on_host --job $job -c 'echo runs'
	is "$code $(out)" '0 runs' "an old systemd, the job $job"
	like "$(said)" 'by systemd' 'which keeps it alive'
done
on_host --job broken -c 'echo runs'
is "$code $(out)" '0 runs' 'one that does not answer'
like "$(said)" 'by setsid' 'is passed over'
rm -r /run/systemd "$tmp/bin/systemd-run"

# --- nobody reads ------------------------------------------------------------------------

# Our own words find no room either.
mkfifo "$tmp/pipe"
exec 7<> "$tmp/pipe"
dd if=/dev/zero of="$tmp/pipe" bs=4096 count=1000 oflag=nonblock 2> /dev/null
logins() { grep -c Accepted "$tmp/sshd.log"; }
more_logins() { [ "$(logins)" -gt "$before" ]; }
ended() { ! kill -0 "$1" || grep -q '^State:.Z' "/proc/$1/status"; }
for option in -q --json; do
	before=$(logins)
	"$vmexec" -F "$tmp/ssh_config" --job full$option $option h \
		-c 'echo; exec sleep 1000' 7>&- > "$tmp/pipe" 2> "$tmp/err" &
	pid=$!
	kill_at_end $pid
	until_true 20 more_logins
	until_true 5 [ -s $jobs/full$option/pid ]
	kill -TERM $pid
	check "vmexec $option ends when it is told to, though nobody reads" \
		until_true 10 ended $pid
done
exec 7>&-
pkill -KILL -f "sleep 1000"

# --- files that are removed -----------------------------------------------------------

# job NAME: one that has printed 5000 bytes and waits; $tmp/NAME.out, .code.
job()
{
	{
		timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" --job "$1" h \
			-c 'printf "%5000s" ""; sleep 1000' \
			> "$tmp/$1.out" 2> "$tmp/$1.err" < /dev/null
		echo $? > "$tmp/$1.code"
	} &
	until_true 30 has_5000 "$1"
}
has_5000() { [ "$(wc -c < "$tmp/$1.out")" = 5000 ]; }

job away
rm -r $jobs/away
until_true 30 [ -e "$tmp/away.code" ]
is "$(cat "$tmp/away.code")" 251 'the files are removed'
like "$(cat "$tmp/away.err")" 'files were removed' 'which is said'
pkill -KILL -f "sleep 1000"

nobody_left
finish

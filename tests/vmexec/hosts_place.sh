#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Where a job's files find a place: disks that are full or mounted noexec, homes
# that cannot be written, tmux and what else keeps a job alive.
# timeout: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
start_sshd 'SetEnv TMUX_TMPDIR=/run'
new_user vm

# --- the disk -----------------------------------------------------------------------

mkdir -p $jobs
mount -t tmpfs -o noexec,size=128k,mode=700 tmpfs $jobs
at_end "umount -l $jobs 2> /dev/null"
printf '#!/bin/sh\necho runs\n' > "$tmp/runs"
on_host -q -- "$tmp/runs"
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
at_end 'umount -l /run/vmexec 2> /dev/null'
head -c 200000 /dev/zero > $jobs/fill 2> /dev/null
on_host -q -c 'echo elsewhere'
is "$code $(out)" '0 elsewhere' 'the disk is full: there is another place'
head -c 200000 /dev/zero > /run/vmexec/fill 2> /dev/null
on_host -c 'echo never'
is "$code $(out)" '254 ' 'all are full'
rm -f $jobs/fill /run/vmexec/fill

umount -l $jobs /run/vmexec

# --- of a user ----------------------------------------------------------------------

as_ever 'a user' -l vm
state=$tmp/vm/.local/state/vmexec
check 'has his jobs at home' test -d "$state"
is "$(find "$state" -perm /077)" '' 'where nobody else can look'
rm -r "$tmp/vm/.local"
mount -t tmpfs -o ro,mode=755 tmpfs "$tmp/vm"
at_end "umount -l '$tmp/vm'"
# place DIRECTORY WHAT: his job is there.
place()
{
	on_host -q -l vm --job here -c 'echo yes'
	is "$code $(out) $(ls -d "$1/here" 2>&1)" "0 yes $1/here" "$2"
	is "$(stat -c '%a %U' "$1")" '700 vm' "$2: for him alone"
}
mkdir -p /run/user
install -d -m 700 -o vm "/run/user/$(id -u vm)"
place "/run/user/$(id -u vm)/vmexec" 'a home that cannot be written'
rm -r /run/user
case $ASBACKUP_SRC:$ASBACKUP_BUILD:$tmp in
*/var/tmp/*) skip 'jobs in /var/tmp' 'the test is there itself' ;;
*)
	own /var/tmp
	chmod 1777 /var/tmp
	place "/var/tmp/vmexec-$(id -u vm)" 'and no runtime directory'
	on_host -q -l vm --list
	like "$(out)" 'here .*ended with 0' 'which is listed'
	rm -r /var/tmp/vmexec-*
	mkdir "$tmp/trap" "/var/tmp/vmexec-$(id -u vm)"
	on_host -l vm -c 'echo never'
	is "$code $(out)" '254 ' 'somebody else was quicker'
	like "$(said)" 'no place for the job' 'which is said'
	rmdir /var/tmp/vmexec-*
	ln -s "$tmp/trap" "/var/tmp/vmexec-$(id -u vm)"
	chown -h vm "$tmp/trap" "/var/tmp/vmexec-$(id -u vm)"
	on_host -l vm -c 'echo never'
	is "$code $(ls -A "$tmp/trap")" '254 ' 'nor is a link followed'
	;;
esac

# --- what keeps it alive --------------------------------------------------------------

cat > "$tmp/waits" <<END
echo up
until [ -e "$tmp/go" ]; do sleep 0.02; done
echo end
exit 7
END
# begin NAME OPTION...: $pid; it has said "up".
begin()
{
	local name=$1
	shift
	rm -f "$tmp/go"
	timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" --job "$name" "$@" h \
		"$tmp/waits" > "$tmp/$name.out" 2> "$tmp/$name.err" < /dev/null &
	pid=$!
	until_true 20 grep -q up "$tmp/$name.out" ||
		not_ok "$name begins" "$(cat "$tmp/$name.err")"
}
if command -v tmux > /dev/null; then
	tmuxes() { TMUX_TMPDIR=/run tmux -L vmexec "$@"; }
	begin seen --method tmux
	like "$(cat "$tmp/seen.err")" 'kept alive by tmux' 'tmux'
	is "$(tmuxes list-sessions -F '#{session_name}')" vmexec-seen \
		'there is a session'
	shows_up() { tmuxes capture-pane -p -t vmexec-seen | grep up; }
	check 'in which its output is seen' until_true 10 shows_up
	touch "$tmp/go"
	wait "$pid"
	is "$? $(tr '\n' ' ' < "$tmp/seen.out")" '7 up end ' 'its status'
	no_session() { ! tmuxes has-session; }
	check 'the session ends with it' until_true 10 no_session
	as_ever 'no terminal for the script, also with tmux' --method tmux

	begin shot --method tmux
	tmuxes kill-server
	wait "$pid"
	is "$? $(cat "$tmp/shot.out")" '251 up' 'the server of tmux is killed'
	like "$(cat "$tmp/shot.err")" 'killed together with what ran it' \
		'which is said'
	on_host --cancel shot
else
	skip 'tmux' 'it is not installed'
fi
mkdir "$tmp/tools"
for tool in sh dd mkdir cat wc mv rm ls sleep date tee mkfifo setsid; do
	ln -s "$(command -v $tool)" "$tmp/tools/"
done
sshd_with "SetEnv PATH=$tmp/tools"
for method in tmux systemd; do
	on_host --method $method -c 'echo never'
	is "$code $(out)" '254 ' "no $method on the host"
	like "$(said)" 'cannot keep a job alive in this way.*'$method \
		'which is said'
done
sshd_with

# --- what others can see ----------------------------------------------------------------

# look: who has which word in the command line or environment.
cat > "$tmp/look.py" <<'END'
import os, sys
words = [w.encode() for w in sys.argv[2:]]
skip = {int(sys.argv[1]), os.getpid()}
for pid in filter(str.isdigit, os.listdir("/proc")):
    for what in ("cmdline", "environ"):
        try:
            with open("/proc/%s/%s" % (pid, what), "rb") as f:
                text = f.read()
            with open("/proc/%s/comm" % pid) as f:
                name = f.read().strip()
        except OSError:
            continue
        if int(pid) not in skip:
            for w in words:
                if w in text:
                    print(name, what, w.decode())
END
(umask 077; echo 'pass-phrase' > "$tmp/secret")
new_key "$tmp/locked" pass-phrase
cat "$tmp/locked.pub" >> "$tmp/authorized_keys"
sed "s|$tmp/key|$tmp/locked|" "$tmp/ssh_config" > "$tmp/locked_config"
rm -f "$tmp/go"
VMEXEC_PASSWORD_FILE=$tmp/secret "$vmexec" -F "$tmp/locked_config" \
	--env TOKEN=env-secret h "$tmp/waits" arg-secret \
	> "$tmp/out" 2> "$tmp/err" < /dev/null &
pid=$!
kill_at_end "$pid"
seen=
until grep -q up "$tmp/out" || ! kill -0 "$pid" 2> /dev/null; do
	seen+=$("$python" "$tmp/look.py" "$pid" pass-phrase env-secret arg-secret)
done
for _ in 1 2 3 4 5; do
	seen+=$'\n'$("$python" "$tmp/look.py" "$pid" pass-phrase env-secret \
		arg-secret)
done
# The script has its variable and its argument, and so has what it starts.
is "$(sort -u <<< "$seen" | grep -v -e '^$' \
	-e '^\(sh\|sleep\) environ env-secret' -e '^sh cmdline arg-secret')" '' \
	'no other process shows passphrase, variable or argument'
like "$seen" 'sh cmdline arg-secret' 'though the script has them'
touch "$tmp/go"
wait "$pid"
is $? 7 'it ends'

# --- names of jobs -------------------------------------------------------------------------

for name in '' . .. ../x a/b -x ' ' 'a b' '$(id)' '`id`' "it's" $'a\nb' 'a;b' '*' \
	$'\xff' "$(printf 'a%.0s' {1..65})"; do
	on_host --job "$name" -c 'echo never'
	is "$code $(out)" '254 ' \
		"no name: $(printf %.20s "$name" | tr -c ' -~' '?')"
done
for name in run script meta aside X.Y_Z-9 "$(printf 'a%.0s' {1..64})"; do
	on_host -q --job "$name" -c 'echo yes'
	is "$code $(out)" '0 yes' "a name: ${name:0:20}"
done

nobody_left
finish

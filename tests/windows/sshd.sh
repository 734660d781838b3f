#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The key of a Veeam server against a real sshd: it can take and release locks,
# whatever else is tried fails.  veeam-lock and veeam-unlock are stand-ins that
# write down how they were called; at the end come the real ones, if built.
# timeout: 300

# What is mounted here is nobody else's business, nor are tunnel devices.
if [ "$(id -u)" = 0 ] && [ "$(readlink /proc/self/ns/mnt)" = \
	"$(readlink "/proc/$PPID/ns/mnt")" ]; then
	exec unshare -m -n --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/../lib.sh"
cd "$ASBACKUP_SRC" || exit 1
[ "$(id -u)" = 0 ] || skip_all 'needs root'
for tool in ip /usr/sbin/sshd ssh ssh-keygen ssh-agent sftp scp script; do
	command -v "$tool" > /dev/null ||
		skip_all "$tool is not installed (openssh-server, openssh-client)"
done

ip link set lo up

# --- a backup server --------------------------------------------------------------

# sshd wants an empty /run/sshd, and a root who is not locked out.
mkdir -p "$tmp/run/sshd" "$tmp/sbin"
sed 's/^root:[^:]*/root:*/' /etc/shadow > "$tmp/shadow"
chmod 600 "$tmp/shadow"
mount --bind "$tmp/run" /run && at_end 'umount -l /run'
mount --bind "$tmp/shadow" /etc/shadow && at_end 'umount -l /etc/shadow'

record=$tmp/record
refused=$tmp/refused
for name in veeam-lock veeam-unlock; do
	cat > "$tmp/sbin/$name" <<-END
		#!/bin/sh
		{
			printf '%s' $name
			for argument; do printf ' [%s]' "\$argument"; done
			printf '\n'
			env | sed 's/^/env:/' | sort
		} >> "$record"
		echo "from $name"
		exit "\$(cat "$tmp/code")"
	END
done
printf '#!/bin/sh\nprintf "%%s\\n" "$*" >> "%s"\n' "$refused" \
	> "$tmp/sbin/logger"
sed "s|@SBINDIR@|$tmp/sbin|g" windows/veeam-ssh-command.in \
	> "$tmp/sbin/veeam-ssh-command"
chmod 755 "$tmp"/sbin/*

for key in host veeam free; do
	ssh-keygen -q -t ed25519 -N '' -C "$key" -f "$tmp/$key"
done
# "veeam" is what the manual says; "free" shows that a test could notice.
{
	printf 'restrict,command="%s" %s\n' "$tmp/sbin/veeam-ssh-command" \
		"$(cat "$tmp/veeam.pub")"
	cat "$tmp/free.pub"
} > "$tmp/authorized_keys"
cat > "$tmp/sshd_config" <<-END
	HostKey $tmp/host
	AuthorizedKeysFile $tmp/authorized_keys
	StrictModes no
	UsePAM no
	PasswordAuthentication no
	KbdInteractiveAuthentication no
	PermitRootLogin prohibit-password
	AcceptEnv LANG LC_*
	X11Forwarding yes
	Subsystem sftp internal-sftp
	PidFile none
	LogLevel VERBOSE
END
printf 'backup %s\n' "$(cut -d ' ' -f 1,2 "$tmp/host.pub")" \
	> "$tmp/known_hosts"

# The options that veeam-lock.exe gives ssh.exe; instead of a port, an sshd of
# its own for each connection.
options=(-F none -o BatchMode=yes -o IdentitiesOnly=yes
	-o StrictHostKeyChecking=yes -o "UserKnownHostsFile=\"$tmp/known_hosts\""
	-o ConnectTimeout=20
	-o "ProxyCommand=/usr/sbin/sshd -i -f $tmp/sshd_config -E $tmp/sshd.log")

# as KEY [OPTION...] COMMAND: $code, $out, $err.
as()
{
	local key=$1
	shift
	rm -f "$record" "$refused"
	timeout -k 5 30 ssh "${options[@]}" -i "$tmp/$key" "${extra[@]}" \
		-l root backup "$@" > "$tmp/out" 2> "$tmp/err" < /dev/null
	code=$?
	out=$(tr -d '\0' < "$tmp/out")
	err=$(tr -d '\0\r' < "$tmp/err")
}
extra=()
called() { [ ! -e "$record" ] || head -n 1 "$record"; }
said_no() { [ ! -e "$refused" ] || wc -l < "$refused"; }

# --- what it is for ---------------------------------------------------------------

echo 0 > "$tmp/code"
job=3e8f1a20-0b1c-4d2e-8f30-112233445566
run=9c21aa00-ffee-4abc-9def-665544332211
as veeam "veeam-lock --remote --job $job --run $run"
is "$code $(called) $out" "0 veeam-lock [--remote] [--job] [$job] [--run] \
[$run] from veeam-lock" 'the lock of a job and a run'
[ "$code" = 0 ] || printf '# %s\n' "$err" "$(cat "$tmp/sshd.log")"
as veeam "veeam-lock --remote --job {$job}"
is "$(called)" "veeam-lock [--remote] [--job] [{$job}]" 'of a job'
as veeam 'veeam-lock --remote --run R_1.a'
is "$(called)" 'veeam-lock [--remote] [--run] [R_1.a]' 'of a run'
as veeam 'veeam-lock --remote'
is "$code $(called)" '0 veeam-lock [--remote]' 'the common lock'
as veeam "veeam-unlock --job $job --run $run"
is "$code $(called)" "0 veeam-unlock [--job] [$job] [--run] [$run]" \
	'the unlock'
as veeam veeam-unlock
is "$code $(called)" '0 veeam-unlock' 'of the common lock'
is "$(said_no)" '' 'none of which is refused'
as veeam "veeam-lock --remote --job $(printf 'a%.0s' {1..80})"
is "$code" 0 'an id of 80 characters'
for wanted in 1 2 3 75; do
	echo "$wanted" > "$tmp/code"
	as veeam 'veeam-lock --remote'
	is "$code" "$wanted" "exit code $wanted comes back"
done
echo 0 > "$tmp/code"

# --- other commands ---------------------------------------------------------------

# no COMMAND: refused, with exit code 2 and one line in the journal, and nothing
# is called.
no()
{
	as veeam "$1"
	local shown=${1:0:60}
	is "$code $(called)$(said_no)" '2 1' "refused: ${shown//[! -~]/?}"
}
touch "$tmp/canary"
# One connection for all of them, as quick as they come.
ssh "${options[@]}" -i "$tmp/veeam" -l root -M -S "$tmp/master" -N backup \
	> /dev/null 2>&1 < /dev/null &
master=$!
kill_at_end "$master"
until_true 20 [ -S "$tmp/master" ]
extra=(-S "$tmp/master")
no id
no /bin/sh
no "touch $tmp/evil"
no 'veeam-lock'
no 'veeam-lock --list'
no 'veeam-lock --clean'
no 'veeam-lock --remote --clean'
no 'veeam-lock --remote --config /etc/passwd'
no 'veeam-lock --remote --lease 9999'
no 'veeam-lock --remote --no-mail'
no 'veeam-lock --job a --remote'
no 'veeam-lock --remote --run a --job b'
no 'veeam-lock --remote --job a --job b'
no 'veeam-lock --remote --job'
no 'veeam-lock --remote --job a --run'
no 'veeam-lock --remote --job=a'
no 'veeam-lock --remote a'
no 'veeam-unlock --all'
no 'veeam-unlock --remote'
no 'veeam-unlock --job a --all'
no '/usr/sbin/veeam-lock --remote'
no './veeam-lock --remote'
no 'asbackup status'
no 'VEEAM-LOCK --remote'
no ' veeam-lock --remote'
no 'veeam-lock --remote '
no 'veeam-lock  --remote'
no $'veeam-lock\t--remote'
no "veeam-lock --remote --job $(printf 'a%.0s' {1..81})"
no 'veeam-lock --remote --job -x'
no 'veeam-lock --remote --job --run'
no 'veeam-lock --remote --job ..'
no 'veeam-lock --remote --job ../../etc/cron.d/x'
no 'veeam-lock --remote --job ä'
no "veeam-lock --remote --job a;touch $tmp/evil"
no "veeam-lock --remote --job a; touch $tmp/evil"
no "veeam-lock --remote --job \$(touch $tmp/evil)"
no "veeam-lock --remote --job \`touch $tmp/evil\`"
no "veeam-lock --remote && touch $tmp/evil"
no "veeam-lock --remote | tee $tmp/evil"
no "veeam-lock --remote > $tmp/evil"
no "veeam-lock --remote & touch $tmp/evil"
no $'veeam-lock --remote\ntouch '"$tmp/evil"
no $'veeam-lock --remote --job a\nb'
no $'veeam-lock --remote\n'
no $'veeam-lock --remote\r'
no 'veeam-lock --remote --job *'
no 'veeam-lock --remote --job ?'
no 'veeam-lock --remote --job ~root'
no 'veeam-lock --remote --job $HOME'
no 'veeam-lock --remote --job "a"'
no "veeam-lock --remote --job 'a'"
no 'veeam-lock --remote --job a\b'
no '-'
no '--'
no "$(printf 'veeam-lock --remote %0.s' {1..500})"
is "$(wc -l < "$refused"; wc -c < "$refused")" "$(printf '%s\n' 1 \
	"$(head -c 400 "$refused" | wc -c)")" 'a long one is one short line'
as veeam
is "$code $(called)$(said_no)" '2 1' 'no command, no shell'
like "$err" 'can only take and release locks' 'with a sentence'
no $'x\n\e[31mFORGED'
unlike "$(cat "$refused")" $'\e' 'the journal gets no control characters'
check 'nothing of it was run' [ ! -e "$tmp/evil" ]
end "$master"
extra=()

# --- what else ssh can ------------------------------------------------------------

as free id
like "$code $out" '^0 uid=0' 'a key without restriction could run a command'

mkdir "$tmp/put"
# transfer PROGRAM...: fails, and puts nothing.
transfer()
{
	local what=$1
	shift
	timeout -k 5 30 "$@" > "$tmp/out" 2>&1 < /dev/null
	is "$(($? != 0)) $(ls "$tmp/put")" '1 ' "$what fails and puts nothing"
}
echo "put $tmp/canary $tmp/put/evil" > "$tmp/batch"
sftp_with() { sftp "${options[@]}" -i "$tmp/$1" -b "$tmp/batch" root@backup; }
sftp_with free > /dev/null 2>&1
check 'sftp with a free key' [ -e "$tmp/put/evil" ]
rm -f "$tmp/put/evil"
transfer sftp sftp "${options[@]}" -i "$tmp/veeam" -b "$tmp/batch" root@backup
transfer scp scp "${options[@]}" -i "$tmp/veeam" "$tmp/canary" \
	"root@backup:$tmp/put/evil"
transfer 'scp, the old way' scp -O "${options[@]}" -i "$tmp/veeam" \
	"$tmp/canary" "root@backup:$tmp/put/evil"
extra=(-s)
as veeam sftp
is "$code $(called)" '2 ' 'a subsystem is refused'

extra=(-tt)
as free tty
like "$out" '/dev/pts/' 'a free key has a terminal'
as veeam 'veeam-lock --remote'
like "$err" 'PTY allocation request failed' 'no terminal'

# Somebody to be reached through the server: says one line.
cat > "$tmp/listener.py" <<-'END'
	import socket, sys
	s = socket.socket()
	s.bind(("127.0.0.1", 0))
	s.listen(5)
	print(s.getsockname()[1], flush=True)
	while True:
	    c, _ = s.accept()
	    c.sendall(b"reached\n")
	    c.close()
END
start listener /usr/bin/python3 "$tmp/listener.py"
port=$line
extra=(-W "127.0.0.1:$port")
as free
is "$out" reached 'a free key reaches other ports'
as veeam
is "$out" '' 'no connection through the server (-W)'
like "$err" 'administratively prohibited' 'it is prohibited'

# arrives.py ADDRESS PORT: what comes from PORT, asked for through a tunnel of ours that
# listens at a socket (a path) or, as SOCKS, at a port.
cat > "$tmp/arrives.py" <<-'END'
	import socket, struct, sys, time
	where, port = sys.argv[1], int(sys.argv[2])
	end = time.monotonic() + 20
	while True:
	    try:
	        if where.startswith("/"):
	            s = socket.socket(socket.AF_UNIX)
	            s.connect(where)
	        else:
	            s = socket.create_connection(("127.0.0.1", int(where)))
	        break
	    except OSError:
	        if time.monotonic() > end:
	            raise
	        time.sleep(0.02)
	s.settimeout(20)
	if not where.startswith("/"):
	    s.sendall(b"\5\1\0")
	    s.recv(2)
	    s.sendall(b"\5\1\0\1\x7f\0\0\1" + struct.pack(">H", port))
	print(s.makefile("rb").read()[-8:].decode("latin-1").strip())
END

# through KEY WHERE OPTION...: opens a tunnel and uses it: $out, $err.
through()
{
	local key=$1 where=$2 tunnel
	shift 2
	timeout -k 5 60 ssh "${options[@]}" -i "$tmp/$key" -N -l root "$@" \
		backup > /dev/null 2> "$tmp/err" < /dev/null &
	tunnel=$!
	kill_at_end "$tunnel"
	out=$(/usr/bin/python3 "$tmp/arrives.py" "$where" "$port" | tr -d '\0')
	end "$tunnel"
	err=$(cat "$tmp/err")
	rm -f "$tmp/tunnel"
}
through free "$tmp/tunnel" -L "$tmp/tunnel:127.0.0.1:$port"
is "$out" reached 'a free key has -L'
through veeam "$tmp/tunnel" -L "$tmp/tunnel:127.0.0.1:$port"
unlike "$out" reached 'no -L'
like "$err" 'administratively prohibited' 'it is prohibited'
# -D listens at a port only; any free one
dynamic=$(/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
through free "$dynamic" -D "127.0.0.1:$dynamic"
is "$out" reached 'a free key has -D'
through veeam "$dynamic" -D "127.0.0.1:$dynamic"
unlike "$out" reached 'no -D'
like "$err" 'administratively prohibited' 'it is prohibited'

extra=(-o ExitOnForwardFailure=yes -R "0:127.0.0.1:$port")
as free true
is "$code" 0 'a free key has -R'
as veeam 'veeam-lock --remote'
is "$code $(called)" '255 ' 'no -R'
like "$err" 'remote port forwarding failed' 'it is refused'
extra=(-o ExitOnForwardFailure=yes -R "$tmp/r.sock:127.0.0.1:$port")
as veeam 'veeam-lock --remote'
is "$code $(called)$(ls "$tmp/r.sock" 2> /dev/null)" '255 ' \
	'no -R to a socket'
extra=()

# tunnel KEY CONFIG: asks for a tunnel device; what came of it: $err.  (ssh says
# "established" after "failed", too.)
tunnel()
{
	local client
	: > "$tmp/err" # what the call before said
	timeout -k 5 30 ssh -o "ProxyCommand=/usr/sbin/sshd -i -f $2" \
		"${options[@]}" -i "$tmp/$1" -N -l root -v \
		-o Tunnel=point-to-point -w any:any backup \
		> /dev/null 2> "$tmp/err" < /dev/null &
	client=$!
	kill_at_end "$client"
	until_true 20 tunnel_word
	end "$client"
}
tunnel_word()
{
	local words='tunnel forward established|Tunnel forwarding failed'
	err=$(grep -m 1 -oE "$words|tunnel device open failed" "$tmp/err")
}
# A key cannot be denied one, only all of them, by PermitTunnel no: the default.
{ cat "$tmp/sshd_config"; echo PermitTunnel yes; } > "$tmp/sshd_tunnel"
tunnel free "$tmp/sshd_tunnel"
if [ "$err" = 'tunnel device open failed' ]; then
	skip 'no tunnel device' 'this machine has none'
else
	is "$err" 'tunnel forward established' 'a server could have tunnels'
	tunnel veeam "$tmp/sshd_config"
	is "$err" 'Tunnel forwarding failed' 'no tunnel device'
fi

start agent ssh-agent -D -a "$tmp/agent"
export SSH_AUTH_SOCK=$tmp/agent
extra=(-v -A)
as free 'echo "agent: $SSH_AUTH_SOCK"'
like "$out" 'agent: /' 'a free key forwards an agent'
as veeam 'veeam-lock --remote'
unlike "$(cat "$record")" SSH_AUTH_SOCK 'no agent'
like "$err" 'key options: command('$'\n''|$)' \
	'the server says that the key may nothing else'

unset SSH_AUTH_SOCK
extra=(-v -Y)
DISPLAY=:77 as veeam 'veeam-lock --remote'
unlike "$(cat "$record")" DISPLAY 'no X11'
like "$err" 'X11 forwarding (request failed|not permitted|disabled)' \
	'it is refused'

# --- the environment --------------------------------------------------------------

printf '%s\n' '#include <stdio.h>' '__attribute__((constructor)) void f(void)' \
	"{ FILE *x = fopen(\"$tmp/evil\", \"w\"); if (x) fclose(x); }" \
	> "$tmp/preload.c"
${CC:-gcc} -shared -fPIC -o "$tmp/preload.so" "$tmp/preload.c"
LD_PRELOAD=$tmp/preload.so /bin/true
check 'the library does what it should' [ -e "$tmp/evil" ]
rm -f "$tmp/evil"
extra=(-o "SetEnv=LD_PRELOAD=$tmp/preload.so PATH=$tmp/put BASH_ENV=$tmp/rc ENV=$tmp/rc IFS=x LC_EVIL=1 LC_ALL=xx SSH_ORIGINAL_COMMAND=id")
echo "touch $tmp/evil" > "$tmp/rc"
as veeam "veeam-lock --remote --job $job"
is "$code $(called)" "0 veeam-lock [--remote] [--job] [$job]" \
	'with an environment of its own it is still the lock'
check 'and nothing else' [ ! -e "$tmp/evil" ]
is "$(sed -n 's/^env:\([A-Z_]*\)=.*/\1/p' "$record" | grep -vx _ | tr '\n' ' ')" \
	'HOME LC_ALL PATH PWD SSH_CONNECTION ' 'no variable gets through'
is "$(sed -n 's/^env:PATH=//p' "$record")" \
	/usr/sbin:/usr/bin:/sbin:/bin 'the PATH is ours'
extra=()

# --- without sshd -----------------------------------------------------------------

# The environment cannot choose the program either.
rm -f "$record" "$refused"
env -i SSH_ORIGINAL_COMMAND='veeam-lock --remote' SBINDIR="$tmp/put" \
	PATH="$tmp/put" sh_opts=x "$tmp/sbin/veeam-ssh-command" > /dev/null
is "$(called)" 'veeam-lock [--remote]' 'PATH of the caller does not count'
env -i "$tmp/sbin/veeam-ssh-command" > /dev/null 2>&1
is "$? $(said_no)" '2 1' 'no SSH_ORIGINAL_COMMAND at all'
rm "$tmp/sbin/veeam-unlock"
as veeam veeam-unlock
like "$code" '^12[67]$' 'veeam-unlock is not installed: not 0'

# --- the real programs ------------------------------------------------------------

if ! [ -x "$ASBACKUP_BUILD/veeam-lock" ] ||
	! [ -x "$ASBACKUP_BUILD/veeam-unlock" ]; then
	skip 'the real veeam-lock and veeam-unlock' 'they are not built'
	finish
fi
mkdir -p "$tmp/state" "$tmp/log" "$tmp/source" "$tmp/locks"
printf '%s\n' '[Paths]' "state-directory = $tmp/state" \
	"runtime-directory = $tmp/state/run" "log-directory = $tmp/log" \
	'[Backup]' "backup-source = $tmp/source/" > "$tmp/config.ini"
chmod 600 "$tmp/config.ini"
for name in veeam-lock veeam-unlock; do
	printf '#!/bin/sh\nexec "%s" --config "%s" "$@"\n' \
		"$ASBACKUP_BUILD/$name" "$tmp/config.ini" > "$tmp/sbin/$name"
	chmod 755 "$tmp/sbin/$name"
done
leases() { "$tmp/sbin/veeam-lock" --list --json; }
as veeam "veeam-lock --remote --job $job --run $run"
is "$code" 0 'really locked'
like "$(leases)" "$job" 'the lease is there'
as veeam "veeam-unlock --job $job --run $run"
is "$code" 0 'really unlocked'
unlike "$(leases)" "$job" 'the lease is gone'
finish

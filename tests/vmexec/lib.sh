# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# not a test
#
# For the tests of vmexec: a host of our own.  The test runs in namespaces for
# mounts and processes: /var/lib, /run and root's home are empty, the jobs are
# ours alone, and whatever happens nothing of it stays.  With VMEXEC_TEST_NET set
# before, the network is ours alone, too: a loopback device and nothing else.
#
#	. "$(dirname "$0")/lib.sh"
#	start_sshd                        # $port; root may log in with $tmp/key
#	on_host -c 'echo hello'           # $code, $tmp/out, $tmp/err
#	nobody_left                       # no job runs any more
#	finish
#
# What is set here is read by the tests.
# shellcheck disable=SC2034

if [ "$(id -u)" = 0 ] && [ -z "${VMEXEC_TEST_INSIDE:-}" ]; then
	VMEXEC_TEST_INSIDE=yes exec unshare -m -p -f ${VMEXEC_TEST_NET:+-n} \
		--kill-child --mount-proc --propagation private bash "$0" "$@"
fi
[ -z "${VMEXEC_TEST_NET:-}" ] || ip link set lo up
unset VMEXEC_TEST_INSIDE VMEXEC_TEST_NET
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$ASBACKUP_SRC" || exit 1
[ "$(id -u)" = 0 ] || skip_all 'needs root: sudo make check'
for tool in /usr/sbin/sshd ssh ssh-keygen; do
	command -v "$tool" > /dev/null ||
		skip_all "$tool is not installed (openssh-server, openssh-client)"
done
python=/usr/bin/python3
[ -x "$python" ] || skip_all 'python3 is not installed'
vmexec=$ASBACKUP_BUILD/vmexec
[ -x "$vmexec" ] || skip_all 'vmexec is not built'
jobs=/var/lib/vmexec

# own PATH: an empty directory instead of it.
own()
{
	local dir=$tmp/own${1//\//-}
	mkdir -p "$dir" && mount --bind "$dir" "$1"
	at_end "umount -l '$1'"
}

# A file of /etc, copied; changes stay ours.
own_file()
{
	local copy=$tmp/own${1//\//-}
	[ -e "$copy" ] || {
		cp -p "$1" "$copy" && mount --bind "$copy" "$1"
		at_end "umount -l '$1'"
	}
}

chmod 755 "$tmp"
own /var/lib
own /root
# sshd wants an empty /run/sshd, and a root who is not locked out.
own /run
mkdir -p /run/sshd
own_file /etc/shadow
sed 's/^root:[^:]*/root:*/' /etc/shadow > "$tmp/shadow"
cat "$tmp/shadow" > /etc/shadow
own_file /etc/passwd

# new_user NAME [SHELL]: with the home directory $tmp/NAME.
new_user()
{
	printf '%s:x:%s:65534::%s:%s\n' "$1" $((61000 + new_users++)) \
		"$tmp/$1" "${2:-/bin/sh}" >> /etc/passwd
	printf '%s:*:19000:0:99999:7:::\n' "$1" >> /etc/shadow
	install -d -o "$1" -m 700 "$tmp/$1"
}
new_users=0

# login_shell USER SHELL
login_shell()
{
	sed "s|^\($1:.*:\)[^:]*\$|\1$2|" /etc/passwd > "$tmp/passwd"
	cat "$tmp/passwd" > /etc/passwd
}

# A port that stays free while nobody listens: none of those that the kernel
# gives to outgoing connections, which could even meet themselves there.
free_port()
{
	"$python" -c 'import random, socket
with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
    lowest = int(f.read().split()[0])
while True:
    port = random.randrange(2000, lowest)
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break'
}

new_key() { ssh-keygen -q -t ed25519 -N "${2:-}" -C "${1##*/}" -f "$1"; }

login_shell root /bin/sh

# --- the host -------------------------------------------------------------------

listens() { ssh-keyscan -p "$1" -T 2 -t ed25519 127.0.0.1; }

# write_sshd_config NAME [LINE...]: lines come first, and so count; but what
# begins with Match comes last.
write_sshd_config()
{
	local name=$1 line before='' behind=''
	shift
	for line; do
		case $line in
		Match*) behind+=$line$'\n' ;;
		*) before+=$line$'\n' ;;
		esac
	done
	{
		printf '%s' "$before"
		cat <<-END
			ListenAddress 127.0.0.1
			HostKey $tmp/host
			AuthorizedKeysFile $tmp/authorized_keys
			StrictModes no
			UsePAM no
			PasswordAuthentication no
			KbdInteractiveAuthentication no
			PermitRootLogin yes
			MaxSessions 200
			LogLevel VERBOSE
		END
		# Of these the last one counts.
		[[ $before == *MaxStartups* ]] || echo MaxStartups 200
		printf '%s' "$behind"
	} > "$tmp/$name.conf"
}

# run_sshd NAME PORT: $sshd is its process.
run_sshd()
{
	# What was there may not have given back the port yet.
	local end=$((SECONDS + 20))
	while :; do
		/usr/sbin/sshd -D -f "$tmp/$1.conf" -p "$2" -o PidFile=none \
			-E "$tmp/$1.log" < /dev/null &
		sshd=$!
		until listens "$2" > /dev/null 2>&1; do
			kill -0 "$sshd" 2> /dev/null || break
			sleep 0.05
		done
		kill -0 "$sshd" 2> /dev/null && break
		[ "$SECONDS" -lt "$end" ] || return 1
	done
	kill_at_end "$sshd"
}

# start_sshd [LINE...]: $port, and $tmp/ssh_config with the host "h".
start_sshd()
{
	new_key "$tmp/host"
	new_key "$tmp/key"
	cp "$tmp/key.pub" "$tmp/authorized_keys"
	port=$(free_port)
	write_sshd_config sshd "$@"
	run_sshd sshd "$port" || {
		printf 'Bail out! sshd does not start\n'
		exit 1
	}
	know "$port" > "$tmp/known"
	write_ssh_config "$port" > "$tmp/ssh_config"
}

# sshd_with [LINE...]: another sshd instead, at the same port.
sshd_with()
{
	end "$sshd"
	write_sshd_config sshd "$@"
	run_sshd sshd "$port"
}

# know PORT: a line for known_hosts.
know() { printf '[127.0.0.1]:%s %s\n' "$1" "$(cut -d ' ' -f 1,2 "$tmp/host.pub")"; }

# write_ssh_config PORT
write_ssh_config()
{
	cat <<-END
		Host h
		HostName 127.0.0.1
		Port $1
		User root
		IdentityFile $tmp/key
		IdentitiesOnly yes
		UserKnownHostsFile $tmp/known
		GlobalKnownHostsFile /dev/null
	END
}

# --- vmexec ---------------------------------------------------------------------

# on_host OPTION...|SCRIPT: on "h"; options come first, then "--", then what
# comes behind the host. $code, $tmp/out, $tmp/err; $limit seconds.
limit=60
on_host()
{
	local options=()
	while [ $# -gt 0 ] && [ "$1" != -- ] && [ "$1" != -c ]; do
		options+=("$1")
		shift
	done
	[ "${1:-}" != -- ] || shift
	timeout -k 5 "$limit" "$vmexec" -F "$tmp/ssh_config" "${options[@]}" h \
		"$@" > "$tmp/out" 2> "$tmp/err" < "${input:-/dev/null}"
	code=$?
}

# said: what vmexec and the script said on standard error.
said() { tr -d '\0' < "$tmp/err"; }
out() { tr -d '\0' < "$tmp/out"; }

# same GOT WANTED WHAT: files.
same()
{
	if cmp "$1" "$2" > "$tmp/cmp" 2>&1; then
		ok "$3"
	else
		not_ok "$3" "$(cat "$tmp/cmp")" "$(wc -c "$1" "$2")" \
			"status ${code:-}" "$(tail -c 2000 "$tmp/err" |
				tr -d '\000-\010\013-\037')"
	fi
}

# Processes of jobs: what runs them, and what has their mark.
job_processes()
{
	grep -l -a -e "$jobs/" /proc/[0-9]*/cmdline 2> /dev/null
	grep -l -a -e VMEXEC_JOB= /proc/[0-9]*/environ 2> /dev/null
}
no_job_runs() { [ -z "$(job_processes)" ]; }
show_jobs()
{
	local p
	for p in $(job_processes); do
		printf '%s: %s\n' "$p" "$(tr '\0' ' ' < "${p%/*}/cmdline")"
	done 2> /dev/null
}

nobody_left()
{
	if until_true 10 no_job_runs; then
		ok "${1:-no process of a job is left}"
	else
		not_ok "${1:-no process of a job is left}" "$(show_jobs)"
	fi
}

# --- a terminal -------------------------------------------------------------------

# write_ticker: $tmp/ticker, a script that is never silent for long, until there
# is $tmp/enough; its status is 5.
write_ticker()
{
	cat > "$tmp/ticker" <<-END
		i=0
		until [ -e "$tmp/enough" ]; do
			i=\$((i + 1))
			echo "line \$i"
			sleep 0.05
		done
		exit 5
	END
}

# sit NAME [COLUMNS] COMMAND...: on a terminal of its own (terminal.py): what is
# to be seen in $tmp/NAME.screen, in the end the status in $tmp/NAME.code.
declare -A seats=()
sit()
{
	local name=$1 fd
	shift
	rm -f "$tmp/$name".{keys,pid,code}
	: > "$tmp/$name.screen"
	mkfifo "$tmp/$name.keys"
	"$python" tests/vmexec/terminal.py "$tmp/$name" "$@" \
		< "$tmp/$name.keys" > "$tmp/$name.driver" 2>&1 &
	kill_at_end $!
	# For both, so that writing does no harm when nobody is there any more.
	exec {fd}<> "$tmp/$name.keys"
	seats[$name]=$fd
}

# at NAME WHAT: "type TEXT", "columns N", "hang up".
at() { printf '%s\n' "$2" >&"${seats[$1]}"; }
# press NAME TEXT
press() { at "$1" "type $2"; }

# shows NAME REGEX [SECONDS]: it is to be seen, at last.
shows() { until_true "${3:-20}" grep -qaE -e "$2" "$tmp/$1.screen"; }
# What was seen, without colours.
seen() { sed 's/\x1b\[[0-9;]*m//g' "$tmp/$1.screen"; }

# gone NAME [SECONDS]: $code; "runs" when it does not end.
gone()
{
	code=runs
	! until_true "${2:-20}" [ -e "$tmp/$1.code" ] ||
		code=$(cat "$tmp/$1.code")
}

# left NAME CODE WHAT: it ended so; else what was to be seen.
left()
{
	gone "$1"
	if [ "$code" = "$2" ]; then
		ok "$3"
	else
		not_ok "$3" "status $code, wanted $2" \
			"$(cat -v "$tmp/$1.screen" "$tmp/$1.driver")"
	fi
}

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measures vmexec against ssh, on one sshd on this machine: a command that does
# nothing, a gigabyte of output, a hundred hosts at once from one process
# against "xargs -P ssh" and whatever else of that kind is installed, memory.
# Host and client share the processors: figures are for comparing.
#
#	BENCH_DIR=/var/tmp  where jobs and the gigabyte lie
if [ "$(id -u)" != 0 ]; then
	echo 'bench: vmexec needs root, for its own /var/lib/vmexec' >&2
	exit 0
fi
[ -n "${BENCH_INSIDE:-}" ] || BENCH_INSIDE=1 exec unshare -m \
	--propagation private bash "$0" "$@"
. "$(dirname "$0")/lib.sh"

for program in vmexec helpers/fleet; do
	[ -x "$build/$program" ] || die "$build/$program is missing"
done
for tool in /usr/sbin/sshd ssh ssh-keygen; do
	command -v "$tool" > /dev/null || die "$tool is not installed"
done

# --- a host of our own ----------------------------------------------------------

hosts=()
for i in {1..100}; do
	hosts+=("127.0.1.$i")
done
mkdir -p "$work/run" "$work/lib" "$work/root"
mount --bind "$work/lib" /var/lib
mount --bind "$work/run" /run
mount --bind "$work/root" /root
mkdir -p /run/sshd
for key in host client; do
	ssh-keygen -q -t ed25519 -N '' -f "$work/$key"
done
port=$(/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > "$work/sshd_config" <<END
Port $port
ListenAddress 0.0.0.0
HostKey $work/host
AuthorizedKeysFile $work/client.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
MaxStartups 1000
PidFile $work/sshd.pid
END
for host in 127.0.0.1 "${hosts[@]}"; do
	printf '[%s]:%s %s\n' "$host" "$port" \
		"$(cut -d ' ' -f 1,2 "$work/host.pub")"
done > "$work/known_hosts"
export HOME=/root
/usr/sbin/sshd -D -f "$work/sshd_config" -E "$work/sshd.log" &
sshd=$!
trap 'kill $sshd; wait $sshd; umount -l /root /run /var/lib; clean' EXIT
ssh=(ssh -F none -o BatchMode=yes -i "$work/client" -p "$port"
	-o "UserKnownHostsFile=$work/known_hosts")
vmexec=("$build/vmexec" -q -i "$work/client" -p "$port"
	--known-hosts "$work/known_hosts")
SECONDS=0
until "${ssh[@]}" 127.0.0.1 true 2> "$work/err"; do
	kill -0 $sshd && [ "$SECONDS" -lt 30 ] ||
		die "$(cat "$work/sshd.log" "$work/err")"
done

# --- one host -------------------------------------------------------------------

machine
row() { printf '%-44s %9s ms %6s\n' "$1" "$2" "$(ratio "$3" "$2")"; }

ssh_ms=$(ms 20 1 "${ssh[*]} 127.0.0.1 true")
row 'ssh HOST true' "$ssh_ms" "$ssh_ms"
row 'vmexec HOST -c true' "$(ms 20 1 "${vmexec[*]} 127.0.0.1 -c true")" "$ssh_ms"

# The sink reads, so that nothing is faster than it can be.
head -c 1G /dev/urandom > "$work/gigabyte"
bulk()
{
	local start end
	start=${EPOCHREALTIME/./}
	"$@" | cat > /dev/null
	end=${EPOCHREALTIME/./}
	echo $(((end - start) / 1000))
}
for _ in 1 2 3; do
	ssh_ms=$(bulk "${ssh[@]}" 127.0.0.1 cat "$work/gigabyte")
	row 'ssh HOST cat FILE, 1 GiB' "$ssh_ms" "$ssh_ms"
	row 'vmexec HOST -c "cat FILE"' "$(bulk "${vmexec[@]}" 127.0.0.1 \
		-c "cat $work/gigabyte")" "$ssh_ms"
	rm -rf /var/lib/vmexec
done

# --- a hundred ------------------------------------------------------------------

all()
{
	local start end
	start=${EPOCHREALTIME/./}
	"$@" > /dev/null 2> "$work/err" || echo "bench: $1 failed" >&2
	end=${EPOCHREALTIME/./}
	echo $(((end - start) / 1000))
}
by_xargs()
{
	printf '%s\n' "${hosts[@]}" | xargs -P 100 -I {} "${ssh[@]}" {} true
}
list=$(IFS=,; echo "${hosts[*]}")
by_pdsh()
{
	PDSH_SSH_ARGS_APPEND="${ssh[*]:1}" pdsh -R ssh -f 100 -w "$list" true
}
by_clush()
{
	clush -S -f 100 -o "${ssh[*]:1}" -w "$list" true
}
by_pssh()
{
	printf '%s\n' "${hosts[@]}" > "$work/hosts"
	parallel-ssh -h "$work/hosts" -p 100 -x "${ssh[*]:1}" true
}
fleet()
{
	"$build/helpers/fleet" "$port" "$work/client" "$work/known_hosts" true \
		"$@"
}
for _ in 1 2 3; do
	ssh_ms=$(all by_xargs)
	row '100 hosts, xargs -P 100 ssh HOST true' "$ssh_ms" "$ssh_ms"
	for tool in pdsh clush parallel-ssh; do
		command -v $tool > /dev/null || continue
		row "100 hosts, $tool" "$(all "by_${tool/arallel-/}")" "$ssh_ms"
	done
	row '100 hosts, the library behind vmexec' \
		"$(all fleet "${hosts[@]}")" "$ssh_ms"
	hundred=$(sed -n 's/ KiB.*//p' "$work/err")
done
all fleet "${hosts[0]}" > /dev/null
one=$(sed -n 's/ KiB.*//p' "$work/err")
printf '%-44s %9s KiB\n' 'memory for each connected host' \
	$(((hundred - one) / 99))

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The way to a host: what ssh_config(5) says of it, jump hosts, proxies, IPv6.
# timeout: 120
. "$(dirname "$0")/lib.sh"
start_sshd
target=$sshd

# jump NUMBER [LINE...]: an sshd to jump from: $jump, the port ${ports[NUMBER]}.
ports=('' "$(free_port)" "$(free_port)")
jump()
{
	local number=$1
	shift
	write_sshd_config "jump$number" "$@"
	run_sshd "jump$number" "${ports[number]}"
	jump=$sshd
}
for number in 1 2; do
	jump $number
	jumps[number]=$jump
	know "${ports[number]}" >> "$tmp/known"
done

# way LINE...: of "h"; the jump hosts are "jump1" and "jump2".
way()
{
	local number
	{
		write_ssh_config "$port"
		printf '%s\n' "$@"
		for number in 1 2; do
			write_ssh_config "${ports[number]}" |
				sed "s/^Host .*/Host jump$number/"
		done
		write_ssh_config "$port" | sed 's/^Host .*/Host 127.0.0.1/
			/^HostName/d; /^Port/d'
	} > "$tmp/ssh_config"
}

# logins NAME: how many got into that sshd.
logins() { grep -c 'Accepted publickey' "$tmp/$1.log"; }

# --- jumps ---------------------------------------------------------------------------

# passes BY1 BY2 WHAT LINE...: so many more logins at the jump hosts.
passes()
{
	local by="$1 $2" what=$3 before1 before2
	shift 3
	way "$@"
	before1=$(logins jump1) before2=$(logins jump2)
	on_host -q --retries 0 -c 'printf "a\0b"; exit 6'
	is "$code $(tr '\0' z < "$tmp/out") $(($(logins jump1) - before1)) \
$(($(logins jump2) - before2)) $(said)" "6 azb $by " "$what"
}
passes 0 0 'no jump host'
passes 1 0 'a jump host' 'ProxyJump jump1'
passes 1 1 'two' 'ProxyJump jump1,jump2'
passes 1 1 'and the other way round' 'ProxyJump jump2,jump1'
passes 1 0 'with user and port' "ProxyJump root@127.0.0.1:${ports[1]}"
passes 1 0 'as an address' "ProxyJump ssh://root@127.0.0.1:${ports[1]}"
passes 1 1 'two of that kind' \
	"ProxyJump 127.0.0.1:${ports[1]},root@127.0.0.1:${ports[2]}"
passes 0 0 'none' 'ProxyJump none'
passes 0 1 'a command' "ProxyCommand ssh -F $tmp/ssh_config -W %h:%p jump2"
cp "$tmp/ssh_config" "$tmp/in%dir h"
passes 1 0 'with all that it may name' "ProxyCommand printf '%%s\n' '%n %h %p \
%r 100%%' > $tmp/named; ssh -F '$tmp/in%%dir h' -W '[%h]:%p' jump1"
is "$(cat "$tmp/named")" "h 127.0.0.1 $port root 100%" 'which it gets'

# fails REGEX WHAT LINE...: that way leads nowhere, and why is said.
fails()
{
	local regex=$1 what=$2
	shift 2
	way "$@"
	on_host --retries 1 --delay 0 --connect-timeout 3 -c 'echo never'
	is "$code $(out)" '255 ' "$what"
	like "$(said)" "$regex" 'which is said'
}
ended='way to the host \(ProxyJump or ProxyCommand\) ended with exit code'
fails "$ended 3" 'a command that ends' 'ProxyCommand exit 3'
fails "not found.*$ended 127" 'that is not there' \
	'ProxyCommand /nonexistent %h %p'
fails "$ended 0" 'that says something else' 'ProxyCommand echo "I am no SSH"'
fails 'does not let anybody log in within 3 s' 'that is silent' \
	'ProxyCommand exec sleep 100'
fails "verification failed.*$ended 255" 'a jump host that is not known' \
	'ProxyJump jump3' "Host jump3
HostName 127.0.0.1
Port ${ports[1]}
UserKnownHostsFile $tmp/nothing"
new_key "$tmp/closed"
other_key="Host jump3
HostName 127.0.0.1
User root
Port ${ports[1]}
IdentityFile $tmp/closed
IdentitiesOnly yes
UserKnownHostsFile $tmp/known"
fails "Permission denied.*$ended 255" 'that lets nobody in' \
	'ProxyJump jump3' "$other_key"
printf 'restrict %s\n' "$(cat "$tmp/closed.pub")" >> "$tmp/authorized_keys"
fails "administratively prohibited.*$ended 255" 'that lets nobody through' \
	'ProxyJump jump3' "$other_key"
way "ProxyJump it's"
on_host -c 'echo never'
is "$code $(out)" '254 ' 'a name with a quote'

# --- what breaks in the middle -------------------------------------------------------

cat > "$tmp/script" <<END
i=0
until [ -e "$tmp/go" ]; do
	echo "line \$i"
	echo "error \$i" >&2
	i=\$((i + 1))
	sleep 0.01
done
echo \$i > "$tmp/count"
exit 7
END
sessions() { ps -o pid= --ppid "$1"; }
says() { grep -qs -e "$2" "$tmp/$1"; }
broken() { [ "$(grep -c 'connection is lost' "$tmp/err")" -ge "$1" ]; }
# all_there WHAT
all_there()
{
	local count
	count=$(cat "$tmp/count")
	seq -f 'line %.0f' 0 $((count - 1)) > "$tmp/want.out"
	same "$tmp/out" "$tmp/want.out" "$1: standard output"
	is "$(grep -c '^error [0-9]' "$tmp/err")" "$count" \
		"$1: standard error"
}
follow()
{
	rm -f "$tmp/go"
	timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" --delay 0 \
		--retries 100 h "$tmp/script" > "$tmp/out" 2> "$tmp/err" &
	pid=$!
	until_true 20 says out 'line 5$' || not_ok 'the job begins' "$(said)"
}

way 'ProxyJump jump1,jump2'
follow
for number in 1 2; do
	# shellcheck disable=SC2046 # numbers
	kill -KILL $(sessions "${jumps[number]}")
	check "the session on jump host $number dies" until_true 20 broken $number
	seen=$(wc -l < "$tmp/out")
	check 'and more arrives' until_true 20 grep -q "line $((seen + 20))\$" \
		"$tmp/out"
done
# The first of them altogether, until it is back.
# shellcheck disable=SC2046
kill -KILL "${jumps[1]}" $(sessions "${jumps[1]}")
wait "${jumps[1]}" 2> /dev/null
check 'a jump host is down' until_true 20 says err 'way to the host'
jump 1
touch "$tmp/go"
wait "$pid"
is $? 7 'and back: the status arrives'
all_there 'through jump hosts that die'

# --- ssh_config(5) -------------------------------------------------------------------

sshd=$target
new_user vm
mkdir -p "$tmp/conf.d" "$tmp/it's here"
cat > "$tmp/conf.d/one.conf" <<END
Host deep
	HostName 127.0.0.1
	Port $port
END
cat > "$tmp/ssh_config" <<END
Include $tmp/conf.d/*.conf
Host web?
	HostName 127.0.0.1
	Port $port
Match originalhost web2
	User vm
Match host 127.0.0.1 exec "test -e $tmp/match"
	Port 1
Host *
	User root
	IdentityFile $tmp/key
	IdentitiesOnly yes
	UserKnownHostsFile $tmp/none "$tmp/known"
END
# reaches WHAT WANTED ARGUMENT...: user and so on
reaches()
{
	local what=$1 wanted=$2
	shift 2
	timeout 30 "$vmexec" -q -F "$tmp/ssh_config" --retries 0 "$@" \
		-c 'id -un; echo "${SSH_CONNECTION% *}"' \
		> "$tmp/out" 2> "$tmp/err" < /dev/null
	code=$?
	like "$code $(tr '\n' ' ' < "$tmp/out") $(said)" "^$wanted" "$what"
}
reaches 'Include, HostName and Port' '0 root 127.0.0.1' deep
reaches 'a pattern' '0 root 127.0.0.1' web1
reaches 'Match, and the first User counts' '0 vm 127.0.0.1' web2
reaches 'who is named before the host' '0 vm 127.0.0.1' vm@web1
reaches 'or by -l' '0 vm 127.0.0.1' -l vm web1
touch "$tmp/match"
reaches 'the first Port counts, too' '0 root 127.0.0.1' web1
reaches 'else that of Match exec' '255 .*port 1 ' 127.0.0.1
rm "$tmp/match"
reaches 'a port behind the host' "0 root 127.0.0.1" 127.0.0.1:"$port"
reaches 'and by -p' "0 root 127.0.0.1" -p "$port" 127.0.0.1
reaches 'a name that nobody knows' '255 .*no address for nosuch' nosuch.invalid
for bad in '' -x 'a b' "it's" 'h;id' '$(id)' 'h:0' 'h:65536' 'h:x' '[h' \
	'[h]x' 'a@' '@h' 'x y@h' "x'y@h" $'h\n' "$(printf 'h%.0s' {1..300})"; do
	reaches "no host: $(printf %s "${bad:0:20}" | tr -c ' -~' '?')" '254 .*(not \[USER|unrecognised|invalid|no host)' \
		-- "$bad"
done
echo 'Nonsense yes' >> "$tmp/ssh_config"
reaches 'a mistake in the configuration' \
	"254 .*ssh's configuration.*Bad configuration option: nonsense" web1
reaches 'a configuration that is not there' \
	"254 .*ssh's configuration" -F "$tmp/nonexistent" web1

# --- IPv6 ----------------------------------------------------------------------------

if grep -q '^0*1 .* lo$' /proc/net/if_inet6 2> /dev/null; then
	sshd_with 'ListenAddress ::1'
	rm "$tmp/known"
	: > "$tmp/ssh_config"
	login=(--known-hosts "$tmp/known" -i "$tmp/key")
	reaches 'IPv6 with a port' '0 root ::1' "${login[@]}" --accept-new \
		"root@[::1]:$port"
	is "$(cut -d ' ' -f 1 "$tmp/known")" "[::1]:$port" \
		'its key is kept as ssh keeps it'
	reaches 'IPv6 without brackets' '0 root ::1' "${login[@]}" -p "$port" \
		root@::1
	reaches 'a host with both kinds of addresses' '0 root (::1|127)' \
		"${login[@]}" --accept-new "root@localhost:$port"
	write_sshd_config jump1 "ListenAddress ::1"
	ports[1]=$(free_port)
	jump 1 'ListenAddress ::1'
	printf '[::1]:%s %s\n' "${ports[1]}" \
		"$(cut -d ' ' -f 1,2 "$tmp/host.pub")" >> "$tmp/known"
	cat > "$tmp/ssh_config" <<-END
		Host *
		User root
		IdentityFile $tmp/key
		UserKnownHostsFile $tmp/known
		Match originalhost six
		HostName ::1
		Port $port
		ProxyJump [::1]:${ports[1]}
	END
	reaches 'a jump host, too' '0 root ::1' six
else
	skip 'IPv6' 'there is none'
fi

nobody_left
finish

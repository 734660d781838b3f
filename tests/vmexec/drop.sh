#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Packets that are lost without a word, in a network of our own: a real TCP, and
# nftables that drops what a bad line drops.  (relay.py cuts at chosen bytes, but
# behind it TCP believes that all is well.)
# timeout: 180
export VMEXEC_TEST_NET=yes
. "$(dirname "$0")/lib.sh"
command -v nft > /dev/null || skip_all 'nft is not installed (nftables)'

# --- the line -------------------------------------------------------------------

nft add table inet line
# Where packets come in: the sender is not told, as it would be where they leave.
nft add chain inet line in '{ type filter hook input priority 0; }' ||
	skip_all 'no nftables in this kernel'

# lose RULE...: packets that fit are dropped, and counted.
lose() { nft add rule inet line in "$@" counter drop; }
heal() { nft flush chain inet line in; }
dropped()
{
	local n sum=0
	while read -r n; do
		sum=$((sum + n))
	done < <(nft list chain inet line in |
		sed -n 's/.*packets \([0-9]*\).*/\1/p')
	echo "$sum"
}
has_dropped() { [ "$(dropped)" -ge "$1" ]; }

# As it is on every machine with systemd.
echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range
# Packets as on a real line, not 64 KiB at a time.
ip link set lo mtu 1500 gso_max_segs 1
start_sshd
up=(tcp dport "$port")
down=(tcp sport "$port")

# --- a script that prints while things happen -----------------------------------

# It goes on when it is told to, a part at a time.
head -c 300000 /dev/urandom > "$tmp/random"
cat > "$tmp/script" <<END
echo started >> "$tmp/started"
for part in 1 2 3; do
	cat "$tmp/random"
	echo "part \$part" >&2
	read -r go < "$tmp/go"
done
exit 42
END
mkfifo "$tmp/go"
cat "$tmp"/random{,,} > "$tmp/want.out"
printf 'part %s\n' 1 2 3 > "$tmp/want.err"
exec {go}<> "$tmp/go"

# begin OPTION...: starts it; the first part has arrived.
begin()
{
	: > "$tmp/started"
	timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" --retries 30 --delay 1 \
		--connect-timeout 3 --heartbeat-timeout 3 "$@" h \
		"$tmp/script" > "$tmp/out" 2> "$tmp/err" < /dev/null &
	vmexec_pid=$!
	kill_at_end "$vmexec_pid"
	check "$what: the first part arrives" until_true 20 has_part 1
}
has_part()
{
	grep -qx "part $1" "$tmp/err" &&
		[ "$(wc -c < "$tmp/out")" -ge $(($1 * 300000)) ]
}
next_part() { echo go >&"$go"; }
says() { grep -q -e "$1" "$tmp/err"; }

# goes_well: what was asked for arrives, the rest, and all of it.
goes_well()
{
	check "$what: the second part arrives" until_true 30 has_part 2
	next_part
	check "$what: the third part arrives" until_true 30 has_part 3
	next_part
	wait "$vmexec_pid"
	is "$?" 42 "$what: the status"
	same "$tmp/out" "$tmp/want.out" "$what: every byte once"
	grep '^part' "$tmp/err" > "$tmp/parts"
	same "$tmp/parts" "$tmp/want.err" "$what: of the other stream, too"
	is "$(wc -l < "$tmp/started")" 1 "$what: started once"
}

what='a line that loses packets for a moment'
begin --heartbeat-timeout 30
lose "${up[@]}"
lose "${down[@]}"
next_part
check "$what: some are lost" until_true 20 has_dropped 4
heal
goes_well
unlike "$(said)" 'connection is lost' "$what: TCP repairs it, nothing is said"

for direction in both up down; do
	what="nothing passes any more ($direction)"
	begin
	[ $direction = down ] || lose "${up[@]}"
	[ $direction = up ] || lose "${down[@]}"
	check "$what: noticed" until_true 20 says 'connection is lost'
	check "$what: another attempt is lost, too" \
		until_true 20 says 'no connection to'
	like "$(said)" 'it answers to ping' "$what: ping is told apart"
	heal
	check "$what: connected again" until_true 20 says 'connected again'
	next_part
	goes_well
done

what='every fifth packet is lost'
lose "${up[@]}" numgen random mod 5 0
lose "${down[@]}" numgen random mod 5 0
timeout -k 5 150 "$vmexec" -F "$tmp/ssh_config" --retries 100 --delay 1 h \
	-c "cat '$tmp/random'; exit 43" > "$tmp/out" 2> "$tmp/err" < /dev/null
code=$?
check "$what: they are" has_dropped 20
heal
is "$code" 43 "$what: the status"
same "$tmp/out" "$tmp/random" "$what: every byte once"

what='only small packets pass, and nobody says so'
begin
lose "${down[@]}" meta length \> 600
next_part
check "$what: the others are lost" until_true 30 has_dropped 3
heal
goes_well

what='ping is forbidden'
lose icmp type echo-request
on_host -c 'exit 44'
is "$code" 44 "$what: the host is not dead for that"
heal

what='nothing answers, for good'
lose ip daddr 127.0.0.1 ip protocol '{ tcp, icmp }'
on_host --retries 1 --delay 0 --connect-timeout 1 -c true
is "$code" 255 "$what: given up, in time"
like "$(said)" 'does not answer to ping either' "$what: ping, too"
heal

what='the port answers, but nobody speaks'
lose "${down[@]}" tcp flags '& (syn|fin|rst) == 0' meta length \> 60
on_host --retries 0 --connect-timeout 1 -c true
is "$code" 255 "$what: given up, in time"
like "$(said)" 'takes the connection, but does not let anybody log in' \
	"$what: the layer is named"
heal

nobody_left
finish

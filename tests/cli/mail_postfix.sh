#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A mail to a second real server: Postfix, as an instance of its own with its
# own configuration, queue and port, delivering into a maildir.  A Postfix that
# the machine runs is not touched.
set -u
. "$(dirname "$0")/../lib.sh"

tool=$ASBACKUP_BUILD/helpers/mailtool
python=/usr/bin/python3
sbin=/usr/lib/postfix/sbin
[ -x "$tool" ] || skip_all 'mailtool is not built'
[ -x "$python" ] || skip_all 'no python3'
[ "$(id -u)" = 0 ] || skip_all 'Postfix needs root'
[ -x $sbin/master ] || skip_all 'no Postfix (package postfix)'
id postfix > /dev/null 2>&1 || skip_all 'no user postfix'
command -v openssl > /dev/null || skip_all 'no openssl'
cd "$tmp" || exit 1

openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 \
	2> openssl.err || skip_all "no certificate: $(tail -n 1 openssl.err)"

# Not in $tmp: its processes are not root and have to get there.
home=$(mktemp -d /var/tmp/asbackup-postfix.XXXXXX) || exit 1
at_end 'rm -rf --one-file-system "$home"'
chmod 711 "$home"
mkdir "$home/conf" "$home/queue" "$home/data" "$home/mail"
chown postfix "$home/data" "$home/mail"

cat > "$home/conf/main.cf" << END
compatibility_level = 3.6
config_directory = $home/conf
queue_directory = $home/queue
data_directory = $home/data
daemon_directory = $sbin
myhostname = mail.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
maillog_file = /dev/stdout
virtual_mailbox_domains = company.example
virtual_mailbox_base = $home/mail
virtual_mailbox_maps = inline:{ boss@company.example=boss/ }
virtual_minimum_uid = 1
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_cert_file = $tmp/cert.pem
smtpd_tls_key_file = $tmp/key.pem
smtpd_tls_security_level = encrypt
smtpd_tls_received_header = yes
message_size_limit = 2000000
smtpd_client_connection_rate_limit = 0
END

services()
{
	printf '127.0.0.1:%s inet n - n - - smtpd\n' "$1"
	cat << 'END'
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
END
}

# Postfix cannot choose a port and tell it; should somebody else take the one
# chosen here before it does, another is tried.
run_postfix()
{
	local try
	for try in 1 2 3; do
		port=$("$python" -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
		services "$port" > "$home/conf/master.cf"
		start "postfix$try" postfix -c "$home/conf" start-fg || continue
		await 'daemon started' && return 0
	done
	return 1
}
at_end 'postfix -c "$home/conf" stop > /dev/null 2>&1'
run_postfix || {
	not_ok 'Postfix starts' "$line" "$(cat postfix*.err)"
	finish
}
ok 'Postfix starts'

printf 'Grüße\n.\n' > body
head -c 300000 /dev/urandom > big.bin
message=(--from backup@company.example --subject 'Größe' --body-file body)
tls=(--host localhost --port "$port" --starttls --ca cert.pem)

path=$("$tool" put --spool spool "${message[@]}" --to boss@company.example \
	--attach 'größe.bin=application/octet-stream=big.bin')
cp "$path" sent.eml
out=$("$tool" flush --spool spool "${tls[@]}")
is "${out%%$'\n'*}" 'sent 1 waiting 0 failed 0 not-due 0 refused 0' \
	'a mail with an attachment, encrypted'
await 'status=sent' || not_ok 'Postfix delivers it' "$line"
got=$(find "$home/mail/boss/new" -type f | head -n 1)
# Without what Postfix puts in front.
sed '1,/^Date: /{/^Date: /!d}' "$got" > got.eml
tr -d '\r' < sent.eml > want.eml
check 'it arrives as it was composed' cmp want.eml got.eml
like "$(sed "/^Date: /q" "$got")" TLSv1.2 'with TLS 1.2'

failures=0
for ((i = 0; i < 20; i++)); do
	"$tool" send --eml sent.eml "${message[@]}" --to boss@company.example \
		"${tls[@]}" > send.out || failures=$((failures + 1))
done
is "$failures" 0 'twenty more, one process each'

out=$("$tool" send --eml sent.eml "${message[@]}" \
	--to boss@company.example --to nobody@company.example "${tls[@]}")
like "$out" '^partly.*nobody@company.example: 550 ' 'an unknown recipient'
out=$("$tool" send --eml sent.eml "${message[@]}" \
	--to boss@elsewhere.example "${tls[@]}")
like "$out" '^permanent.*Relay access denied' 'no relaying'
out=$("$tool" send --eml sent.eml "${message[@]}" --to boss@company.example \
	--host localhost --port "$port")
like "$out" '^setup.*530 .*STARTTLS' 'without encryption it is refused'
head -c 3000000 /dev/zero > big.bin
"$tool" write --out big.eml "${message[@]}" --to boss@company.example \
	--attach 'big.bin=application/octet-stream=big.bin'
out=$("$tool" send --eml big.eml "${message[@]}" --to boss@company.example \
	"${tls[@]}")
like "$out" '^permanent.*552 ' 'too large'
out=$("$tool" send --eml sent.eml "${message[@]}" --to boss@company.example \
	"${tls[@]}" --user u --password canary-42-secret)
like "$out" '^setup.*offers no login' 'no login there'

finish

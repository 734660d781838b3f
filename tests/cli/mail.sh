#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Mail from end to end: composed, kept in the spool, sent to a real SMTP server
# and to one that misbehaves in every way, read with another program's parser.
set -u
. "$(dirname "$0")/../lib.sh"

tool=$ASBACKUP_BUILD/helpers/mailtool
python=/usr/bin/python3
here=$ASBACKUP_SRC/tests/cli
[ -x "$tool" ] || skip_all 'mailtool is not built'
[ -x "$python" ] || skip_all 'no python3'
"$python" -c 'import aiosmtpd' 2> /dev/null || skip_all 'no python3-aiosmtpd'
command -v openssl > /dev/null || skip_all 'no openssl'
cd "$tmp" || exit 1

# --- certificates ---------------------------------------------------------------

# cert NAME DAYS SUBJECT-ALTERNATIVE-NAME: NAME.pem of our authority, s.key
cert()
{
	openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
		-days "$2" -extfile <(echo "subjectAltName=$3") -out "$1.pem"
}

{
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem \
		-subj /CN=authority -days 2 &&
	openssl req -newkey rsa:2048 -nodes -keyout s.key -out s.csr \
		-subj /CN=server &&
	openssl req -x509 -key s.key -out self.pem -subj /CN=localhost -days 2 \
		-addext subjectAltName=DNS:localhost &&
	cert good 2 DNS:localhost,IP:127.0.0.1 &&
	cert other 2 DNS:other.example &&
	cert old -1 DNS:localhost
} 2> openssl.err || skip_all "no certificates: $(tail -n 1 openssl.err)"

# --- tools ------------------------------------------------------------------------

# smtp NAME ARGS...: starts a server that keeps its mails in NAME; sets $port
smtp()
{
	local name=$1
	shift
	start "$name" "$python" "$here/smtpd.py" --dir "$name" "$@" || return 1
	port=$line
}

tls=(--cert good.pem --key s.key)
auth=(--starttls --ca ca.pem --user 'backup' --password 'canary-42-secret')
from=(--from backup@company.example)
to=(--to boss@company.example)

# send ARGS...: one attempt with m.eml; $out, $verdict
send()
{
	out=$("$tool" send --eml m.eml "${from[@]}" "${to[@]}" --host localhost \
		--port "$port" --timeout-ms 10000 "$@" 2>&1)
	verdict=${out%%$'\n'*}
}

mails() { find "$1" -name '*.eml' 2> /dev/null | wc -l; }

# --- composing --------------------------------------------------------------------

printf 'Sehr geehrte Frau Müller,\n.\n..\nFrom here: 10 €\n' > body
head -c 200000 /dev/urandom > big.bin
printf 'x\n' > small.txt
: > empty.bin

"$tool" write --out m.eml "${from[@]}" --from-name 'Bäckup "Server", <x>' \
	"${to[@]}" --to second@company.example --cc third@company.example \
	--subject 'Größe: 12 TB – Kopie fertig' --body-file body --language de \
	--attach 'größe.bin=application/octet-stream=big.bin' \
	--attach 'small.txt=text/plain=small.txt' \
	--attach 'empty.bin=application/octet-stream=empty.bin'
check 'umlauts, lists and attachments survive another parser' \
	"$python" "$here/mail_check.py" m.eml --from backup@company.example \
	--to boss@company.example --to second@company.example \
	--cc third@company.example --subject 'Größe: 12 TB – Kopie fertig' \
	--body-file body --attach 'größe.bin=big.bin' \
	--attach 'small.txt=small.txt' --attach 'empty.bin=empty.bin'

evil=$'x\r\nBcc: victim@company.example\r\n\r\nbody\e]0;title\a'
"$tool" write --out evil.eml "${from[@]}" --from-name "$evil" "${to[@]}" \
	--subject "$evil" --language "$evil" --host-name "$evil" \
	--body-file body --attach "$evil=text/plain; $evil=small.txt"
check 'no header can be injected by name, subject, host, type or file name' \
	"$python" "$here/mail_check.py" evil.eml --to boss@company.example \
	--subject 'x\r\nBcc: victim@company.example\r\n\r\nbody\x1B]0;title\x07' \
	--body-file body
out=$("$tool" write --out no.eml "${from[@]}" \
	--to $'a@b.example\r\nBcc: c@d.example' --subject s --body-file body)
like "$out" 'is not an e-mail address' 'an address with a line break is refused'

subject=$(printf '%0.sä€𝄞' {1..200})
"$tool" write --out long.eml "${from[@]}" "${to[@]}" --subject "$subject" \
	--body-file body
check 'a subject of 600 characters of 2 to 4 bytes' \
	"$python" "$here/mail_check.py" long.eml --subject "$subject"
"$tool" write --out plain.eml "${from[@]}" "${to[@]}" --body-file body \
	--subject 'Copy to disk 4711 finished after 3 hours and 12 minutes, 2 warnings, see below'
check 'a plain subject is folded, not encoded' \
	"$python" "$here/mail_check.py" plain.eml --subject \
	'Copy to disk 4711 finished after 3 hours and 12 minutes, 2 warnings, see below'
check '... and readable in the source' grep -q '^Subject: Copy to disk' plain.eml
for ((i = 0; i < 60; i++)); do
	many+=(--to "person$i@a-rather-long-department.company.example")
done
"$tool" write --out many.eml "${from[@]}" "${many[@]}" --subject s \
	--body-file body
check 'sixty recipients' "$python" "$here/mail_check.py" many.eml

# --- log files --------------------------------------------------------------------

printf 'first line\npassword is canary-42-secret\nbroken \xff\x1b[2J\nlast line\n' > a.log
"$tool" write --out log.eml "${from[@]}" "${to[@]}" --subject s --body-file body \
	--secret canary-42-secret --log a.log
printf 'first line\npassword is ****************\nbroken \\xFF\\x1B[2J\nlast line\n' > a.want
check 'a small log: masked, made visible' \
	"$python" "$here/mail_check.py" log.eml --attach a.log=a.want

seq -f 'line %g of a log that compresses well' 1 40000 > b.log
"$tool" write --out log.eml "${from[@]}" "${to[@]}" --subject s --body-file body \
	--log b.log
gzip -cn b.log > b.want
check 'a large log is compressed' \
	"$python" "$here/mail_check.py" log.eml --attach b.log.gz=b.want

{
	echo 'first line'
	head -c 3000000 /dev/urandom | base64 -w 100
	echo 'last line'
} > c.log
"$tool" write --out log.eml "${from[@]}" "${to[@]}" --subject s --body-file body \
	--log a.log --log c.log --log b.log --max-kb 600
"$python" - log.eml > c.out << 'END'
import email, email.policy, gzip, os, sys
raw = open(sys.argv[1], "rb").read()
m = email.message_from_bytes(raw, policy=email.policy.default)
parts = {p.get_filename(): p.get_payload(decode=True)
         for p in m.iter_attachments()}
print(" ".join(sorted(parts)))
print(500 * 1024 < len(raw) < 604 * 1024)
text = gzip.decompress(parts["c.log.gz"]).decode()
print(text.startswith("first line\n") and text.endswith("last line\n"))
print(sum("were left out here" in x for x in text.split("\n")))
print(all(len(x) in (100, 80, 40, 0, 10, 9) or "left out" in x
          for x in text.split("\n")))
print(gzip.decompress(parts["b.log.gz"]) == open("b.log", "rb").read())
END
is "$(tr '\n' '|' < c.out)" 'a.log b.log.gz c.log.gz|True|True|1|True|True|' \
	'logs together stay below the limit, the largest is cut in the middle'

# --- sending ----------------------------------------------------------------------

"$tool" write --out m.eml "${from[@]}" "${to[@]}" --subject 'Größe' \
	--body-file body --attach 'big.bin=application/octet-stream=big.bin'
same='sent as it was composed'

smtp plain
send
is "$verdict" sent 'a server without TLS and login'
check "$same" cmp m.eml plain/1.eml
is "$("$python" -c 'import json
j = json.load(open("plain/1.json")); print(j["from"], j["to"], j["tls"])')" \
	"backup@company.example ['boss@company.example'] False" 'its envelope'
send --host 127.0.0.1
is "$verdict" sent 'by IPv4 address'
end "$pid"
send
is "$verdict" temporary 'a server that is not there'
like "$out" 'cannot reach the mail server localhost:[0-9]+: .*action: ' '... says so'

smtp full "${tls[@]}" --user backup --password canary-42-secret
for i in 1 2 3 4 5 6 7 8; do
	send "${auth[@]}"
	[ "$verdict" = sent ] || break
done
is "$verdict $(mails full)" 'sent 8' 'TLS and login, eight times'
check "$same" cmp m.eml full/8.eml
is "$("$python" -c 'import json
j = json.load(open("full/1.json")); print(j["tls"], j["user"])')" \
	'True backup' 'encrypted and logged in'
is "$(cat full/sni)" localhost 'the name is told to the server (SNI)'
send "${auth[@]}" --host 127.0.0.1
is "$verdict" sent 'a certificate for the address'
send "${auth[@]}" --password wrong-42-secret
is "$verdict" setup 'wrong password'
like "$out" '535.*action: check username' '... with the answer of the server'
unlike "$out" 'secret' '... and without the password'
send
is "$verdict" setup 'a server that wants TLS, and we do not'
send --starttls --ca ca.pem
is "$verdict" setup 'a server that wants a login, and we have none'
like "$out" '530' '... says so'
is "$(mails full)" 9 'nothing arrived in these cases'

smtp ok "${tls[@]}" --mode ok --pipelining
send "${auth[@]}"
is "$verdict" sent 'a server with PIPELINING'
check "$same" cmp m.eml ok/1.eml
check 'one that counts dots' grep -qx '\.' body
unlike "$(cat ok/wire.plain)" 'AUTH|MAIL|canary|Y2FuYXJ5' \
	'nothing but EHLO and STARTTLS is sent in clear'
like "$(cat ok/wire.tls)" 'AUTH' '... the login is inside'

# --- TLS that is not to be trusted ------------------------------------------------

# no_secret NAME: asserts that no login left in clear and nothing arrived
no_secret()
{
	local secret
	secret=$(cat "$1"/wire.* 2> /dev/null | tr -d '\0')
	if [[ $secret == *AUTH* || $secret == *"MAIL FROM"* ]] ||
		[ "$(mails "$1")" != 0 ]; then
		not_ok "$1: no login, no mail" "$secret"
	else
		ok "$1: no login, no mail"
	fi
}

# untrusted NAME REGEX CERT [TOOL-ARGS...]
untrusted()
{
	local name=$1 regex=$2 cert=$3
	shift 3
	smtp "$name" --cert "$cert" --key s.key --mode ok
	send "${auth[@]}" "$@"
	is "$verdict" setup "$name: nothing is sent before it is repaired"
	like "$out" "$regex" "$name: says why"
	no_secret "$name"
	end "$pid"
}

untrusted self-signed 'self.signed certificate' self.pem
untrusted wrong-name '[Hh]ostname mismatch' other.pem
untrusted expired 'certificate has expired' old.pem
untrusted unknown-authority 'unable to get|self.signed' good.pem --ca ''
untrusted wrong-address 'IP address mismatch' other.pem --host 127.0.0.1
untrusted no-ca-file 'cannot read the certificates in' good.pem --ca /nonexistent.pem
smtp pinned --cert self.pem --key s.key --mode ok
send "${auth[@]}" --ca self.pem
is "$verdict" sent 'a self-signed certificate that is the ca-file'
end "$pid"

smtp no-starttls "${tls[@]}" --mode no-starttls
send "${auth[@]}"
is "$verdict" setup 'no-starttls: setup'
like "$out" 'does not offer STARTTLS' 'no-starttls: says so'
no_secret no-starttls
end "$pid"
smtp injection "${tls[@]}" --mode inject
send "${auth[@]}"
is "$verdict" setup 'injection: setup'
like "$out" 'plain text into the encrypted' 'injection: says so'
no_secret injection
end "$pid"
smtp no-login "${tls[@]}" --mode no-auth
send "${auth[@]}"
is "$verdict" setup 'no-login: setup'
no_secret no-login
end "$pid"
smtp ntlm "${tls[@]}" --mode ntlm
send "${auth[@]}"
is "$verdict" sent 'a server that refuses the first kind of login'
end "$pid"
smtp echo "${tls[@]}" --mode echo
send "${auth[@]}"
is "$verdict" setup 'echo: setup'
unlike "$out" "canary|$(printf '\0backup\0canary-42-secret' | base64)" \
	'echo: a server that repeats the login does not get it into the message'
end "$pid"
smtp handshake "${tls[@]}" --mode close:handshake
send "${auth[@]}"
is "$verdict" temporary 'closed in the handshake: later'
end "$pid"
port=465
send "${auth[@]}"
is "$verdict" setup 'port 465'
send --user u --password canary-42-secret --port 25
like "$out" 'never sent without encryption' 'a password without TLS is refused'

# --- refusals ---------------------------------------------------------------------

# refusal STAGE CODE VERDICT [REGEX]
refusal()
{
	smtp "r-$1-$2" "${tls[@]}" --mode "reject=$2:$1" $pipelining
	send "${auth[@]}"
	is "$verdict" "$3" "$2 at $1"
	like "$out" "${4:-$2 no, not at $1}" "... with the answer of the server"
	is "$(mails "r-$1-$2")" 0 '... and nothing arrived'
	end "$pid"
}

pipelining=
refusal greeting 554 setup
refusal greeting 421 temporary
refusal ehlo 554 setup
refusal starttls 501 setup
refusal starttls 454 temporary
refusal auth 535 setup
refusal auth 454 temporary
for pipelining in '' --pipelining; do
	rm -rf r-*
	refusal mail 550 permanent
	refusal mail 530 setup
	refusal mail 451 temporary
	refusal rcpt 550 permanent
	refusal rcpt 450 temporary
	refusal data 554 permanent
	refusal data 451 temporary
	refusal body 552 permanent
	refusal body 452 temporary
done

smtp partly --mode ok
to=(--to bad@company.example --to good@company.example)
send
is "$verdict" partly 'one of two recipients is refused'
like "$out" '550 5.1.1 nobody here' '... with the reason'
to=(--to later@company.example --to bad@company.example)
send
is "$verdict" temporary 'one refused for now, one for good: try again'
to=(--to boss@company.example)
end "$pid"

# --- broken lines -----------------------------------------------------------------

for stage in greeting ehlo starttls auth mail rcpt data body; do
	smtp "c-$stage" "${tls[@]}" --mode "close:$stage"
	send "${auth[@]}"
	is "$verdict" temporary "closed at $stage: later"
	end "$pid"
done
like "$out" 'meaning: .*arrives twice' 'closed after the message: may be there'
smtp c-quit "${tls[@]}" --mode close:quit
send "${auth[@]}"
is "$verdict" sent 'closed at QUIT: sent'
end "$pid"

for stage in connect greeting starttls rcpt body; do
	smtp "s-$stage" "${tls[@]}" --mode "silent:$stage"
	SECONDS=0
	send "${auth[@]}" --timeout-ms 2000
	is "$verdict" temporary "silent at $stage: given up in time"
	[ "$SECONDS" -lt 20 ] || not_ok "silent at $stage took $SECONDS s"
	end "$pid"
done
smtp s-quit "${tls[@]}" --mode silent:quit
send "${auth[@]}" --timeout-ms 3000
is "$verdict" sent 'silent at QUIT: sent, not sent again'
end "$pid"
smtp slow "${tls[@]}" --mode slow:greeting
send "${auth[@]}" --timeout-ms 3000
is "$verdict" temporary 'one byte a second: the limit is for all together'
like "$out" 'did not finish within 3 s' '... says so'
end "$pid"
for stage in greeting ehlo auth body; do
	smtp "h-$stage" "${tls[@]}" --mode "huge:$stage"
	send "${auth[@]}"
	like "$verdict" '^(setup|temporary)$' "an endless answer at $stage"
	end "$pid"
done

printf 'Subject: x\n\nbare\n' > m.eml
send
is "$verdict" permanent 'a file with bare line feeds is not sent'

# --- the spool --------------------------------------------------------------------

message=("${from[@]}" --subject 'Größe' --body-file body)
put() { "$tool" put --spool spool "${message[@]}" "$@"; }
flush()
{
	out=$("$tool" flush --spool spool --host localhost --port "$port" \
		--timeout-ms 5000 "$@" 2> flush.err)
	first=${out%%$'\n'*}
}

p1=$(put "${to[@]}" --cc BOSS@company.example --cc two@company.example)
like "$p1" '^spool/[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{8}\.eml$' 'a mail is kept'
is "$(stat -c %a spool "$p1" "${p1%.eml}.env" | tr '\n' ' ')" '700 600 600 ' \
	'nobody else can read it'
is "$(grep -c '^to: ' "${p1%.eml}.env")" 2 'each recipient once'
out=$("$tool" try --eml "$p1")
like "$out" '^1.no mail server is configured' 'without a server it stays'
is "$("$tool" flush --spool spool | head -n 1)" \
	'sent 0 waiting 0 failed 0 not-due 1 refused 0' '... also when flushed'

smtp spooled --mode ok
put "${to[@]}" > /dev/null
flush
is "$first" 'sent 2 waiting 0 failed 0 not-due 0 refused 0' 'both are sent'
is "$(find spool -type f | wc -l) $(mails spooled)" '0 2' '... and gone'
check 'the first one first' grep -q '^Cc: ' spooled/1.eml
p=$(put --to later@company.example --to bad@company.example --to good@company.example)
flush
is "$first" 'sent 0 waiting 1 failed 0 not-due 0 refused 1' \
	'sent to one; waits for one; refused for one'
is "$(grep '^to: ' "${p%.eml}.env")" 'to: later@company.example' \
	'only the one remains in the envelope'
like "$(cat "${p%.eml}.env")" 'attempts: 1.next: 20.*error: .*550' \
	'attempts, time and error are noted'
flush
is "$first" 'sent 0 waiting 0 failed 0 not-due 1 refused 0' 'not before its time'
flush --force
is "$first" 'sent 0 waiting 1 failed 0 not-due 0 refused 0' '... unless forced'
is "$(mails spooled)" 3 'and nobody got it twice'
rm -rf spool
p=$(put --to bad@company.example)
out=$("$tool" try --eml "$p" --host localhost --port "$port")
like "$out" '^2.*550.*kept as spool/failed/.*action: ' 'refused for good: kept in failed'
is "$(find spool -type f | sed 's|/2[^/]*\.|/|' | sort | tr '\n' ' ')" \
	'spool/failed/eml spool/failed/env ' '... with its envelope'
mv spool/failed/* spool/
sed -i 's/^to: .*/to: good@company.example/' spool/*.env
flush --force
is "$first" 'sent 1 waiting 0 failed 0 not-due 0 refused 0' 'moved back and sent'

put "${to[@]}" > /dev/null
p=$(put "${to[@]}")
printf 'asbackup-envelope 1\nfrom: x\n' > "${p%.eml}.env"
flush
is "$first" 'sent 1 waiting 0 failed 1 not-due 0 refused 0' \
	'a broken envelope stops nobody else'
touch -d '2 hours ago' spool/.x.eml.abcdef spool/20200101T000000Z-00000000.env
touch spool/20300101T000000Z-00000000.env
flush
is "$(find spool -maxdepth 1 -type f -printf '%f ')" \
	'20300101T000000Z-00000000.env ' 'old leftovers are cleared away'
rm -rf spool
end "$pid"

smtp down --mode reject=421:greeting
for i in 1 2 3 4; do put "${to[@]}" > /dev/null; done
flush
is "$first" 'sent 0 waiting 2 failed 0 not-due 2 refused 0' \
	'after two failures in a row the rest waits'
end "$pid"
rm -rf spool

for ((i = 0; i < 203; i++)); do
	put "${to[@]}" > /dev/null 2>> put.err
done
is "$(mails spool) $(grep -c 'was dropped unsent' put.err)" '200 3' \
	'200 are kept, and what is dropped is told'
rm -rf spool

# Two at once: each mail goes out once.
smtp twice --mode ok
for i in 1 2 3 4 5 6 7 8 9 10; do put "${to[@]}" > /dev/null; done
pids=()
for i in 1 2 3; do
	"$tool" flush --spool spool --host localhost --port "$port" \
		> "flush.$i" 2>&1 &
	pids+=($!)
done
wait "${pids[@]}"
is "$(mails twice) $(find spool -type f | wc -l)" '10 0' \
	'three senders at once send ten mails ten times'
end "$pid"

chmod 777 spool
out=$(put "${to[@]}")
like "$out" 'others may write to spool.*chmod 700' \
	'a directory that others may write to is refused'

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# Reports and mail servers of all kinds: a mail never decides about a copy, and
# none is lost.
. "$(dirname "$0")/faultlib.sh"

server=$ASBACKUP_SRC/tests/cli/smtpd.py
"$python" -c 'import aiosmtpd' 2> /dev/null || skip_all 'no python3-aiosmtpd'
command -v openssl > /dev/null || skip_all 'no openssl'
{
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/s.key" \
		-out "$tmp/s.pem" -subj /CN=localhost -days 2 \
		-addext subjectAltName=DNS:localhost
} 2> "$tmp/openssl.err" || skip_all 'no certificate could be made'

# smtp NAME ARGS...: a server that keeps its mails in $tmp/NAME.
smtp()
{
	local name=$1
	shift
	start "$name" "$python" "$server" --dir "$tmp/$name" "$@" || return 1
	conf Mail server localhost
	conf Mail port "$line"
	box=$tmp/$name smtp_pid=$pid
}

# received N FILTER: of the N-th mail that the server took (jq, its envelope).
received() { jq -r "$2" "$box/$1.json"; }
received_count() { find "$box" -name '*.json' | wc -l; }
text() { "$python" "$helper" mail "$box/$1.eml"; }

# due: the time of every waiting mail has come.
due()
{
	local env
	for env in "$spool"/*.env; do
		sed -i 's/^next: .*/next: 2020-01-01T00:00:00Z/' "$env"
	done
}

new_mail_world()
{
	world
	fill
	disk d ext4
	disks "$d_uuid,disk@example.org"
	conf Mail encryption none
	conf Mail timeout-seconds 2
}

# --- a server that misbehaves -----------------------------------------------------

misbehaves()
{
	local mode=$1 began what="a server that does $1"
	head -c 40000 /dev/urandom > "$src/Job A/inc1.vib"
	settle
	smtp "bad-${mode//[=:]/-}" --mode "$mode"
	began=$SECONDS
	asb
	is "$((SECONDS - began < 25))" 1 "$what: does not keep the copy waiting"
	run_is_good "$d_dev" "$what"
	warned "$2" "$what: warned"
	end "$smtp_pid"
}

new_mail_world
waits='could not be sent and waits'
misbehaves silent:greeting "$waits"
misbehaves slow:ehlo "$waits"
misbehaves reject=451:data "$waits"
misbehaves close:data "$waits"
misbehaves close:body "$waits"
misbehaves huge:ehlo "$waits"
data_is_good "$d_dev" 'bad servers: the copy is the source'

# Nobody listens on that port any more.
asb
run_is_good "$d_dev" 'no server'
warned "$waits" 'no server: warned'
is "$(mail_count)" 14 'all the mails wait: two of each run'
like "$(mail -1)" 'copy good, with warnings|copy good' 'the last one is the report'

# --- the good one, later ----------------------------------------------------------

smtp good
conf Mail timeout-seconds 30
asb mail-retry
is "$(received_count)" 0 'mail-retry: too early, nothing is tried yet'
is "$(mail_count)" 14 '... and nothing is lost'
due
asb mail-retry
asb_is 0 'mail-retry: when the time has come'
is "$(received_count)" 14 'mail-retry: all of them arrive'
is "$(mail_count)" 0 'mail-retry: the spool is empty'
is "$(received 1 '.to | sort | join(" ")')" \
	'disk@example.org sysop@example.org' 'to the sysop and to those of the disk'
like "$(text 1)" 'copy begins' 'the oldest comes first'
is "$(cat "$box"/*.eml | grep -ci '^Message-ID:')" \
	"$(cat "$box"/*.eml | grep -i '^Message-ID:' | sort -u | wc -l)" \
	'every one once'

conf Mail cc boss@example.org
asb
run_is_good "$d_dev" 'a good server'
is "$(received_count)" 16 'a mail at the start and one at the end'
is "$(received 16 '.to | sort | join(" ")')" \
	'boss@example.org disk@example.org sysop@example.org' 'cc hears too'
is "$(mail_count)" 0 'nothing waits'
is "$(status '.warnings | length')" 0 'no warning'

# A run that fails reports as well.
mv "$src" "$src.away"
mkdir "$src"
asb
asb_is 11 'an empty source'
like "$(text 17)" 'Subject:.*COPY FAILED' 'its mail arrives'
rmdir "$src"
mv "$src.away" "$src"
end "$smtp_pid"

# What waits goes out with the next run.
asb
is "$(mail_count)" 2 'the server is away'
smtp good2
due
asb
run_is_good "$d_dev" 'the server is back'
is "$(received_count)" 4 'the waiting mails go out with the next run'
is "$(mail_count)" 0 'nothing waits any more'
end "$smtp_pid"

# A refused recipient: the others get it.
conf Mail cc bad@example.org
smtp picky --mode ok
asb
run_is_good "$d_dev" 'a recipient is refused'
is "$(received 2 '.to | sort | join(" ")')" \
	'disk@example.org sysop@example.org' 'the others get the report'
end "$smtp_pid"
conf Mail cc
detach "$d_dev"

# --- encryption ---------------------------------------------------------------------

new_mail_world
secret='canary 7 word'
smtp tls --cert "$tmp/s.pem" --key "$tmp/s.key" --user backup \
	--password "$secret"
conf Mail timeout-seconds 20
conf Mail encryption starttls
conf Mail ca-file "$tmp/s.pem"
conf Mail username backup
conf Mail password "$secret"
asb
run_is_good "$d_dev" 'STARTTLS and AUTH'
is "$(received_count)" 2 'STARTTLS and AUTH: both mails arrive'
is "$(received 2 '[.tls, .user] | map(tostring) | join(" ")')" \
	'true backup' 'STARTTLS and AUTH: encrypted, logged in'
is "$(status '.warnings | length')" 0 'STARTTLS and AUTH: no warning'

printf '%s\n' "$secret" > "$w/password"
chmod 600 "$w/password"
conf Mail password
conf Mail password-file "$w/password"
asb
is "$(received_count)" 4 'the password in a file'

conf Mail ca-file
asb
run_is_good "$d_dev" 'a certificate that nobody knows'
is "$(received_count)" 4 'a certificate that nobody knows: nothing is sent'
warned "$waits" 'a certificate that nobody knows: warned'
end "$smtp_pid"

conf Mail ca-file "$tmp/s.pem"
conf Mail timeout-seconds 3
smtp stripped --mode no-starttls --cert "$tmp/s.pem" --key "$tmp/s.key"
asb
run_is_good "$d_dev" 'STARTTLS is taken away'
warned "$waits" 'STARTTLS is taken away: warned'
unlike "$(cat "$box/wire.plain")" 'AUTH|MAIL FROM' \
	'STARTTLS is taken away: nothing is said in the open'
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
#
# Wrong configurations and wrong calls: what is said, what the exit code is,
# and that nothing is done.
. "$(dirname "$0")/lib.sh"

world
fill
disk d ext4
disks "$d_uuid"
image_before=$(sha256sum < "$d_img")

# wrong SECTION KEY VALUE TEXT: one line is wrong; told are file, section, key
# and why. The configuration is put back.
wrong()
{
	local section=$1 key=$2 value=$3 text=$4 what old had
	what="[$section] $key = ${value:0:40}"
	had=${conf_values["$section|$key"]+yes}
	old=${conf_values["$section|$key"]-}
	conf "$section" "$key" "$value"
	asb
	if [ -n "$had" ]; then
		conf "$section" "$key" "$old"
	else
		conf "$section" "$key"
	fi
	asb_is 3 "$what: exit code 3"
	like "$err" "$config" "$what: names the file"
	like "$err" "\[$section\]" "$what: names the section"
	like "$err" "$key" "$what: names the key"
	like "$err" "$text" "$what: says why"
}

# file WHAT TEXT [MODE]: the same for a whole file, from standard input.
file()
{
	local what=$1 text=$2
	cat > "$w/own.ini"
	chmod "${3:-600}" "$w/own.ini"
	"$asbackup" --config "$w/own.ini" > "$w/out" 2> "$w/err"
	code=$?
	out=$(cat "$w/out") err=$(tr -d '\0' < "$w/err")
	asb_is 3 "$what: exit code 3"
	like "$err" "$w/own.ini" "$what: names the file"
	like "$err" "$text" "$what: says why"
}

# --- one value ------------------------------------------------------------------

wrong Backup rsync-update-ratio-secs 30 'did you mean "rsync-update-ratio-seconds"'
wrong Backup no-such-thing-at-all 1 'not known'
wrong Mail wait-for-veeam-minutes 5 'belongs to section \[Backup\]'
wrong Backup wait-for-veeam-minutes soon 'not a whole number'
wrong Backup wait-for-veeam-minutes -1 'out of range'
wrong Backup max-delete-percent 101 'out of range'
wrong Backup rsync-update-ratio-seconds 5s 'not a whole number'
wrong Backup free-space-threshold-gb 99999999999999999999 'out of range'
wrong Backup mount-visible maybe 'neither yes nor no'
wrong Backup rsync-options fast 'safe, classic'
wrong Backup io-priority high 'idle, low, normal'
wrong Backup disk-adoption never 'first-use, manual'
wrong Backup eject now 'none, poweroff'
wrong Backup bandwidth-limit plenty 'not a rate'
wrong Backup backup-source data/veeam 'not an absolute path'
wrong Backup backup-source /srv/../etc 'not a plain path'
wrong Backup backup-destination mnt 'not an absolute path'
wrong Backup backup-lockfile-path ../lock 'not a file below the destination'
wrong Backup log-file-path /var/log/ 'is a directory'
wrong Backup rsync-log-file-path rsync.log 'not an absolute path'
wrong Backup rsync-excludes excludes 'not an absolute path'
wrong Backup pre-run hook.sh 'absolute path of a program'
wrong Backup post-run 'bin/x --flag' 'absolute path of a program'
wrong Backup filesystem-ids-and-notification-mail-addresses \
	'a@example.org,b@example.org' 'before the first UUID'
wrong Backup filesystem-ids-and-notification-mail-addresses \
	'1234-567' 'not a UUID|neither a UUID'
wrong Backup filesystem-ids-and-notification-mail-addresses \
	"$d_uuid,$d_uuid" 'twice'
wrong Mail to-mail-addresses-sysop 'nobody at home' 'not a mail address'
wrong Mail to-mail-addresses-sysop 'a@example.org,Bcc: x' 'not a mail address'
wrong Mail from-mail-address example.org 'not a mail address'
wrong Mail server 'mail.example.org:25' 'a key of its own|host with a port'
wrong Mail port 0 'out of range'
wrong Mail encryption ssl 'not supported'
wrong Mail password-file "$w/not-there" 'No such file'
wrong Webserver webport 70000 'out of range'
wrong VEEAM when-copy-runs panic 'wait, yield'
wrong VEEAM lease-hours 0 'out of range'
wrong 'disk X' uuid nonsense 'UUID'
wrong 'disk X' mail x@example.org 'has no uuid|not a mail'
wrong General language 'de;rm' 'not a language'
wrong Debug debug 2 'neither yes nor no'

conf Mail port 465
conf Mail server mail.example.org
asb
asb_is 3 'port 465: exit code 3'
like "$err" '587' 'port 465: names the one that works'
conf Mail port
conf Mail username backup
conf Mail password hunter2secret
conf Mail encryption none
asb
asb_is 3 'a password without encryption: exit code 3'
unlike "$err$out" 'hunter2' 'a password without encryption: it is not shown'
conf Mail encryption

# --- a whole file ---------------------------------------------------------------

file 'a key twice' 'backup-source.*line 2' < <(printf '[Backup]\nbackup-source = /srv\nbackup-source = /etc\n')
file 'no source' '\[Backup\] backup-source is missing' < <(printf '[Backup]\nrsync-options = safe\n')
file 'a section that is near' 'did you mean \[Backup\]' < <(printf '[Backpu]\nbackup-source = /srv\n')
file 'no section' ':1: .*before the first section' < <(printf 'backup-source = /srv\n')
file 'no equals sign' ':2: .*key = value' < <(printf '[Backup]\nbackup-source /srv\n')
file 'a broken head' ':1: .*head of a section' < <(printf '[Backup\nbackup-source = /srv\n')
file 'an open quote' ':2: .*backup-source.*quote' < <(printf '[Backup]\nbackup-source = "/srv\n')
file 'a control character' ':2: .*backup-source.*control character' < <(printf '[Backup]\nbackup-source = /sr\x01v\n')
file 'no UTF-8' ':2: .*backup-source.*UTF-8' < <(printf '[Backup]\nbackup-source = /sr\xffv\n')
file 'a NUL byte' ':2: .*NUL' < <(printf '[Backup]\nbackup-source = /srv\0\n')
file 'UTF-16' 'UTF-16' < <(printf '\xff\xfe[\0B\0]\0\n\0')
file 'a password that others can read' 'chmod 600' 644 < <(printf '[Backup]\nbackup-source = /srv\n[Mail]\npassword = hunter2secret\nusername = x\nserver = mail.example.org\n')
unlike "$err" 'hunter2' 'a password that others can read: it is not shown'
file 'a program that others can change' 'chmod' 666 < <(printf '[Backup]\nbackup-source = /srv\npre-run = /bin/true\n')
clean 'messages about broken files are clean' "$w/err"

asb_config() { "$asbackup" --config "$1" > "$w/out" 2> "$w/err"; code=$?; err=$(cat "$w/err"); }
asb_config "$w/none.ini"
asb_is 3 'no configuration: exit code 3'
like "$err" "$w/none.ini.*No such file" 'no configuration: names the file'
asb_config "$w"
asb_is 3 'a directory as configuration: exit code 3'

# --- what is missing in the world ---------------------------------------------

for key in username password; do
	conf Mail "$key"
done
conf Mail server

conf Backup rsync-excludes "$w/excludes"
asb
asb_is 3 'excludes that are not there: exit code 3'
like "$err" "$w/excludes.*rsync-excludes" 'excludes: named'
asb check
asb_is 3 'check finds the missing excludes'
like "$out" "$w/excludes" 'check names the excludes'
conf Backup rsync-excludes

asb check
asb_is 0 'check: nothing is wrong'
like "$out" 'Nothing here would make a run fail' 'check says so'
like "$out" "$d_dev" 'check names the attached disk'
asb check --json
is "$(jq -r '[.version, .exit_code, (.checks | map(.result == "failed") |
	any)] | map(tostring) | join(" ")' <<< "$out")" '1 0 false' \
	'check --json'

conf Backup backup-source "$w/gone/"
asb check
asb_is 11 'check finds the missing source'
like "$out" "$w/gone" 'check names the source'
asb check --json
is "$code $(jq -r .exit_code <<< "$out")" '11 11' \
	'check --json: the exit code of the run'
conf Backup backup-source "$src/"

: > "$w/file"
conf Backup veeam-lockfile-dir "$w/file/locks"
asb check
asb_is 12 'check finds a lock directory that cannot be'
like "$out" "$w/file" 'check names the lock directory'
asb
asb_is 12 'a lock directory that cannot be: the run ends'
conf Backup veeam-lockfile-dir "$veeam"

conf Backup log-file-path "$w/file/asbackup.log"
asb check
asb_is 3 'check finds a log that cannot be written'
asb
asb_is 3 'a log that cannot be written: exit code 3'
like "$err" 'log-file-path' 'a log that cannot be written: names the key'
conf Backup log-file-path

conf Paths state-directory "$w/file/state"
asb
asb_is 3 'a state directory that cannot be: exit code 3'
like "$err" 'state-directory' 'a state directory: names the key'
conf Paths state-directory "$state"

ln -s "$w/canary" "$w/link.log"
conf Backup log-file-path "$w/link.log"
asb
asb_is 3 'a log that is a link: exit code 3'
check 'a log that is a link: not followed' test ! -e "$w/canary"
conf Backup log-file-path

conf Backup pre-run "$w/hook"
asb
asb_is 3 'a program that is not there: exit code 3'
like "$err" 'pre-run' 'a program that is not there: names the key'
printf '#!/bin/sh\ntouch "%s/ran"\n' "$w" > "$w/hook"
chmod 755 "$w/hook"
asb check
asb_is 3 'a program where anybody could put another: check refuses'
asb
asb_is 3 'a program where anybody could put another: the run refuses'
check 'it was not started' test ! -e "$w/ran"
conf Backup pre-run

conf_write
like "$(env PATH="$w" "$asbackup" --config "$config" check 2>&1)" \
	'rsync +3' "rsync is found whatever the caller's PATH is"

is "$(sha256sum < "$d_img")" "$image_before" 'the disk was never touched'

# --- print-config ---------------------------------------------------------------

conf Mail server mail.example.org
conf Mail username backup
conf Mail password hunter2secret
asb --print-config
asb_is 0 '--print-config'
like "$out" 'username = backup' '--print-config shows the settings'
like "$out" 'password = \*\*\*\*' '--print-config hides the password'
unlike "$out$err" hunter2 'the password is nowhere'
conf Debug debug yes
export SMTP_PASSWORD=hunter3secret
asb check
unlike "$out$err$(cat "$logs"/*.log 2> /dev/null)" 'hunter[23]' \
	'no password with debug either'
unset SMTP_PASSWORD
conf Debug debug
conf Mail server
conf Mail username
conf Mail password

# --- calls ----------------------------------------------------------------------

# call CODE WHAT ARG...
call()
{
	local wanted=$1 what=$2
	shift 2
	out=$("$asbackup" "$@" 2> "$w/err" < /dev/null)
	code=$?
	err=$(cat "$w/err")
	asb_is "$wanted" "$what"
}
call 0 '--help' --help
like "$out" 'Usage: asbackup' '--help says how'
for word in run disks status history check match verify restore-check; do
	like "$out" "$word" "--help: $word"
done
call 0 '-h' -h
call 0 '--version' --version
like "$out" '^asbackup [0-9]' '--version'
call 2 'an unknown command' frobnicate
like "$err" frobnicate 'an unknown command: named'
call 2 'an unknown option' --frobnicate
call 2 'an option of another command' history --force
call 2 'two commands' run disks
call 2 'a value that is missing' --uuid
call 2 'a part that is none' verify --part 5/4
call 2 'a part without a slash' verify --part 1
call 2 'a number that is none' history -n many

# --- no disk --------------------------------------------------------------------

mails_before=$(mail_count)
detach "$d_dev"
asb
asb_is 10 'no disk: exit code 10'
like "$err" 'attached|plug' 'no disk: says so'
is "$(mail_count)" "$mails_before" 'no disk: no mail'
is "$(status '.state + " " + .step')" 'failed match' 'no disk: the status'
asb --uuid "$(new_uuid)"
asb_is 10 'a UUID that is not configured: exit code 10'
mails_before=$(mail_count)
conf Backup filesystem-ids-and-notification-mail-addresses
asb
asb_is 10 'no disk configured: exit code 10'
is "$(mail_count)" "$mails_before" 'no disk configured: no mail'
finish

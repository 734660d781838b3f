#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# What the units need of the program: copies that wait for each other, a disk
# that comes back, mails that a user without rights sends, a warning when no
# copy comes.  (The units themselves: tests/vm.)
. "$(dirname "$0")/faultlib.sh"

# Made by "disk NAME".
e_uuid='' e_dev='' g_uuid='' g_dev=''

# --- two disks at once ----------------------------------------------------------

# second [OPTION...]: another run, in the background: $second_pid.
second()
{
	rm -f "$w/err2"
	"$asbackup" --config "$config" "$@" > "$w/out2" 2> "$w/err2" \
		< /dev/null &
	second_pid=$!
	kill_at_end "$second_pid"
}
second_waits() { grep -qs 'another copy is active' "$w/err2"; }

what='two disks at once'
world
fill
disk d ext4 128M
disk e ext4 128M
disks "$d_uuid" "$e_uuid"
slow_copy 2
asb_start --uuid "$d_uuid"
check "$what: the first one copies" await_run "$copying"
second --queue --uuid "$e_uuid"
check "$what: the second one says that it waits" until_true 20 second_waits
check "$what: the status is still that of the first" run_says "$copying"
asb_wait
asb_is 0 "$what: the first one is good"
wait "$second_pid"
is $? 0 "$what: then the second one runs, and is good"
data_is_good "$d_dev" "$what: the data is on the first disk"
data_is_good "$e_dev" "$what: and on the second"
is "$(jq -r .disk.uuid "$run_dir/status.json")" "$e_uuid" \
	"$what: the status is that of the second"

what='a copy that waits for its turn is stopped'
slow_copy 9
asb_start --uuid "$d_uuid"
check "$what: the first one copies" await_run "$copying"
second --queue --uuid "$e_uuid"
check "$what: the second one waits" until_true 20 second_waits
kill -TERM "$second_pid"
wait "$second_pid"
is $? 143 "$what: exit code 143"
check "$what: the first one goes on" run_says "$copying"
second --uuid "$e_uuid"
wait "$second_pid"
is $? 75 "$what: without --queue it is told to come later"
kill -KILL "$asb_pid"
asb_wait
detach_all

# --- pulled out and plugged in again --------------------------------------------

what='plugged in again before the run has ended'
if make_store xfs; then
	world
	fill
	disk_on_store d ext4 96M
	disks "$d_uuid"
	slow_copy 3
	asb_start --queue
	check "$what: reached" await_run "$copying"
	pull "$d_dev" "$d_img"
	mv "$d_img.pulled" "$d_img"
	attach "$d_img"
	asb_wait
	asb_is 0 "$what: it starts anew, and the copy is good"
	like "$err" 'plugged in again' "$what: told"
	is "$(mails | wc -l)" 4 "$what: two mails of each run"
	data_is_good "$dev" "$what: the data is on the disk"
	detach_all
else
	skip "$what" 'no store for the images'
fi

# --- the user that sends the mails ----------------------------------------------

# as_service COMMAND...: as a user with a low number and no rights.
service=998
as_service()
{
	setpriv --reuid "$service" --regid "$service" --clear-groups \
		--no-new-privs "$@"
}

what='mails of another user'
world
fill
disk d ext4
disks "$d_uuid"
mkdir -p "$spool"
chown "$service:$service" "$spool"
chmod 700 "$spool"
asb
asb_is 0 "$what: root puts them in"
is "$(mail_count)" 2 "$what: both are there"
is "$(find "$spool" -type f ! -user "$service" | wc -l)" 0 \
	"$what: they belong to the user that sends them"
# As systemd hands a credential over: root's file, readable by the service.
mkdir "$w/credentials"
conf Mail password geheim
conf_write
cp "$config" "$w/credentials/config.ini"
chmod 444 "$w/credentials/config.ini"
chmod 711 "$tmp" "$w" "$state"
as_service env CREDENTIALS_DIRECTORY="$w/credentials" "$asbackup" \
	--config "$w/credentials/config.ini" mail-retry > "$w/out" 2> "$w/err"
code=$? err=$(cat "$w/err")
is "$code" 75 "$what: without a server they wait on"
as_service "$asbackup" --config "$w/credentials/config.ini" mail-retry \
	2> "$w/err"
is $? 3 "$what: outside of the credentials a password that all can read is refused"
chown 1000:1000 "$spool"
asb
like "$(cat "$w/err")" 'belongs to another user' \
	"$what: the directory of a person is refused"
rm -rf "$spool"
detach_all

# --- no copy comes --------------------------------------------------------------

what=overdue
world
fill
asb overdue
asb_is 0 "$what: nothing is configured, nothing is overdue"
is "$(mail_count)" 0 "$what: and nobody is told"
disk d ext4
disks "$d_uuid"
asb overdue --no-mail
asb_is 1 "$what: no copy yet"
is "$(mail_count)" 0 "$what: --no-mail"
asb overdue
asb_is 1 "$what: no copy yet, with a mail"
like "$(mail -1)" 'Subject:.*there is no backup copy yet' "$what: its subject"
mailed 'plug in one of the backup disks' "$what: it says what to do"
asb
asb_is 0 "$what: a copy"
asb overdue
asb_is 0 "$what: a copy was made"
like "$("$asbackup" --config "$config" overdue --json)" '"overdue": false' \
	"$what: as JSON"
sed -i 's/"last_good": "[0-9]*/"last_good": "2001/' "$state/public/copies.json"
asb overdue
asb_is 1 "$what: an old copy"
like "$(mail -1)" 'Subject:.*is overdue' "$what: its subject"
mailed "$d_uuid: 2001" "$what: the mail names the disk and when it was good"
clean "$what: the mail" "$(mails | tail -n 1)"
printf 'no json' > "$state/public/copies.json"
asb overdue
asb_is 3 "$what: a damaged list is told"
detach_all

# --- what programs read ---------------------------------------------------------

# Who asks for JSON is a program: it must not take half a document, or none, for
# an answer.
what='standard output is full'
world
fill
disk d ext4
disks "$d_uuid"
asb
asb_is 0 "$what: a copy"
for command in disks history check overdue verify restore-check; do
	asb "$command" --json
	asb_is 0 "$what: $command has something to say"
	"$asbackup" --config "$config" "$command" --json > /dev/full \
		2> "$w/err" < /dev/null
	code=$? err=$(cat "$w/err")
	asb_is 1 "$what: $command, exit code 1"
	like "$err" 'cannot be printed: No space left' "$what: $command, told"
done
check "$what: unmounted" free_disk "$d_dev"
detach_all

# --- disks --add ----------------------------------------------------------------

# answer LINE...: to "disks --add".
answer()
{
	printf '%s\n' "$@" | "$asbackup" --config "$config" disks --add \
		> "$w/out" 2> "$w/err"
	code=$? out=$(cat "$w/out") err=$(cat "$w/err")
}
number_of() { printf '\n' | "$asbackup" --config "$config" disks --add |
	awk -v dev="$1" '$2 == dev { print $1 }'; }

what='disks --add'
world
fill
disk d ext4
conf_write
answer "$(number_of "$d_dev")" 'Monday' 'office@example.org'
asb_is 0 "$what: exit code 0"
check "$what: written down" grep -qx "uuid = $d_uuid" "$config"
is "$(stat -c %a "$config")" 600 "$what: for root alone"
check "$what: the disk has its marker" on_disk "$d_dev" \
	test -s "$mnt/.asbackup/marker.json"
like "$out" 'No mail server' "$what: told that no mail will arrive"
check "$what: unmounted" free_disk "$d_dev"
timeout 60 "$asbackup" --config "$config" > "$w/out" 2> "$w/err"
is $? 0 "$what: the first copy"
unlike "$(cat "$w/err")" 'first copy to this disk here' \
	"$what: which need not adopt it any more"

# Somebody else is at work: the disk is written down, its marker has to wait.
what='disks --add when adoption fails'
disk g ext4
exec 9> "$state/lock/run"
check "$what: another run holds the lock" flock -n 9
answer "$(number_of "$g_dev")" 'Friday' ''
asb_is 75 "$what: exit code 75"
check "$what: the disk is configured all the same" \
	grep -qx "uuid = $g_uuid" "$config"
like "$out" "not marked as ours yet.*disks --adopt $g_uuid" \
	"$what: told, and what to do"
like "$err" 'already at work' "$what: and why"
check "$what: the disk has no marker" on_disk "$g_dev" \
	test ! -e "$mnt/.asbackup"
exec 9>&-
check "$what: afterwards it can be done" timeout 60 "$asbackup" \
	--config "$config" disks --adopt "$g_uuid"
check "$what: the disk has its marker" on_disk "$g_dev" \
	test -s "$mnt/.asbackup/marker.json"

what='disks --add, mail server does not answer'
disk e ext4
conf_write
printf '\n[Mail]\nserver = 127.0.0.1\nport = 9\nencryption = none\n' > "$w/mail"
sed -i -e '/^\[Mail\]/,/^$/d' "$config"
cat "$w/mail" >> "$config"
printf 'to-mail-addresses-sysop = a@example.org\n' >> "$config"
answer "$(number_of "$e_dev")" 'Tuesday' ''
asb_is 1 "$what: exit code 1"
check "$what: the disk is configured all the same" \
	grep -qx "uuid = $e_uuid" "$config"
like "$err" 'mail' "$what: told"

what='disks --add, nobody answers'
disk f ext4
cp "$config" "$w/before.ini"
answer ''
asb_is 1 "$what: exit code 1"
check "$what: nothing was changed" cmp "$config" "$w/before.ini"
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
#
# The mail password: in the configuration, on its way to the server, nowhere
# else.
. "$(dirname "$0")/faultlib.sh"

server=$ASBACKUP_SRC/tests/cli/smtpd.py
canary=Canary0815Sesame
encoded=$(printf '\0backup\0%s' "$canary" | base64 -w 0)

world
fill
disk d ext4
disks "$d_uuid"
hook_dir
mkfifo "$w/gate"
hook gate << END
#!/bin/sh
env > "$w/env.\$1"
: < "$w/gate"
END
conf Backup pre-run "$hooks/gate pre"
conf Backup post-run "$hooks/gate post"
conf Mail username backup
conf Mail password "$canary"
conf Mail timeout-seconds 5
conf Debug debug yes

# where_it_is: every process but this test that has it in its command line or
# environment.
where_it_is()
{
	local dir
	for dir in /proc/[0-9]*; do
		[ "${dir#/proc/}" != "${smtp_pid:-0}" ] || continue
		grep -qaF -e "$canary" -e "$encoded" "$dir/cmdline" \
			"$dir/environ" 2> /dev/null || continue
		printf '%s: %s\n' "$dir" "$(tr '\0' ' ' < "$dir/cmdline")"
	done
}
nowhere() { ! where_it_is | grep .; }

# The descendants of the run, and of what they are in.
family()
{
	local pid
	for pid in "$@"; do
		printf '%s\n' "$pid"
		# shellcheck disable=SC2046 # numbers, one by one
		family $(ps -o pid= --ppid "$pid")
	done
}

no_core()
{
	local pid
	for pid in $(family "$asb_pid"); do
		grep -q '^Max core file size *0 *0 ' "/proc/$pid/limits" ||
			{ cat "/proc/$pid/cmdline" "/proc/$pid/limits"; return 1; }
	done
}

# No descriptor of the configuration, the locks or the mail lies open in a
# program that is not ours.
foreign_fds()
{
	local pid fd
	for pid in $(family "$asb_pid"); do
		[ "$(cat "/proc/$pid/comm")" != asbackup ] || continue
		for fd in "/proc/$pid/fd"/*; do
			readlink "$fd"
		done
	done | grep -E "^$w/|^/dev/loop" | grep -v "^$w/gate$"
}
no_foreign_fds() { ! foreign_fds | grep .; }

# --- while it runs ------------------------------------------------------------------

at_moment()
{
	check "$1: not in any command line or environment" nowhere
	check "$1: no core dumps" no_core
}

if "$python" -c 'import aiosmtpd' 2> /dev/null &&
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/s.key" \
		-out "$tmp/s.pem" -subj /CN=localhost -days 2 \
		-addext subjectAltName=DNS:localhost 2> /dev/null; then
	# It answers nothing after AUTH: the mail process waits with the
	# password in its hands.
	start smtp "$python" "$server" --dir "$tmp/box" --mode silent:auth \
		--cert "$tmp/s.pem" --key "$tmp/s.key"
	smtp_pid=$pid
	conf Mail server localhost
	conf Mail port "$line"
	conf Mail ca-file "$tmp/s.pem"
	tls=yes
else
	skip 'a mail on its way' 'no aiosmtpd or no openssl'
	tls=
fi

asb_start --debug
check 'pre-run: reached' until_true 20 test -e "$w/env.pre"
at_moment 'pre-run'
check 'pre-run: no descriptor of ours in it' no_foreign_fds
: > "$w/gate"
if [ -n "$tls" ]; then
	check 'the first mail is on its way' \
		until_true 20 grep -qaE 'AUTH' "$tmp/box/wire.tls"
	at_moment 'the first mail'
fi
check 'post-run: reached' until_true 60 test -e "$w/env.post"
at_moment 'post-run'
: > "$w/gate"
asb_wait
asb_is 0 'the copy is good'

# --- afterwards --------------------------------------------------------------------

mkdir "$w/written"
cp "$w/out" "$w/err" "$w/env.pre" "$w/env.post" "$w/written"
conf Backup pre-run
conf Backup post-run
asb --print-config
asb_is 0 '--print-config'
cp "$w/out" "$w/written/print-config"
like "$out" 'password' '--print-config: names the key'
for i in 'check --json' status history disks 'match --uuid x' mail-retry; do
	# shellcheck disable=SC2086
	asb $i --debug
	cat "$w/out" "$w/err" >> "$w/written/others"
done
conf Backup backup-source "$w/not there"
asb --debug
cp "$w/err" "$w/written/failed"
conf Mail port 99999
asb --debug
cp "$w/err" "$w/written/wrong-config"
conf Mail port
conf Mail password-file "$w/nothing"
asb --debug
cp "$w/err" "$w/written/both"

# Decoded, too: what is in a mail is not there in plain letters.
n=0
find "$spool" -name '*.eml' -print0 | while IFS= read -r -d '' i; do
	n=$((n + 1))
	mkdir -p "$w/decoded/$n"
	"$python" "$helper" mail "$i" > "$w/decoded/$n/mail"
	"$python" "$helper" attachments "$i" "$w/decoded/$n" > /dev/null
done
nowhere_below() { ! grep -rlaF -e "$canary" -e "$encoded" "$@"; }
check 'not in what it says' nowhere_below "$w/written"
check 'not in the logs' nowhere_below "$logs"
check 'not in the state directory' nowhere_below "$state"
check 'not in the status' nowhere_below "$run_dir"
check 'not in the mails' nowhere_below "$w/decoded"
check '... of which there are some' test -s "$w/decoded/1/mail"
check 'not in the environment of a hook' nowhere_below "$w/env.pre" "$w/env.post"
check 'the log has the environment, as it should with debug' \
	grep -rq 'PATH' "$logs" "$w/written"
check 'not on the disk' on_disk "$d_dev" nowhere_below "$mnt"
check 'a control: it would be found' grep -qF "$canary" "$config"

# --- the process itself ---------------------------------------------------------------

if command -v strace > /dev/null; then
	conf Mail password-file
	conf Backup backup-source "$src/"
	conf_write
	strace -f -o "$w/trace" -e trace=prctl "$asbackup" \
		--config "$config" check > /dev/null 2>&1
	like "$(grep -m 1 PR_SET_DUMPABLE "$w/trace")" \
		'PR_SET_DUMPABLE, (0|SUID_DUMP_DISABLE)\) += 0' \
		'PR_SET_DUMPABLE is 0'
else
	skip 'PR_SET_DUMPABLE is 0' 'strace is not installed'
fi

# Others may not read the configuration; asbackup itself insists.
chmod 644 "$config"
"$asbackup" --config "$config" check > "$w/out" 2> "$w/err"
is "$?" 3 'a password in a file that others can read is refused'
check '... without telling it' nowhere_below "$w/out" "$w/err"
finish

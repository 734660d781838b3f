#!/bin/bash
# SPDX-License-Identifier: MIT
#
# veeam-lock while something goes wrong beside the locks: it is told to end,
# nobody listens, Veeam's time for scripts is over.  A copy is whoever holds
# the file "copy"; copies themselves are in root/veeam.sh.
. "$(dirname "$0")/../lib.sh"

lock_program=$ASBACKUP_BUILD/veeam-lock
unlock_program=$ASBACKUP_BUILD/veeam-unlock
command -v jq > /dev/null || skip_all 'no jq'
cd "$tmp" || exit 1
locks=$tmp/state/lock
spool=$tmp/state/spool
config=$tmp/config.ini

# settings LINE...: of section [VEEAM].
settings()
{
	printf '%s\n' '[Paths]' "state-directory = $tmp/state" \
		"runtime-directory = $tmp/run" "log-directory = $tmp/log" \
		'[Backup]' "backup-source = $tmp/" '[Mail]' \
		'to-mail-addresses-sysop = sysop@example.org' \
		'from-mail-address = asbackup@example.org' '[VEEAM]' "$@" \
		> "$config"
	chmod 600 "$config"
}
settings
lock() { "$lock_program" --config "$config" "$@" < /dev/null 2> err; }

# lock_start OPTION...: in the background: $lock_pid; lock_wait: $code, $err.
lock_start()
{
	env --default-signal=TERM "$lock_program" --config "$config" "$@" \
		< /dev/null > out 2> err &
	lock_pid=$!
	kill_at_end "$lock_pid"
}
lock_wait()
{
	wait "$lock_pid"
	code=$?
	err=$(cat err)
}
listed()
{
	"$lock_program" --config "$config" --list --json | jq -e "$1" > /dev/null
}
mail_of()
{
	/usr/bin/python3 "$ASBACKUP_SRC/tests/root/world.py" mail "$1"
}
unlock() { "$unlock_program" --config "$config" "$@" > /dev/null 2>&1; }

lock --job first > out
is "$?" 0 'a lock'
unlock --all

# --- what is shown of the dead --------------------------------------------------

# ticket KIND: one that nobody stands behind.
ticket() { : > "$locks/queue/00000000000000000007.$1.0123456789abcdef"; }

ticket c
lock --list > out
like "$(cat out)" 'copy to .*, has died' 'a copy that died while it waited'
like "$(cat out)" 'Nobody holds a lock' 'a copy that died does not start'
rm "$locks/queue"/*
ticket j
lock --list > out
like "$(cat out)" 'was killed: counts as running' 'a script that was killed'
like "$(cat out)" 'a copy would wait' 'a script that was killed: the copy waits'
lock --clean > out
lock --list > out
like "$(cat out)" 'Veeam jobs that run' 'a script that was killed: a lease'
unlock --all

ticket j
unlock --all
check 'a script that was killed: --all takes its lock as well' \
	listed '.leases + .waiting == []'

lock --job old > out
sed -i -e 's/^taken .*/taken 1000000000/' -e 's/^taken_boot_ms .*/taken_boot_ms 0/' \
	-e 's/^ttl_s .*/ttl_s 5/' "$locks/lease/old"
check 'a lock whose time is over: when that was' listed '.leases[0] |
	.state == "expired" and .left_seconds == 0 and
	.expires == "2001-09-09T01:46:45Z"'
unlock --all

# --- a run that may be another ----------------------------------------------------

# The earlier run was never unlocked, the copy waits for it, and the next run
# behind the copy, but not for longer than it waits for anything.
lock --job nightly > out
ticket c
hold "$locks/queue/00000000000000000007.c.0123456789abcdef"
lock_start --job nightly
check 'the lock of an earlier run is there: who waits for what is told' \
	until_true 10 grep -q 'copy waits for a lock .* nightly has' out
unlock --job nightly
end "$holder"
lock_wait
is "$code" 0 'and what helps: unlocked, copied, locked'
hold "$locks/queue/00000000000000000007.c.0123456789abcdef"
lock --job nightly --wait 0 > out
is "$?" 0 'nobody helps: it has its lock when its time is over'
check 'nobody helps: for nobody copies' listed '.leases[0].job == "nightly" and
	(.leases[0].forced | not) and .waiting[0].kind == "copy"'
lock --job other --wait 0 > out
unlike "$(cat out)" 'waits for a lock' 'another job: nothing of that'
end "$holder"
unlock --all

# Refused, and tried once more while the copy runs, which waits for nobody.
hold "$locks/copy"
lock --job again --wait 0 > out
is "$?" 75 'refused while a copy runs'
like "$(cat err)" 'call veeam-unlock for it: until then copies wait' \
	'refused: what becomes of its lock'
lock --job again --wait 0 > out
unlike "$(cat out)" 'copy waits for a lock' \
	'refused, once more: the copy runs, it does not wait'
end "$holder"
unlock --all

# --- what cannot be done ------------------------------------------------------------

mkdir -p "$locks/lease/broken/in-the-way"
lock --job broken > out
is "$?" 1 'no lock can be made'
like "$(cat err)" 'does not know of this job' 'no lock can be made: what it means'
like "$(cat err)" 'can be written to and has room' \
	'no lock can be made: what to do'
"$unlock_program" --config "$config" --job broken > out 2> err
is "$?" 1 'a lock cannot be removed'
like "$(cat err)" 'goes on waiting for this job' \
	'a lock cannot be removed: what it means'
like "$(cat err)" 'veeam-lock --list. shows' \
	'a lock cannot be removed: what to do'
rm -r "$locks/lease/broken"

# --- told to end ----------------------------------------------------------------

# It waits for a lock in the kernel.
blocked() { grep -q -- "-> FLOCK .* $lock_pid " /proc/locks; }

# tell_to_end: once it has taken notice of that, and waits there again.
tell_to_end()
{
	kill -TERM "$lock_pid"
	until_true 20 has_noticed && until_true 20 blocked
}
has_noticed()
{
	# Who waits, and has no SIGTERM (the 15th bit) pending, has been in its
	# handler, which writes to an eventfd; that is read when all is done
	# that is to be done about it.
	! grep -q '^S[ih][gd]Pnd:.*[4-7c-f]...$' "/proc/$lock_pid/status" &&
		blocked && ! grep -qs '^eventfd-count: *[1-9a-f]' \
		"/proc/$lock_pid/fdinfo/"*
}

hold "$locks/copy"
copy=$holder
lock_start --job gated --no-mail
check 'told to end at the gate: it waits for a copy' until_true 10 \
	listed '.waiting[0].name == "gated"'
hold "$locks/gate"
touch "$locks/queue/.wakes-it"
rm "$locks/queue/.wakes-it"
check 'told to end at the gate: it stands there' until_true 20 blocked
check 'told to end at the gate: it stands there again' tell_to_end
end "$holder"
lock_wait
is "$code" 143 'told to end at the gate: 143'
like "$err" 'still running after' 'told to end at the gate: why'
check 'told to end at the gate: its job is entered' listed \
	'.leases[0].job == "gated" and .leases[0].forced and
	(.waiting | length) == 0'
unlock --all

# Before it has a place.
hold "$locks/gate"
lock_start --job early --no-mail
check 'told to end before it has a place: it stands there' \
	until_true 20 blocked
check 'told to end before it has a place: it stands there again' tell_to_end
end "$holder"
lock_wait
is "$code" 143 'told to end before it has a place: 143'
check 'told to end before it has a place: its job is entered' listed \
	'.leases[0].job == "early" and .leases[0].forced'
unlock --all

# --- nobody listens -------------------------------------------------------------

mkfifo pipe
lock_start_into()
{
	"$lock_program" --config "$config" "$@" < /dev/null > "$into" 2> err &
	lock_pid=$!
	kill_at_end "$lock_pid"
}
into=pipe
lock_start_into --job unheard
cat pipe > cat.out &
reader_pid=$!
kill_at_end "$reader_pid"
check 'the reader goes: it waits' until_true 10 \
	listed '.waiting[0].name == "unheard"'
end "$reader_pid"
lock_wait
is "$code" 1 'the reader goes: 1'
like "$err" 'nobody reads standard output' 'the reader goes: why'
like "$err" 'has been told' 'the reader goes: what it means'
like "$err" 'call veeam-unlock' 'the reader goes: what to do'
check 'the reader goes: its job is entered' listed \
	'.leases[0].job == "unheard" and .leases[0].forced'
check 'the reader goes: a mail' grep -rlq 'unheard' "$spool"
unlock --all

into=/dev/full
lock_start_into --job full --wait 0
lock_wait
is "$code" 75 'standard output is full: a refusal'
like "$err" 'still running after' 'standard output is full: a refusal, why'
unlock --all
end "$copy"
lock_start_into --job full
lock_wait
is "$code" 0 'standard output is full: the job has the lock all the same'
like "$err" 'has the lock, but .* cannot be printed: No space left' \
	'standard output is full: told'
check 'standard output is full: it has' listed '.leases[0].job == "full"'
unlock --all

# A pipe without a reader from the first; no outputs at all.
exec {pipe}> >(:)
wait $!
lock --job dead >&"$pipe"
is "$?" 0 'a pipe without a reader: 0'
exec {pipe}>&-
"$lock_program" --config "$config" --job closed < /dev/null >&- 2>&-
is "$?" 0 'closed outputs: 0'
check 'closed outputs: it has the lock' listed \
	'[.leases[].job] | index("closed") != null'
check 'closed outputs: nothing was written elsewhere' \
	test -z "$(cat "$locks/gate")"
unlock --all

# --- Veeam's time for scripts ---------------------------------------------------

clock=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1
# fast OPTION...: a minute is a second for it.
fast()
{
	LD_PRELOAD=$clock FAKETIME='+0 x60' lock "$@"
}
if [ "${SAN:-}" = 1 ] || ! [ -e "$clock" ]; then
	skip 'script-limit-minutes' 'needs libfaketime, and no sanitizers'
else
	settings 'script-limit-minutes = 2' 'wait-for-backup-minutes = 3'
	hold "$locks/copy"
	began=$SECONDS
	fast --job slow > out
	is "$?" 1 'script-limit-minutes: 1'
	check 'script-limit-minutes: after that time' test \
		$((SECONDS - began)) -le 30
	like "$(cat out)" 'at most 2 min' 'script-limit-minutes: told at once'
	like "$(cat err)" 'still running after 2 min' \
		'script-limit-minutes: why'
	check 'script-limit-minutes: its job is entered' listed \
		'.leases[0].job == "slow" and .leases[0].forced'
	check 'script-limit-minutes: a mail' grep -rlq 'slow' "$spool"
	unlock --all
	settings 'script-limit-minutes = 9' 'wait-mail-minutes = 2' \
		'wait-for-backup-minutes = 4'
	fast --job tired > out
	is "$?" 75 'wait-mail-minutes: nothing changes'
	is "$(grep -rl '^Subject:.*tired waits for a copy' "$spool" |
		wc -l)" 1 'wait-mail-minutes: one mail'
	like "$(mail_of "$(grep -rl 'tired waits' "$spool")")" \
		'has waited 2 min.*gives up in [12] min.*asbackup status' \
		'wait-mail-minutes: how long, how long it goes on, what to do'
	settings 'script-limit-minutes = 9' 'wait-mail-minutes = 5' \
		'wait-for-backup-minutes = 2'
	fast --job quick > out
	unlike "$(cat "$spool"/*.eml)" 'quick waits for a copy' \
		'wait-mail-minutes: not before'
	settings 'script-limit-minutes = 3' 'wait-for-backup-minutes = 2'
	fast --job patient > out
	is "$?" 75 'a wait that ends before: 75'
	like "$(cat err)" 'still running after 2 min' \
		'a wait that ends before: why'
	settings 'script-limit-minutes = 1'
	fast --job own --wait 0 > out
	is "$?" 75 '--wait 0: 75'
	unlock --all
	end "$holder"
	settings
fi
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a host may have in its environment and on its disk: settings that change
# what tools print, no inodes, a place for jobs that is somebody else's, files
# that somebody has removed.
# timeout: 120
. "$(dirname "$0")/lib.sh"
start_sshd 'SetEnv TIME_STYLE=long-iso BLOCK_SIZE=human-readable'

# --- settings for ls ----------------------------------------------------------------

on_host -q -c 'printf "%5000s" ""; echo "$TIME_STYLE $BLOCK_SIZE" >&2; exit 3'
is "$code $(wc -c < "$tmp/out") $(said)" '3 5000 long-iso human-readable' \
	'settings for ls are the script'"'"'s, not ours'
on_host --list --json
like "$(out)" '"bytes_out": ?5000,' 'nor do they change the list'

# --- files that are removed -----------------------------------------------------------

# job NAME: one that has printed 5000 bytes and waits; $tmp/NAME.out, .code.
job()
{
	{
		timeout -k 5 60 "$vmexec" -F "$tmp/ssh_config" --job "$1" h \
			-c 'printf "%5000s" ""; sleep 1000' \
			> "$tmp/$1.out" 2> "$tmp/$1.err" < /dev/null
		echo $? > "$tmp/$1.code"
	} &
	until_true 30 has_5000 "$1"
}
has_5000() { [ "$(wc -c < "$tmp/$1.out")" = 5000 ]; }

job away
rm -r $jobs/away
until_true 30 [ -e "$tmp/away.code" ]
is "$(cat "$tmp/away.code")" 251 'the files are removed'
like "$(cat "$tmp/away.err")" 'files were removed' 'which is said'
pkill -KILL -f "sleep 1000"

nobody_left
finish

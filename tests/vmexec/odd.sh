#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a host may have in its environment and on its disk: settings that change
# what tools print, no inodes, a place for jobs that is somebody else's, files
# that a power cut has torn or an administrator removed.
# timeout: 120
. "$(dirname "$0")/lib.sh"
start_sshd 'SetEnv TIME_STYLE=long-iso BLOCK_SIZE=human-readable'

# --- settings for ls ----------------------------------------------------------------

on_host -q -c 'printf "%5000s" ""; echo "$TIME_STYLE $BLOCK_SIZE" >&2; exit 3'
is "$code $(wc -c < "$tmp/out") $(said)" '3 5000 long-iso human-readable' \
	'settings for ls are the script'"'"'s, not ours'
on_host --list --json
like "$(out)" '"bytes_out": ?5000,' 'nor do they change the list'

nobody_left
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# A sample of torture.sh: the same places every time.
. "$(dirname "$0")/faultlib.sh"
. "$(dirname "$0")/torture_lib.sh"

torture_begin
total=$(awk '{ n += $2 } END { print n }' "$calls")
torture_until=$((SECONDS + 30))
torture_kill $((total / 37 + 1))
torture_kill_children 'execve syncfs write' '1 2'
torture_until=$((SECONDS + 30))
torture_errors $((total / 31 + 1))
# Where the list of hashes learns what will be copied.
for n in 24 25 26 27 28 29 30 31 32; do
	torture_error_at pwrite64 "$n"
done
torture_report 'the state directory is full while the plan is kept'
torture_child_errors 'mount syncfs umount2 openat2' 1
torture_repair 'at last'
finish

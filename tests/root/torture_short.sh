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
torture_child_errors 'mount syncfs umount2 openat2' 1
torture_repair 'at last'
finish

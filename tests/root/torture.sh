#!/bin/bash
# SPDX-License-Identifier: MIT
# not a test
#
# make torture: SIGKILL and errors at every system call of a run.  Takes hours;
# "torture.sh 10" does every tenth.
. "$(dirname "$0")/faultlib.sh"
. "$(dirname "$0")/torture_lib.sh"

step=${1:-1}
torture_begin
torture_kill "$step"
torture_kill_children '' '1 2 3 4 5 7 9 11 14 17 20 25 30 40'
torture_errors "$step"
torture_child_errors '' '1 2 3 4 5 7 9 12 16 20 30'
torture_repair 'at last'
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Twenty jobs and two copies get into each other's way, some are killed, some
# have a wrong clock; what they wrote down is judged by a program of its own,
# which is shown to find what is wrong.  torture_locks.sh is the long one.
. "$(dirname "$0")/lock_stress_lib.sh"

stress good 20261 --rounds "${STRESS_ROUNDS:-30}"
judged 'no promise was broken'

"$ASBACKUP_BUILD/veeam-lock" --config "$tmp/good/config.ini" --list \
	> "$tmp/list"
like "$(cat "$tmp/list")" 'Nobody holds a lock' 'at last nobody holds a lock'

# What a broken program would have left.
good=$history history=$tmp/doctored
for rule in beside together copies lost overtaken limit answer turns left \
	code; do
	"$python" "$here/lock_history.py" doctor "$rule" "$good" > "$history"
	like "$(judge)" "(^|"$'\n'")$rule: " "a false history is found: $rule"
done

# A veeam-lock that says yes and does nothing.
stress lawless 1 --rounds 3 --lock-program /bin/true
said=$(judge)
like "$said" $'\n''lost: ' 'without locks: that they are not there is found'
like "$said" $'\n''together: ' 'without locks: the overlaps are found'
finish

# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# not a test
#
# For lock_stress.sh and torture_locks.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=/usr/bin/python3
[ -x "$python" ] || skip_all 'python3 is not installed'

# stress NAME SEED OPTION...: $history.
stress()
{
	local work=$tmp/$1 seed=$2 said
	shift 2
	mkdir "$work"
	history=$work/history
	said=$("$python" "$here/lock_stress.py" --build "$ASBACKUP_BUILD" \
		--work "$work" --seed "$seed" "$@" 2>&1)
	printf '# %s\n' "$said"
}

judge() { "$python" "$here/lock_history.py" check "$history"; }

# judged WHAT: no promise was broken.
judged()
{
	local said code
	said=$(judge 2>&1)
	code=$?
	if [ "$code" = 0 ]; then
		printf '%s\n' "$said" | sed 's/^/# /'
		ok "$1"
	else
		not_ok "$1" "$said" "errors, of ${history%/*}/errors:" "$(
			grep '^error: ' "${history%/*}/errors" |
				grep -v 'is still running after' | tail -n 20)"
	fi
}

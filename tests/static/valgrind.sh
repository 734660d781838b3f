#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Unit tests under valgrind.  Tests that start processes, wait or read disks
# are left to the sanitizers: valgrind would only be slow there.
# timeout: 600
. "$(dirname "$0")/common.sh"
need valgrind valgrind
[ "${SAN:-}" != 1 ] || skip_all 'valgrind and the sanitizers exclude each other'
shopt -s nullglob

slow='^test_(proc|lockfile|disk|mount|mail|rsync_run|target|run|clocksync'
slow+='|job|jobquery|nomem|reach|remote|resolve|sshclient)(_|$)'
for source in tests/unit/test_*.c; do
	name=${source##*/}
	name=${name%.c}
	[[ ! $name =~ $slow ]] && [ -x "$build/tests/$name" ] || continue
	check "$name" timeout 60 valgrind --quiet --leak-check=full \
		--suppressions=tests/static/valgrind.supp \
		--errors-for-leak-kinds=definite --error-exitcode=99 \
		--child-silent-after-fork=yes "$build/tests/$name"
done
finish

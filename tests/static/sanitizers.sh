#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Unit and command line tests once more, with the address and undefined
# behaviour sanitizers built in; one case per file here, "make SAN=1 check"
# counts each.
# timeout: 900
. "$(dirname "$0")/common.sh"
[ "${SAN:-}" != 1 ] || skip_all 'this is the build with sanitizers'
[ -e /usr/include/cmocka.h ] || skip_all 'libcmocka-dev is not installed'
shopt -s nullglob

san=$build/sanitizers
check 'everything builds with sanitizers' \
	own_build sanitizers -s -k SAN=1 check-build
export ASBACKUP_BUILD=$san SAN=1
for source in tests/unit/test_*.c; do
	name=${source##*/}
	name=${name%.c}
	[ -x "$san/tests/$name" ] || continue
	check "$name" timeout 120 "$san/tests/$name"
done
for file in tests/cli/*.sh; do
	grep -q '^# not a test' "$file" && continue
	check "${file##*/}" timeout 240 bash "$file"
done
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# gcc and clang have nothing to say about programs, tests and helpers.
# timeout: 420
. "$(dirname "$0")/common.sh"
[ "${SAN:-}" != 1 ] || skip_all 'checked by the build without sanitizers'

for compiler in gcc clang; do
	name="$compiler builds everything without a warning"
	if command -v "$compiler" >/dev/null; then
		check "$name" own_build "warnings-$compiler" -s -k \
			CC="$compiler" WERROR=1 check-build
	else
		skip "$name" "$compiler is not installed"
	fi
done
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
. "$(dirname "$0")/common.sh"
need cppcheck cppcheck

mapfile -t files < <(tree 'src/*.c')
# It does not know attribute cleanup and would call every such variable a
# leak; the sanitizers look for leaks.
check 'cppcheck finds nothing' cppcheck --quiet -j "$jobs" --std=c11 \
	--enable=warning,performance,portability --inline-suppr \
	--error-exitcode=1 --suppress=missingIncludeSystem \
	--suppress=memleak --suppress=resourceLeak \
	--suppress=unmatchedSuppression -D_GNU_SOURCE -D__linux__ \
	-Isrc/lib -Isrc/lib/base "${files[@]}"
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The part of windows/ that knows nothing of Windows, with sanitizers: pure.c.
. "$(dirname "$0")/../lib.sh"
cd "$ASBACKUP_SRC" || exit 1

${CC:-gcc} -std=gnu11 -g -O1 -Wall -Wextra -Werror -fsanitize=address,undefined \
	-fno-sanitize-recover=all -iquote windows -o "$tmp/pure" \
	tests/windows/pure.c windows/{ids,quote,settings,ssh}.c \
	> "$tmp/out" 2>&1 || {
	not_ok 'it can be compiled' "$(cat "$tmp/out")"
	finish
}
timeout -k 5 60 "$tmp/pure"

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Files stay readable, and the repository stays small.
. "$(dirname "$0")/common.sh"

while read -r file; do
	lines=$(wc -l < "$file")
	[ "$lines" -le 800 ] || echo "$file has $lines lines"
done < <(tree 'src/*.[ch]') | empty 'no source file has more than 800 lines'

while read -r file; do
	bytes=$(stat -c %s "$file")
	[ "$bytes" -le 1048576 ] || echo "$file has $bytes bytes"
done < <(tree) | empty 'no file is larger than 1 MiB'
finish

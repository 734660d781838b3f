#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The sources look as .clang-format says.  Other versions of clang-format
# differ in details, so only Debian 12's counts.
# timeout: 120
. "$(dirname "$0")/common.sh"
need clang-format clang-format
clang-format --version | grep -q 'version 14\.' ||
	skip_all "$(clang-format --version | head -n 1), and 14 is wanted"

while read -r file; do
	clang-format --style=file "$file" | diff -q "$file" - >/dev/null ||
		echo "$file: run clang-format -i $file"
done < <(tree 'src/*.[ch]' 'tests/*.[ch]' 'windows/*.[ch]') | empty 'clang-format agrees'
finish

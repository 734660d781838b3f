#!/bin/bash
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common.sh"
need mandoc mandoc

mapfile -t pages < <(tree 'man/*')
[ "${#pages[@]}" -gt 0 ] || skip_all 'there are no manual pages'
for page in "${pages[@]}"; do
	check "mandoc finds nothing in $page" mandoc -Tlint -Wwarning "$page"
done
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
. "$(dirname "$0")/common.sh"
need shellcheck shellcheck

# by name, or by the first line
while read -r file; do
	case $file in
	*.sh) echo "$file" ;;
	*) head -c 64 "$file" | head -n 1 | tr -d '\0' |
		grep -qE '^#!.*/(ba|da)?sh\b|^#!.*env (ba|da)?sh\b' &&
		echo "$file" ;;
	esac
done < <(tree) > "$tmp/scripts"
while read -r file; do
	shellcheck -x -P SCRIPTDIR -S warning -f gcc "$file"
done < "$tmp/scripts" | empty 'shellcheck finds nothing'

while read -r file; do
	bash -n "$file" 2>&1
done < "$tmp/scripts" | empty 'bash can read every script'
finish

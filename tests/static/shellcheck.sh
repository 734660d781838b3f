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

# "$(...)" would be what it was in the beginning.
xargs grep -nE '\b(until_true [0-9]+|asb_until) (\[|test) [^;&]*"?\$\(' \
	< "$tmp/scripts" | empty 'what is waited for is looked at every time'

# What runs on foreign hosts: in every shell they may have.
for file in src/host/*.sh; do
	for shell in dash 'bash --posix' 'busybox sh'; do
		command -v "${shell%% *}" > /dev/null || continue
		$shell -n "$file" 2>&1
	done
done | empty 'every shell can read what runs on a host'

while read -r file; do
	bash -n "$file" 2>&1
done < "$tmp/scripts" | empty 'bash can read every script'
finish

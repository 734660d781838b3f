#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Nothing of the machine that this was written on: no paths, no mirrors, no
# keys.
. "$(dirname "$0")/common.sh"

mapfile -t files < <(tree)
grep -nIE '(^|[^A-Za-z0-9._/}-])/(w[o]rk|f[a]rm)/' \
	"${files[@]}" | empty 'no path of the machine it was written on'

# Hosts of the package sources in use here; Debian's own may be named.
{
	cat /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf \
		/etc/apt/apt.conf.d/* 2>/dev/null
	env | grep -i '^[a-z_]*proxy='
} | grep -oE 'https?://[^/ "]+' | sed -E 's|.*://||; s|.*@||; s|:.*||' |
	grep -vE '(^|\.)debian\.org$|^localhost$|^127\.' |
	sort -u > "$tmp/hosts"
while read -r host; do
	grep -nIF -- "$host" "${files[@]}"
done < "$tmp/hosts" | empty 'no host of a package mirror'

grep -nIE -- '-----BEGIN [A-Z ]*PRIVATE [K]EY' "${files[@]}" |
	empty 'no private key'
finish

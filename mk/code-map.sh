#!/bin/bash
# SPDX-License-Identifier: MIT
#
# src/README.md: the layer rule and one line per source file, taken from the
# first comment of each file ("name: what it is for.").
#
#	mk/code-map.sh print    the page
#	mk/code-map.sh check    fails and names the files without such a comment
set -u
export LC_ALL=C.UTF-8
cd "$(dirname "$0")/.." || exit 1

# The first sentence of the comment that a file opens with, after the licence.
what()
{
	awk '
	function out(t) {
		gsub(/[ \t]+/, " ", t); sub(/^ /, "", t); sub(/ $/, "", t)
		sub(/^[A-Za-z0-9_.]+(, [A-Za-z0-9_.]+)*: /, "", t)
		sub(/[.;:]$/, "", t)
		gsub(/\|/, "\\|", t); gsub(/</, "\\&lt;", t)
		print t; done = 1; exit
	}
	/SPDX-License-Identifier/ { next }
	!open && /^\/\*/ { open = 1 }
	!open && /[^ \t]/ { exit }
	open {
		line = $0
		last = line ~ /\*\//
		sub(/^[ \t]*\/?\*+\/?[ \t]?/, "", line)
		sub(/[ \t]*\*+\/.*/, "", line)
		if (line ~ /^[ \t]*$/ && text != "") out(text)
		text = text " " line
		if (match(text, /[.;:]( |$)/) && (p = RSTART) &&
		    match(text, /\.( |$)/)) {
			out(substr(text, 1, RSTART))
		}
		if (last) out(text)
	}' "$1"
}

# A module is NAME.c and NAME.h; the header speaks for both.
rows()
{
	local dir=$1 name files text
	for name in $(find "$dir" -maxdepth 1 -name '*.[ch]' -printf '%f\n' |
		sed 's/\.[ch]$//' | sort -u); do
		files=$name.c
		[ ! -e "$dir/$name.h" ] || files=$name.h
		text=$(what "$dir/$files")
		[ ! -e "$dir/$name.c" ] || [ ! -e "$dir/$name.h" ] ||
			files="$name.c, .h"
		printf '| %s | %s |\n' "$files" "$text"
	done
}

section()
{
	[ -d "src/$1" ] || return 0
	printf '\n## %s\n%s\n\n| file | what |\n|---|---|\n' "$1" "$2"
	rows "src/$1"
}

page()
{
	cat <<-'EOF'
	# The sources

	Programs use core, core uses sys, sys uses base; never upwards, never
	sideways inside sys. Every foreign header is included by exactly one .c
	file, below lib/sys. `foo.c` exports `foo_*`, its contract is the header.
	`tests/static/layers.sh` checks this, `make map` writes this page from the
	first comment of every file.

	```
	asbackup/, ...   the programs: options, commands, what is said
	   |
	lib/core/        the product, plain structs, no foreign header
	   |
	lib/sys/         one wrapper per foreign library
	   |
	lib/base/        libc only, knows nothing of backups
	```
	EOF
	section lib/base 'Knows libc and nothing else.'
	section lib/sys 'One wrapper per foreign library; none of its types in the header.'
	section lib/core 'What the product is about.'
	section common 'What the programs share: the only place besides them that
prints or exits.'
	section asbackup 'The copy.'
	section veeam-lock "A Veeam job's pre-job script."
	section veeam-unlock "A Veeam job's post-job script."
}

case ${1:-} in
print) page ;;
check)
	! page | grep -E '^\| [^|]* \|  *\|$'
	;;
*)
	sed -n '4,8s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac

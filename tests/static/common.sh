# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# not a test
#
# What the static checks share, beside tests/lib.sh: most cases are a list of
# findings that has to be empty.
set -u
shopt -s lastpipe # so that "list | empty WHAT" can count
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
cd "$ASBACKUP_SRC" || exit 1
build=$ASBACKUP_BUILD
MAKE=${MAKE:-make}
jobs=${ASBACKUP_JOBS:-2}

# need TOOL PACKAGE: without it there is nothing to check with.
need()
{
	command -v "$1" > /dev/null || skip_all "$2 is not installed"
}

# empty WHAT: ok when nothing arrives on stdin; what does arrive is shown.
empty()
{
	local found
	found=$(cat)
	if [ -z "$found" ]; then
		ok "$1"
	else
		not_ok "$1" "$found"
	fi
}

# The files of the tree, of a checkout or of an unpacked archive, that match
# the patterns (all without one): those git knows and those it would add.
tree()
{
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard -- "$@"
	elif [ $# = 0 ]; then
		find . -path ./build -prune -o -type f -printf '%P\n'
	else
		find . -path ./build -prune -o -type f -printf '%P\n' |
			while IFS= read -r file; do
			for pattern; do
				# shellcheck disable=SC2254 # a pattern
				case $file in $pattern) echo "$file" ;; esac
			done
		done
	fi | while IFS= read -r file; do
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done | sort -u
}

# A C file without comments and without what stands in quotes, line numbers
# kept.
code_only()
{
	gcc -fpreprocessed -dD -E "$1" 2>/dev/null | awk '
		/^# [0-9]+ "/ { line = $2 - 1; next }
		{ line++; gsub(/"([^"\\]|\\.)*"/, "\"\"");
		  print line ": " $0 }'
}

# A build of its own, below the one that is tested:
# own_build NAME TARGET... [VAR=VALUE...]
own_build()
{
	local name=$1
	shift
	MAKEFLAGS='' "$MAKE" --no-print-directory -j"$jobs" \
		BUILD="$build/$name" "$@"
}

# What an installation below /usr consists of, a line "MODE PATH" each, texts
# for the reader apart: installed_files [SUFFIX-OF-MANUAL-PAGES]
installed_files()
(
	shopt -s nullglob
	for file in man/*.[1-9]; do
		echo "644 usr/share/man/man${file##*.}/${file##*/}${1:-}"
	done
	for lang in po/*.po; do
		lang=${lang##*/}
		echo "644 usr/share/locale/${lang%.po}/LC_MESSAGES/asbackup.mo"
	done
	for file in config/*.sample; do
		echo "644 usr/share/doc/asbackup/examples/${file##*/}"
	done
	for file in docs/*.md; do
		echo "644 usr/share/doc/asbackup/${file##*/}"
	done
	for file in systemd/*.{service,timer,slice}{,.in}; do
		file=${file##*/}
		echo "644 usr/lib/systemd/system/${file%.in}"
	done
	for file in udev/*.in; do
		file=${file##*/}
		echo "644 usr/lib/udev/rules.d/${file%.in}"
	done
	cat <<-'END'
	600 etc/asbackup/config.ini
	644 usr/lib/sysusers.d/asbackup.conf
	644 usr/lib/tmpfiles.d/asbackup.conf
	755 usr/libexec/asbackup/veeam-ssh-command
	755 usr/sbin/asbackup
	755 usr/sbin/veeam-lock
	755 usr/sbin/veeam-unlock
	755 usr/sbin/vmexec
	END
)

# What "make install-windows" adds, in the same form.
windows_files()
{
	printf '644 usr/share/asbackup/windows/%s\n' veeam-ids.ps1 \
		veeam-lock.exe veeam-lock.ini veeam-post-job.cmd \
		veeam-pre-job.cmd veeam-ssh.cmd veeam-unlock.exe
}

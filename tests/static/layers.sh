#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Who may include whom: programs use core, core uses sys, sys uses base; never
# upwards, never sideways inside sys; every foreign header in exactly one .c
# file; and what must not be called at all (src/README.md).
. "$(dirname "$0")/common.sh"
need gcc gcc

# The headers of libc, the compiler and the kernel; all others are foreign.
libc='assert ctype dirent endian errno fcntl features fnmatch ftw getopt glob
grp iconv ifaddrs inttypes langinfo libgen libintl limits locale malloc math
mntent netdb nl_types poll pthread pwd regex sched search semaphore setjmp
shadow signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib
stdnoreturn string strings sysexits syslog termios time uchar unistd utime
utmpx wchar wctype'

is_libc()
{
	case $1 in
	sys/* | linux/* | arpa/* | net/* | netinet/* | asm/*) return 0 ;;
	esac
	[[ " ${libc//$'\n'/ } " == *" ${1%.h} "* ]]
}

mapfile -t files < <(tree 'src/*.c' 'src/*.h')

# file, quote or bracket, header
for file in "${files[@]}"; do
	sed -n -E 's/^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]*)[>"].*/\1 \2/p' \
		"$file" | sed "s|^|$file |"
done > "$tmp/includes"

layer_of()
{
	case $1 in
	src/lib/base/*) echo base ;;
	src/lib/sys/*) echo sys ;;
	src/lib/core/*) echo core ;;
	*) echo program ;;
	esac
}

# The layer that an include in quotes leads to.
target_of()
{
	case $1 in
	sys/*) echo sys ;;
	core/*) echo core ;;
	base/* | paths.h | version.h | host.h) echo base ;;
	*) if [ -e "src/lib/base/$1" ]; then
		echo base
	else
		echo own
	fi ;;
	esac
}

while read -r file mark header; do
	[ "$mark" = '"' ] || continue
	layer=$(layer_of "$file")
	target=$(target_of "$header")
	case $layer-$target in
	*-base | core-sys | core-core | program-*) ;;
	sys-sys)
		# disk_udev.c may include sys/disk.h and sys/disk_impl.h
		own=${file##*/}
		own=${own%.[ch]}
		other=${header#sys/}
		other=${other%.h}
		[ "${own%%_*}" = "${other%%_*}" ] ||
			echo "$file includes \"$header\": sideways inside sys" ;;
	*-own)
		[ -e "$(dirname "$file")/$header" ] ||
			echo "$file includes \"$header\": which is not there" ;;
	*) echo "$file includes \"$header\": $layer must not know $target" ;;
	esac
done < "$tmp/includes" | empty 'nobody includes upwards or sideways'

while read -r file mark header; do
	[[ $mark == '"' && $header == *_internal.h ]] || continue
	own=${file##*/} other=${header##*/}
	[[ ${own%.[ch]}_ == "${other%_internal.h}"_* ]] ||
		echo "$file includes \"$header\""
done < "$tmp/includes" | empty 'internal headers stay with their module'

# Which .c files include which foreign header
while read -r file mark header; do
	[ "$mark" = '<' ] && ! is_libc "$header" &&
		printf '%s %s\n' "$header" "$file"
done < "$tmp/includes" | sort -u > "$tmp/foreign"

awk '$2 !~ /^src\/lib\/sys\//' "$tmp/foreign" |
	empty 'foreign headers are included in sys only'
awk '$2 ~ /\.h$/' "$tmp/foreign" |
	empty 'no header includes a foreign header'
cut -d ' ' -f 1 "$tmp/foreign" | uniq -d |
	while read -r header; do grep "^$header " "$tmp/foreign"; done |
	empty 'every foreign header is included by exactly one .c file'

for file in "${files[@]}"; do
	code_only "$file" | sed "s|^|$file:|"
done > "$tmp/code"

children='fork|vfork|clone|clone3|_Fork|posix_spawnp?|execlp?|execle|execvp?'
children+='|execve|execvpe|execveat|fexecve|SYS_clone3?|SYS_execve(at)?'
grep -v '^src/lib/base/proc[^/]*\.c:' "$tmp/code" |
	grep -E "\b($children)\b[ \t]*[(,]" |
	empty 'only base/proc starts processes'

banned='strcpy|strncpy|strcat|strncat|sprintf|vsprintf|strtok|atoi|atol|atoll'
banned+='|atof|gets|localtime|gmtime|ctime|asctime|ctime_r|asctime_r|system'
banned+='|popen|mktemp|tmpnam|tempnam|tmpfile|signal|alloca|rand|srand'
grep -E "(^|[^A-Za-z0-9_.>])($banned)[ \t]*\(" "$tmp/code" |
	empty 'no function is called that is forbidden here'

grep '^src/lib/' "$tmp/code" |
	grep -E '(^|[^A-Za-z0-9_.>])(printf|puts|putchar|perror|exit|abort)[ \t]*\(' |
	grep -v '^src/lib/base/log[^/]*\.c:' |
	empty 'the library neither prints nor exits'

grep -E '\b(TODO|FIXME|XXX|HACK)\b' "${files[@]}" /dev/null |
	empty 'no promises instead of code'
finish

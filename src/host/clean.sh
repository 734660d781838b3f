# SPDX-License-Identifier: MIT
# Removes the jobs that have ended before keep_days days, and what was never
# finished while it was made.

# Nothing in it has changed since, its end neither.
is_old()
{
	[ "$keep_days" = 0 ] || [ -z "$(find . ! -mtime "+$keep_days")" ]
}

# Who starts it anew puts it aside, and its name is another job's then
# (start.sh); unless that was done already, or who did it has died of it.
take_away()
{
	read_meta
	mkdir aside 2> /dev/null || case $PWD in
	*."$first") ;;
	*) [ -n "$(find aside -mtime +0)" ] || return 1 ;;
	esac
	mv "$PWD" "$base/.new.$nonce" && cd "$base" && rm -rf ".new.$nonce"
}

clean()
{
	is_mine "$base" || return 1
	for job in "$base"/*/meta; do
		cd "${job%/meta}" 2> /dev/null && is_mine . || continue
		look
		[ $state != running ] && [ $state != starting ] || continue
		is_old && take_away && removed=$((removed + 1))
	done
	find "$base" -maxdepth 1 -name '.new.*' -mtime +1 \
		-exec rm -rf {} + 2> /dev/null
	return 1
}

removed=0
each_base clean
printf 'Z %s\n' $removed

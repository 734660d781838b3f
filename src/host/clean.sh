# SPDX-License-Identifier: MIT
# Removes the jobs that have ended before keep_days days, and what was never
# finished while it was made.

clean()
{
	is_mine "$base" || return 1
	for job in "$base"/*/meta; do
		cd "${job%/meta}" 2> /dev/null && is_mine . || continue
		look
		[ $state != running ] && [ $state != starting ] || continue
		[ -n "$(find meta -mtime "+$keep_days")" ] ||
			[ "$keep_days" = 0 ] || continue
		dir=$PWD
		cd / && rm -rf "$dir" && removed=$((removed + 1))
	done
	find "$base" -maxdepth 1 -name '.new.*' -mtime +1 \
		-exec rm -rf {} + 2> /dev/null
	return 1
}

removed=0
each_base clean
printf 'Z %s\n' $removed

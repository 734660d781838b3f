# SPDX-License-Identifier: MIT
# Says which jobs are here: a line each.

list()
{
	is_mine "$base" || return 1
	for job in "$base"/*/meta; do
		cd "${job%/meta}" 2> /dev/null && is_mine . || continue
		read_meta
		method=none pid=0
		look
		set -- 0 0 0 0 0 0 0 0 0 0 0 0 0 0
		# shellcheck disable=SC2046
		[ ! -e err ] || set -- $(ls -ln err out)
		printf 'J %s %s %s %s %s %s %s %s %s %s\n' "${PWD##*/}" \
			$state "$method" "$pid" "$started" "${14}" "$5" \
			"${rc:--}" "$when" "$why"
	done
	return 1
}

each_base list
printf 'Z\n'

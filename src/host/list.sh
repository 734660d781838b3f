# SPDX-License-Identifier: MIT
# Says which jobs are here: a line each.

list()
{
	for job in "$base"/*/meta; do
		cd "${job%/meta}" 2> /dev/null && is_mine . || continue
		{
			read -r first
			read -r started
			read -r boot_then
		} < meta
		method=none pid=0 rc=- when=- why=-
		look
		set -- 0 0 0 0 0 0 0 0 0 0 0 0 0 0
		# shellcheck disable=SC2046
		[ ! -e err ] || set -- $(ls -ln err out)
		[ $state != ended ] || read -r rc out err when why < rc
		printf 'J %s %s %s %s %s %s %s %s %s %s\n' "${PWD##*/}" \
			$state "$method" "$pid" "$started" "${14}" "$5" \
			"$rc" "$when" "$why"
	done
	return 1
}

each_base list
printf 'Z\n'

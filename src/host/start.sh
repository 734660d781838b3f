# SPDX-License-Identifier: MIT
# Starts a job, once: its directory appears whole under its name, by one
# rename; who comes second finds it there.  Standard input is the script.

make_job()
{
	cat > "$new/script" 2> /dev/null || return 1
	# The line was cut in the middle: there is nobody to tell.
	[ "$(wc -c < "$new/script")" -eq "$script_size" ] || {
		rm -rf "$new"
		exit 1
	}
	{
		printf '%s\n' "$runner" > "$new/run.sh" &&
			printf '%s\n' "$killer" > "$new/kill.sh" &&
			printf '%s\n' "mask=$mask" "$settings_before" \
				"$environ" "$settings_behind" > "$new/env" &&
			printf '%s\n' "$nonce" "$now" "$boot" "$limit" \
				> "$new/meta" &&
			printf '%255s\n' '' > "$new/pid.new" &&
			printf '%255s\n' '' > "$new/lost" &&
			printf '' > "$new/out" && printf '' > "$new/err" &&
			printf '' > "$new/mark"
	} 2> /dev/null
}

publish()
{
	[ -d "$base/$id" ] || mv "$new" "$base/$id" 2> /dev/null
	# Between the test and the rename somebody was quicker, and it went
	# into that one's directory.
	for new in "$base/$id/.new.$nonce" "$new"; do
		[ ! -d "$new" ] || rm -rf "$new"
	done
	has_job
}

# Is the directory that we are in still the job of that name?
is_here()
{
	# shellcheck disable=SC3013 # not POSIX, but every shell has it
	[ . -ef "$base/$id" ]
}

# Somebody else makes room just now; 0 = seems to have died of it.
wait_for_other()
{
	tenths=0
	while is_here; do
		[ $tenths -lt 50 ] || return 0
		nap
	done
	return 1
}

# A job of that name from before, over: makes room for the new one.  Only one
# may, and the directory cannot be another one meanwhile, for we are in it.  Who
# seems to have died of it has one successor among those who wait, by a name of
# its own.
put_aside()
{
	cd "$base/$id" || return 0
	read_meta
	look
	case $state in
	running | starting) return 0 ;;
	esac
	[ "$again" = yes ] && [ "$first" != "$nonce" ] || return 0
	room=aside
	until mkdir $room 2> /dev/null; do
		is_here || return 0
		[ -d $room ] || fail nospace "$base"
		wait_for_other || return 0
		room=${room}x
	done
	# Who seemed to be dead was not.
	is_here || return 0
	mv "$base/$id" "$base/$id.${first:-$nonce}" 2> /dev/null || ! is_here ||
		fail aside "$base/$id"
	cd "$base" || exit 1
}

each_base has_job && put_aside
if ! each_base has_job; then
	each_base is_usable || fail nobase "$bases"
	make_job || {
		rm -rf "$base/.new.$nonce"
		fail nospace "$base"
	}
	publish || fail nobase "$base"
fi

# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# not a test
#
# For the tests with hosts of all kinds: what always holds, behind lib.sh.
# Uses what that sets.
# shellcheck disable=SC2154

# as_ever WHAT [OPTION...]: output, status, variables and arguments are right.
cat > "$tmp/script" <<'END'
printf 'a\0b%s|%s' "$1" "$AWKWARD"
echo err >&2
exit 6
END
awkward=$'it\'s\n"!" $HOME `x` \\ * \xff\x01'
as_ever()
{
	local what=$1
	shift
	on_host -q --retries 0 --env "AWKWARD=$awkward" "$@" -- \
		"$tmp/script" "$awkward"
	is "$code $(tr '\0' z < "$tmp/out") $(said)" \
		"6 azb$awkward|$awkward err" "$what"
}

# refused WHAT REGEX [OPTION...]: it says so, and runs nothing; lists nothing.
refused()
{
	local what=$1 regex=$2
	shift 2
	on_host --retries 1 --delay 0 "$@" -c "touch $tmp/was-run"
	is "$code $(out)" '254 ' "$what"
	like "$(said)" "$regex" 'which is said'
	check 'nothing was run' [ ! -e "$tmp/was-run" ]
	on_host --retries 1 --delay 0 "$@" --list
	like "$code $(said)" "^254 .*$regex" 'and no list is there'
}

# whole_life WHAT: a job is run, listed, ended, cleared away.
whole_life()
{
	as_ever "$1"
	rm -f "$tmp/life"
	timeout -k 5 30 "$vmexec" -q -F "$tmp/ssh_config" --job life h -c \
		'trap "echo told; exit 3" TERM; echo up
		while :; do sleep 0.1; done' > "$tmp/life" 2>&1 < /dev/null &
	pid=$!
	until_true 10 grep -q up "$tmp/life"
	on_host --list
	like "$code $(out)" '^0 .*life .*running' "$1: --list"
	on_host --cancel life
	is "$code" 0 "$1: --cancel"
	wait "$pid"
	like "$? $(tr '\n' ' ' < "$tmp/life")" \
		'^3 up told .*error: h: it was cancelled $' "$1: last words"
	on_host --clean --keep-days 0
	on_host --list
	is "$code $(out)" '0 ' "$1: --clean"
}

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A host that lies, says nothing, says too much, or hangs up: a clear error
# within the limits, little memory, and nothing that reaches the terminal.
# not a test: takes three minutes; make torture
# timeout: 400
. "$(dirname "$0")/lib.sh"
start_sshd
printf 'restrict,command="%s %s/liar.py %s" %s\n' "$python" \
	"$ASBACKUP_SRC/tests/vmexec" "$tmp/what" "$(cat "$tmp/key.pub")" \
	> "$tmp/authorized_keys"

# Prints the status and the most memory it had, in KiB.
cat > "$tmp/measured.py" <<'END'
import resource, subprocess, sys
out, err = open(sys.argv[1], "wb"), open(sys.argv[2], "wb")
p = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=out,
                     stderr=err)
try:
    code = p.wait(40)
except subprocess.TimeoutExpired:
    p.kill()
    p.wait()
    code = "hangs"
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
END

# meet WHAT CODES [ARGUMENT...]: vmexec meets such a host.
meet()
{
	local what=$1 codes=$2 wrong="" max
	shift 2
	[ $# -gt 0 ] || set -- h -c 'echo hello'
	printf '%s\n' "$what" > "$tmp/what"
	read -r code max < <("$python" "$tmp/measured.py" "$tmp/out" \
		"$tmp/err" "$vmexec" -F "$tmp/ssh_config" --retries 1 \
		--delay 0 --heartbeat-timeout 3 --connect-timeout 5 "$@")
	[[ " $codes " == *" $code "* ]] || wrong="status $code;"
	[ -n "${SAN:-}" ] || [ "$max" -lt 40000 ] || wrong="$wrong $max KiB;"
	[ "$(wc -c < "$tmp/err")" -lt 20000 ] ||
		wrong="$wrong $(wc -c < "$tmp/err") bytes of messages;"
	! grep -q -a -e $'[\e\a\x9b]' "$tmp/err" || wrong="$wrong escapes;"
	grep -q 'error: .' "$tmp/err" || [ "$code" = 0 ] ||
		wrong="$wrong no error is told;"
	! grep -q -a -e Sanitizer -e 'runtime error' "$tmp/err" ||
		wrong="$wrong a sanitizer complains;"
	is "$wrong" '' "$what${1:+ (${*: -2})}" ||
		head -c 1500 "$tmp/err" | tr -cd '\n -~' | sed 's/^/# /'
}

for what in noise long_line nul_line errors slow_noise silent greets garbage \
	dies refuses refuses_known starting jobs served; do
	meet $what '253 254'
done
for what in starts unfinished huge negative ahead behind many words \
	long_answer status short unknown nul started_often method \
	garbage_later; do
	meet $what '253 254'
done
for what in noise long_line errors silent greets jobs served dies garbage \
	starts; do
	meet $what '254 255' --list h
done
meet jobs '254 255' --list --json h
meet silent '254 255' --cancel job h
meet silent '253 254' --attach job h

# Hangs up at every byte of its answer.
wrong=
for ((i = 0; i <= 230; i += 5)); do
	printf 'closes %s\n' "$i" > "$tmp/what"
	"$vmexec" -q -F "$tmp/ssh_config" --retries 0 --delay 0 h -c true \
		> "$tmp/out" 2> "$tmp/err" < /dev/null
	code=$?
	case $code in
	0) [ "$(cat "$tmp/out")" = hello ] || wrong="$wrong $i: output;" ;;
	253 | 254) ;;
	*) wrong="$wrong $i: $code;" ;;
	esac
done
is "$wrong" '' 'it hangs up in the middle'
is "$code $(cat "$tmp/out" "$tmp/err")" '0 helloerr' 'and when all is said'
finish

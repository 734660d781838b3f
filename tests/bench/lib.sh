# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# not a test
#
# What the measurements share: a directory below BENCH_DIR that goes away, the
# configuration, figures.
#
# What is set here is read there.
# shellcheck disable=SC2034
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

build=${ASBACKUP_BUILD:-$PWD/build}
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/asbackup-bench.XXXXXX") || exit 1
clean() { rm -rf --one-file-system "$work"; }
trap clean EXIT
trap 'exit 1' INT TERM

die() { echo "bench: $*" >&2; exit 1; }

command -v hyperfine > /dev/null || die "hyperfine is not installed"

machine()
{
	printf 'Machine: %s, %s cores, kernel %s\n' \
		"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo |
			head -n 1)" "$(nproc)" "$(uname -r)"
}

# conf: the configuration, then what stands on standard input; it begins in
# section [Backup].
conf()
{
	{
		printf '%s\n' '[Paths]' "state-directory = $work/state" \
			"runtime-directory = $work/run" \
			"log-directory = $work/log" \
			'[Backup]' "backup-source = $work/source/"
		cat
	} > "$work/config.ini"
	chmod 600 "$work/config.ini"
}

# ratio A B: how much longer B takes.
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b / a }'; }

# ms RUNS DECIMALS COMMAND [PREPARE]: median.  A shell's loop would count its
# fork.
ms()
{
	hyperfine -N --warmup 20 --runs "$1" ${4:+--prepare "$4"} \
		--export-json "$work/ms.json" "$3" \
		> /dev/null 2> "$work/err" || die "$(cat "$work/err")"
	/usr/bin/python3 -c 'import json, sys
median = json.load(open(sys.argv[1]))["results"][0]["median"]
print("%.*f" % (int(sys.argv[2]), median * 1e3))' "$work/ms.json" "$2"
}

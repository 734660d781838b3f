#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every seed and every input that once was a finding, through its fuzz target.
# timeout: 300
. "$(dirname "$0")/common.sh"
shopt -s nullglob
sources=(tests/fuzz/fuzz_*.c)
[ "${#sources[@]}" -gt 0 ] || skip_all 'there are no fuzz targets'
need clang clang
printf 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n)
{ return d && n ? 0 : 0; }\n' > "$tmp/probe.c"
clang -fsanitize=fuzzer,address,undefined -o "$tmp/probe" "$tmp/probe.c" \
	2>/dev/null || skip_all 'libclang-rt-dev is not installed'

check 'the fuzz targets build' own_build replay -s -k fuzz-build
for source in "${sources[@]}"; do
	name=${source##*/fuzz_}
	name=${name%.c}
	seeds=(tests/fuzz/corpus/"$name"/*)
	if [ "${#seeds[@]}" = 0 ]; then
		echo "tests/fuzz/corpus/$name has no seeds" |
			empty "$name: every seed"
		continue
	fi
	check "$name: every seed (${#seeds[@]})" timeout 120 \
		"$build/replay/fuzz/fuzz_$name" -timeout=10 -rss_limit_mb=1024 \
		-artifact_prefix="$build/replay/fuzz/crash-$name-" "${seeds[@]}"
done
finish

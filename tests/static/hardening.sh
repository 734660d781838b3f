#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The program that gets installed: position independent, relocations read-only
# and bound at start, no executable stack, stack protector, nothing linked that
# is not used.
. "$(dirname "$0")/common.sh"
need readelf binutils
[ "${SAN:-}" != 1 ] || skip_all 'the build with sanitizers is not installed'
program=$build/asbackup
[ -x "$program" ] || skip_all 'asbackup was not built'

readelf -hldW "$program" > "$tmp/elf"
readelf -sW --dyn-syms "$program" > "$tmp/symbols"

has() { grep -qE "$1" "$tmp/elf"; }

check 'position independent (PIE)' has 'Type: +DYN'
check 'relocations are read-only (RELRO)' has 'GNU_RELRO'
check 'everything is bound at start (BIND_NOW)' has 'BIND_NOW|FLAGS.* NOW'
check 'the stack is not executable' has 'GNU_STACK .* RW '
check 'stack protector' grep -q __stack_chk_fail "$tmp/symbols"
check 'checked libc calls (FORTIFY)' grep -q '_chk@' "$tmp/symbols"
grep -E 'RPATH|RUNPATH' "$tmp/elf" | empty 'no library path in the program'
grep -E 'TEXTREL' "$tmp/elf" | empty 'no relocations in the code'
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# src/README.md is what "make map" makes of the first comment of every file:
# each file has its line, each line has its file, and no line is stale.
. "$(dirname "$0")/common.sh"

check 'every source file says what it is' mk/code-map.sh check
mk/code-map.sh print | diff src/README.md - | sed '$a run: make map' |
	grep -v '^run: make map$' | empty 'src/README.md is what "make map" prints'
finish

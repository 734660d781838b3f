#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Spelling of code and English texts; words that are right although codespell
# does not know them stand in codespell.words.
. "$(dirname "$0")/common.sh"
need codespell codespell

mapfile -t files < <(tree | grep -vE '^(po/|man/de/|tests/fuzz/corpus/)')
check 'codespell finds nothing' codespell --quiet-level=2 \
	--ignore-words=tests/static/codespell.words "${files[@]}"
finish

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Building and testing leave nothing behind in the tree.  Runs after all other
# tests and compares with what the runner noted before the first one.
. "$(dirname "$0")/common.sh"
before=$build/test-logs/status.before
[ -e "$before" ] || skip_all 'not a git checkout'
[ ! -s "$before" ] || skip_all 'the tree was not clean to begin with'

git status --porcelain 2>&1 | empty 'the tree is as clean as before'
finish

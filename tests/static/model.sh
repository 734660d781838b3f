#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The lock protocol of core/lease, checked with spin: tests/model.
# timeout: 600
. "$(dirname "$0")/common.sh"
need spin spin
need gcc gcc
need python3 python3

python3 tests/model/run.py --dir "$tmp/model"

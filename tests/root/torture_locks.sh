#!/bin/bash
# SPDX-License-Identifier: MIT
# not a test
#
# make torture: ten minutes of lock_stress.sh, or as many seconds as are given,
# with another seed every time, or the one that is given.
. "$(dirname "$0")/lock_stress_lib.sh"

stress long "${2:-$RANDOM}" --seconds "${1:-600}"
judged 'no promise was broken'
finish

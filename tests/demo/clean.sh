#!/bin/bash
# SPDX-License-Identifier: MIT
# Takes away everything that demo.sh has made.
set -u
cd "$(dirname "$0")" || exit 1
. ./common.sh

if [ "$(id -u)" != 0 ]; then
	echo "Please run it as root: sudo make demo-clean" >&2
	exit 1
fi
if demo_clean; then
	echo "The demonstration is gone."
else
	echo "Something still uses $demo; end it and try again." >&2
	exit 1
fi

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# format.sh <source directory> - the tree looks as .clang-format says
set -u
cd "$1" || exit 1
. tests/test.sh

if command -v clang-format >/dev/null 2>&1; then
	check tree scripts/format.sh --check
else
	skip tree "no clang-format"
fi
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# format.sh [--check] - clang-format over the C and C++ of the tree
set -eu
cd "$(dirname "$0")/.."

if ! command -v clang-format >/dev/null 2>&1; then
	echo "format: clang-format is missing (Debian: apt-get install clang-format)"
	exit 77
fi
mode=-i
[ "${1:-}" = --check ] && mode="--dry-run --Werror"
dirs=
for dir in include src compat tests bench examples; do
	[ -d $dir ] && dirs="$dirs $dir"
done
find $dirs -type f \( -name '*.[ch]' -o -name '*.cc' \) -print0 |
	xargs -0 clang-format --style=file $mode
[ "$mode" = -i ] || echo "format: as it should be"

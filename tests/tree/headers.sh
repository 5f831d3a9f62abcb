#!/bin/sh
# SPDX-License-Identifier: MIT
#
# headers.sh <source directory> <build directory> - each public header compiles by
# itself, in every language its users speak, without a warning
set -u
cd "$1" || exit 1
build=$2
. tests/test.sh

# alone <compiler and its flags> - each header, included twice. switch_<cpu>.h and
# *_inline.h are parts of other headers.
alone()
{
	status=0
	for header in include/weft/*.h; do
		header=weft/$(basename "$header")
		case $header in
		weft/switch_* | *_inline.h) continue ;;
		esac
		printf '#include <%s>\n#include <%s>\nextern int unused;\n' "$header" "$header" |
			"$@" -fsyntax-only -Wall -Wextra -Werror -pedantic-errors \
				-Iinclude -I"$build/include" - || status=1
	done
	return $status
}

# used <compiler and its flags> - the macros too: they expand in the user's dialect
used()
{
	"$@" -fsyntax-only -Wall -Wextra -Werror -pedantic-errors -Iinclude -I"$build/include" \
		tests/tree/header_user.c
}

for language in c:c99 c:c11 c++:c++11 c++:c++20; do
	standard=${language#*:} kind=${language%:*}
	for family in gnu llvm; do
		case $family-$kind in
		gnu-c) compiler=gcc ;;
		gnu-c++) compiler=g++ ;;
		llvm-c) compiler=clang ;;
		llvm-c++) compiler=clang++ ;;
		esac
		name=$(echo "${compiler}_$standard" | tr + x)
		if command -v $compiler >/dev/null 2>&1; then
			check "alone_$name" alone $compiler -x $kind -std=$standard
			check "used_$name" used $compiler -x $kind -std=$standard
		else
			skip "$name" "no $compiler"
		fi
	done
done
finish

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

# libco <compiler and its flags> - the headers of compat/libco, macros included
libco()
{
	status=0
	for header in co_routine co_closure co_comm co_epoll co_routine_inner co_routine_specific coctx; do
		printf '#include <%s.h>\n#include <%s.h>\nextern int unused;\n' $header $header |
			"$@" -fsyntax-only -Wall -Wextra -Werror -Icompat/libco/include - || status=1
	done
	return $status
}

# in_c <header> <compiler and its flags> - a library's whose names are C's
in_c()
{
	header=$1
	shift
	printf '#include "compat/%s.h"\n#include "compat/%s.h"\nextern int unused;\n' $header $header |
		"$@" -fsyntax-only -Wall -Wextra -Werror -pedantic-errors -I. -
}

# refuses <header> <compiler and its flags> - co_yield is a keyword there: says so, and what
# to use instead
refuses()
{
	header=$1
	shift
	printf '#include "compat/%s.h"\n' "$header" | "$@" -fsyntax-only -I. - 2>&1 |
		grep 'error.*co_yield is a keyword in C++20.*weft/task.h'
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
			check "cloudwu_$name" in_c cloudwu/include/coroutine $compiler -x $kind -std=$standard
			check "used_$name" used $compiler -x $kind -std=$standard
			case $standard in
			c99 | c11) check "m2_$name" in_c m2/include/co $compiler -x $kind -std=$standard ;;
			c++11)
				check "m2_$name" in_c m2/include/co $compiler -x $kind -std=$standard
				check "libco_$name" libco $compiler -x $kind -std=$standard
				;;
			c++20)
				check "libco_${name%20}17" libco $compiler -x $kind -std=c++17
				check "m2_refuses_$name" refuses m2/include/co $compiler -x $kind -std=$standard
				check "libco_refuses_$name" refuses libco/include/co_routine $compiler -x $kind -std=$standard
				;;
			esac
		else
			skip "$name" "no $compiler"
		fi
	done
done
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sources.sh <source directory> <build directory> - each file names its licence, and
# is built
set -u
cd "$1" || exit 1
build=$2
. tests/test.sh

# Files of the tree, one a line; a checkout may have a build directory in it.
files()
{
	find include src compat tests bench examples cmake scripts tools .ci CMakeLists.txt Makefile \
		-type f "$@" 2>/dev/null
}

licensed()
{
	files \( -name '*.[chS]' -o -name '*.cc' -o -name '*.sh' -o -name '*.cmake' -o -name '*.go' \
		-o -name '*.map' -o -name '*.in' -o -name '*.py' -o -name CMakeLists.txt -o -name Makefile \
		-o -path '.ci/run' \) |
		while read -r file; do
			head -n 2 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
				echo "$file: no SPDX line at its head"
		done | { ! grep .; }
}

# Explicit lists forget nothing. Each file of src/ is named in its CMakeLists.txt, for
# whichever CPU and switch; tests/ is judged by what this build was made of.
src_listed()
{
	find src -type f -name '*.[cS]' | while read -r file; do
		name=${file#src/}
		grep -qE "(^|[^a-z_0-9])($name|arch/\\$\\{WEFT_CPU\\}/${name##*/})" src/CMakeLists.txt ||
			echo "$file: not in src/CMakeLists.txt"
	done | { ! grep .; }
}

tests_listed()
{
	find tests -type f \( -name '*.c' -o -name '*.cc' \) ! -path 'tests/install/*' \
		! -name header_user.c | while read -r file; do
		grep -qxF "${file#tests/}" "$build/tests/sources.txt" ||
			echo "$file: in no test of tests/CMakeLists.txt"
	done | { ! grep .; }
}

check licensed licensed
check src_listed src_listed
check tests_listed tests_listed
finish

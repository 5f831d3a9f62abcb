#!/bin/sh
# SPDX-License-Identifier: MIT
#
# layers.sh <source directory> - includes point only downwards
#
#	hook -> io -> sync -> core -> poll -> stack -> arch -> base
#
# debug observes all of libweft and is included by none of it. Public headers
# include public headers only.
set -u
cd "$1" || exit 1
. tests/test.sh

# includes <directory> - "file: layer" for each internal header that is included
includes()
{
	grep -rnE '^[[:space:]]*#[[:space:]]*include <(base|arch|stack|poll|core|sync|io|hook|debug)/' \
		"$1" --include='*.[chS]' |
		sed -E 's/^([^:]*:[0-9]*):.*<([a-z]+)\/.*/\1: \2/'
}

# only <directory> <layer...> - its files include these layers and no other
only()
{
	dir=$1
	shift
	includes "$dir" | while read -r place layer; do
		case " $* " in
		*" $layer "*) ;;
		*) echo "$place includes <$layer/...>" ;;
		esac
	done | { ! grep .; }
}

quoted()
{
	! grep -rnE '^[[:space:]]*#[[:space:]]*include "' src include --include='*.[chS]'
}

below="base"
check base only src/base base
for layer in arch stack poll core sync io; do
	below="$below $layer"
	[ ! -d src/$layer ] || check $layer only src/$layer $below
done
check hook only src/hook $below hook
check debug only src/debug $below debug
check public only include
check no_quoted_includes quoted
finish

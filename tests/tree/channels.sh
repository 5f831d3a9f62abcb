#!/bin/sh
# SPDX-License-Identifier: MIT
#
# channels.sh <source directory> - docs/channels.md and its tests know of each other
set -u
cd "$1" || exit 1
. tests/test.sh

tests_of()
{
	sed -n "s/^TEST($1, \([a-z_0-9]*\)).*/$1.\1/p" "$2"
}

named()
{
	grep -oE '`(chan|select|semantics)\.[a-z_0-9]+`' docs/channels.md | tr -d '`' | sort -u
}

# Each test that the page names is there.
exist()
{
	{
		tests_of chan tests/unit/chan.c
		tests_of select tests/unit/select.c
		tests_of semantics tests/unit/chan_semantics.c
	} >"$dir/there"
	[ "$(named | wc -l)" -gt 40 ] || return 1
	named | grep -vxF -f "$dir/there" && return 1
	return 0
}

# Each test that was written for the page stands in it.
stand()
{
	named >"$dir/named"
	tests_of semantics tests/unit/chan_semantics.c | grep -vxF -f "$dir/named" && return 1
	return 0
}

# In tables whose last column is "test", each line names one.
each_line()
{
	awk -F'|' '/^\|/ && /\| test \|$/ { in_table = 1; next }
		!/^\|/ { in_table = 0 }
		in_table && !/^\|---/ && $(NF - 1) !~ /`[a-z]+\.[a-z_0-9]+`/ { print; bad = 1 }
		END { exit bad }' docs/channels.md
}

dir=$(mktemp -d)
trap 'rm -rf "$dir" "$test_output"' EXIT
check exist exist
check stand stand
check each_line each_line
finish

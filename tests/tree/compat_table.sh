#!/bin/sh
# SPDX-License-Identifier: MIT
#
# compat_table.sh <source directory> - the migration table speaks of functions that exist, its
# lines are whole, its links lead somewhere; and what checks that sees each way to be wrong.
# (Its programs are run by snippets.sh.)
set -u
cd "$1" || exit 1
. tests/test.sh

# prose <file> - without the programs, line for line
prose() { awk '/^```/ { code = !code; print ""; next } { print code ? "" : $0 }' "$1"; }

# names <file> - each name of weft's is declared in a header, or is read by weft or its build
names()
{
	cat include/weft/*.h CMakeLists.txt >"$test_output.there"
	grep -ohE '"WEFT_[A-Z0-9_]+"' -r src compat >>"$test_output.there"
	prose "$1" | grep -oE '\b(weft|WEFT)_[A-Za-z_0-9]+' | sort -u | while read -r name; do
		grep -qw "$name" "$test_output.there" || echo "$1: what is $name?"
	done | { ! grep .; }
	status=$?
	rm -f "$test_output.there"
	return $status
}

# lines <file> - a line of a table has the cells of its head, and says what both sides call it
lines()
{
	prose "$1" | awk -v file="$1" -F '|' '
		!/^\|/ { cells = 0; next }
		!cells { cells = NF; next }
		NF != cells { print file ":" NR ": " NF - 2 " cells, its head has " cells - 2; bad = 1 }
		!/^\|-/ && cells > 4 && ($2 ~ /^ *$/ || $3 ~ /^ *$/) { print file ":" NR ": an empty cell"; bad = 1 }
		END { exit bad }'
}

# twice <file> - no call of the same system stands in two lines under one heading
twice()
{
	prose "$1" | awk -v file="$1" -F '|' '
		/^##/ { split("", seen) }
		/^\| `/ && !($2 in seen) { seen[$2] = NR; next }
		/^\| `/ { print file ":" NR ": as in line " seen[$2]; bad = 1 }
		END { exit bad }'
}

# anchors_of <file> - its headings, as links name them
anchors_of()
{
	prose "$1" | sed -n 's/^##* *//p' | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-'
}

# links <file> - files and headings are there
links()
{
	prose "$1" | grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//' | grep -vE '^[a-z]+:' | sort -u |
		while read -r link; do
			to=$(dirname "$1")/${link%%#*}
			[ "${link%%#*}" ] || to=$1
			[ -e "$to" ] || { echo "$1: no $link"; continue; }
			case $link in
			*#*) anchors_of "$to" | grep -qxF "${link#*#}" || echo "$1: no $link" ;;
			esac
		done | { ! grep .; }
}

# pairs <file> - each system has its table, what a program is there, and one that is run here.
# (Where the program for the other system needs nothing but libc, both are run.)
pairs()
{
	awk -v file="$1" '
		function finish() {
			if (name && !(table && after && (before || after > 1))) {
				print file ": " name ": no " (table ? after ? "before" : "after" : "table")
				bad = 1
			}
			table = before = after = 0
		}
		/^```(c before|cpp|go)$/ { before++ }
		/^```c run$/ { after++ }
		/^```/ { code = !code }
		code { next }
		/^## / { finish(); name = substr($0, 4) == "What catches everybody" ? "" : substr($0, 4) }
		/^\|/ { table = 1 }
		END { finish(); exit bad }' "$1"
}

# The checks see what is wrong with a table that has each fault once.
broken=tests/tree/compat_table/broken.md
finds() { ! said=$($1 $broken) && [ "$(echo "$said" | wc -l)" = 1 ] && echo "$said" | grep -qE "$2"; }

check finds_names  finds names 'what is weft_frobnicate\?'
check finds_cells  finds lines ':10: 2 cells, its head has 3'
check finds_twice  finds twice ':11: as in line 9'
check finds_links  finds links 'no #nowhere'
check finds_pairs  finds pairs 'Halves: no after'

for check in names lines twice links pairs; do
	check $check $check compat/README.md
done
finish

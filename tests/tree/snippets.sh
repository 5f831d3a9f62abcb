#!/bin/sh
# SPDX-License-Identifier: MIT
#
# snippets.sh <source directory> <build directory> <compiler> - the code of the documentation
# compiles and does what is said of it; and what checks that sees each way to be wrong
set -u
source=$1 build=$2 compiler=$3
cd "$source" || exit 1
. tests/test.sh

if ! command -v python3 >/dev/null 2>&1; then
	skip all "no python3"
	finish
fi

snippets() { tests/tree/snippets.py "$source" "$build" "$compiler" "$@"; }

# --- the checker itself ------------------------------------------------------------------

broken=tests/tree/snippets/broken.md
said=$(SNIPPET_SECONDS=2 snippets $broken 2>&1)
status=$?

says() { echo "$said" | grep -qE -- "$1" || { echo "$said"; return 1; }; }
# finds <pattern> - a message, and then the block that it is about has failed
finds()
{
	echo "$said" | grep -E -A 20 -- "$1" | grep -m 1 -E '^(ok|FAILED)' | grep "^FAILED  snippets.$broken:" ||
		{ echo "$said"; return 1; }
}
unknown_word() { ! said=$(snippets tests/tree/snippets/unknown.md 2>&1) && says 'what is "runn"\?'; }
counts_right() { [ "$status" = 1 ] && says '^2 passed, 8 failed, 0 skipped$'; }

check counts        counts_right
check good_program  says "^ok      snippets.$broken:5$"
check good_fragment says "^ok      snippets.$broken:26$"
check undeclared    finds 'error: .*not_declared'
check other_output  finds 'it prints'
check hang          finds 'it still runs after 2 s'
check status        finds 'it exits with 3'
check no_program    finds 'it is to run, and has no main'
check undefined     finds "undefined reference to .defined_nowhere"
check fragment_type finds 'error: returning'
check unknown_word  unknown_word

# --- the documentation --------------------------------------------------------------------

snippets >"$test_output" 2>&1
sed '/^[0-9]* passed, /d' "$test_output" # ours counts them, too
set -- $(tail -n 1 "$test_output")
case "$*" in
*" passed, "*" failed, "*" skipped") test_passed=$((test_passed + $1)) test_failed=$((test_failed + $3)) ;;
*) test_failed=$((test_failed + 1)) && echo "FAILED  snippets.all" ;;
esac
finish

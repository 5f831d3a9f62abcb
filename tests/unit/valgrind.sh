#!/bin/sh
# SPDX-License-Identifier: MIT
#
# valgrind.sh <source directory> <valgrind_task> <program...> - Memcheck knows weft's
# stacks: it has nothing to say about what is right, and finds what is wrong
set -u
source=$1 task=$2
shift 2
. "$source/tests/test.sh"

command -v valgrind >/dev/null || { skip valgrind "no valgrind"; finish; }
printf '#include <valgrind/memcheck.h>\n' | ${CC:-cc} -E - >/dev/null 2>&1 ||
	{ skip valgrind "no valgrind/memcheck.h, by which libweft tells Valgrind of its stacks"; finish; }

# Debug info that is newer than Valgrind ends it. Names and unwind information are enough.
plain=$(mktemp -d)
said=$plain/said
trap 'rm -rf "$test_output" "$plain"' EXIT
readable()
{
	if valgrind "$1" </dev/null 2>&1 | grep -q 'debuginfo reader'; then
		strip -g -o "$plain/$(basename "$1")" "$1" && echo "$plain/$(basename "$1")"
	else
		echo "$1"
	fi
}
task=$(readable "$task")

# System calls newer than Valgrind are weft's own affair: it has others then.
memcheck()
{
	timeout 100 valgrind --error-exitcode=99 "$@" >"$said" 2>&1 </dev/null
	status=$?
	cat "$said"
	return $status
}
clean()
{
	memcheck "$@" && grep 'ERROR SUMMARY: 0 errors' "$said" && ! grep 'switching stacks' "$said"
}
finds_the_bug() { memcheck "$1" bug; [ $? = 99 ] && grep 'Invalid read of size 1' "$said"; }
# From the function to the task's first frame. Where Memcheck learns that nobody called
# that one, it guesses from the words above: such lines have no function.
trace_is_right()
{
	trace=$(sed -n '/Invalid read of size 1/,/Address/s/.* 0x[0-9A-F]*: \([^ ]*\) (.*/\1/p' "$said" | tr '\n' ' ')
	echo "$trace"
	[ "$trace" = 'reads_freed buggy_body task_main weft__context_entry ' ]
}

check tasks clean "$task"
check finds_the_bug finds_the_bug "$task"
check trace_is_right trace_is_right
for program; do
	check "$(basename "$program")" clean "$(readable "$program")"
done
finish

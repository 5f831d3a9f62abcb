#!/bin/sh
# SPDX-License-Identifier: MIT
#
# compiler.sh <source directory> <compiler> - what programs print, and what it says of wrong ones
set -u
cd "$1" || exit 1
compiler=$2
. tests/test.sh

dir=$(mktemp -d)
trap 'rm -rf "$dir" "$test_output"' EXIT

# same <what came out> <what should have>
same()
{
	[ "$1" = "$2" ] && return
	printf 'it said:\n%s\nand not:\n%s\n' "$1" "$2"
	return 1
}

# prints <what> <program>: what, in one line
prints()
{
	out=$(printf '%s' "$2" | "$compiler" - 2>"$dir/err")
	status=$?
	[ $status = 0 ] && [ ! -s "$dir/err" ] && same "$(echo $out)" "$1" && return
	echo "exit status $status"
	cat "$dir/err"
	return 1
}

# fails <line:column: text> <program>
fails()
{
	printf '%s' "$2" | "$compiler" - >"$dir/out" 2>"$dir/err"
	status=$?
	[ $status = 1 ] && same "$(cat "$dir/err")" "-:$1" && return
	echo "exit status $status"
	return 1
}

builtin()
{
	same "$(echo $("$compiler"))" "2 3 5 7 11 13 17 19 23 29"
}

# n times the text
repeat()
{
	awk -v n="$1" -v text="$2" 'BEGIN { while (n--) printf "%s", text }'
}

nl='
'
check builtin builtin
check nothing prints "" ""
check only_a_comment prints "" "# nothing"
check comments prints "1 2" "print 1;# one${nl}## #${nl}print 2; # two"
check order_of_operators prints "7 9 1 1" "print 1+2*3; print (1+2)*3; print 1+1<3; print 2*3>5;"
check from_left_to_right prints "5 2 3" "print 10-3-2; print 20/5/2; print 10/3;"
check minus prints "-6 6 -1 3" "print -2*3; print --6; print 1-2; print 1--2;"
check greatest_number prints "999999999999999" "print 999999999999999;"
check wraps_around prints "-9223372036854775808 -9223372036854775808" \
	"x = 1; i = 0; while i < 63 { x = x * 2; i = i + 1; } print x; print x / -1;"
check branches prints "2" "if 1 < 0 { print 1; } if 1 > 0 { print 2; }"
check loops prints "3 2 1" "n = 3; while n { print n; n = n - 1; }"
check nested_blocks prints "1" "if 1 { if 1 { while 0 {} print 1; } }"
check names prints "3" "if1 = 1; whilea = 2; print if1 + whilea;"
check never_run prints "0" "if 0 { x = 5; } print x;"

check no_semicolon fails "2:1: a ; is missing" "print 1${nl}print 2;"
check no_equals fails "1:3: a = is missing" "x 1;"
check no_value fails "1:7: a value is missing" "print ;"
check no_operand fails "1:11: a value is missing" "print 1 + ;"
check no_bracket fails "1:9: a ) is missing" "print (1;"
check no_statement fails "1:10: a statement is missing" "print 1; + 2;"
check no_block fails "1:6: a { is missing" "if 1 print 2;"
check no_end_of_block fails "2:1: a statement is missing" "while 1 { print 2;${nl}"
check end_of_file fails "1:6: a value is missing" "print"
check unknown_name fails "3:11: it has no value yet" "x = 1;${nl}${nl}print x + y;"
check own_value fails "1:5: it has no value yet" "x = x + 1;"
check letters_in_number fails "1:7: a number with letters in it" "print 12a;"
check long_word fails "1:7: a word of more than 15 characters" "print 1234567890123456;"
check strange_character fails "1:8: a ; is missing" "print 1\$2;"
check two_operators fails "1:9: a value is missing" "print 1*/2;"
check division_by_zero fails "2:10: division by zero" "x = 0;${nl}print 10 / x;"
check deep_brackets fails "1:57: too deep" "print $(repeat 60 '(')1"
check deep_blocks fails "1:407: too deep" "$(repeat 60 'while 1{')"
check long_program fails "1:3003: the program is too long" "$(repeat 501 'x=1;  ')"
check many_names fails "1:501: too many names" "$(awk 'BEGIN { for (i = 10; i < 70; i++) printf "n%d = %d; ", i, i }')"

no_file()
{
	"$compiler" "$dir/none" 2>"$dir/err"
	same "$? $(cat "$dir/err")" "2 $dir/none: No such file or directory"
}

a_directory()
{
	"$compiler" "$dir" 2>"$dir/err"
	same "$? $(cat "$dir/err")" "1 $dir:1:1: this cannot be read"
}

a_file()
{
	echo 'print 6 * 7;' >"$dir/program"
	same "$("$compiler" "$dir/program")" 42
}

all_bytes()
{
	awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c", i }' >"$dir/program"
	"$compiler" "$dir/program" 2>"$dir/err"
	[ $? = 1 ]
}

check a_file a_file
check no_file no_file
check a_directory a_directory
check all_bytes all_bytes
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# talking.sh <source directory> <directory of the examples> - the examples whose tasks
# talk to each other by channels and mutexes
set -u
cd "$1" || exit 1
examples=$2
. tests/test.sh

dir=$(mktemp -d)
trap 'rm -rf "$dir" "$test_output"' EXIT

# says <exit status> <extended pattern of all its lines, joined by /> <program> [argument...]
says()
{
	status=$1 pattern=$2
	shift 2
	program=$1
	shift
	"$examples/$program" "$@" >"$dir/out" 2>&1
	got=$?
	[ $got = "$status" ] && { tr "\n" / <"$dir/out"; echo; } | grep -qE "^$pattern\$" && return
	echo "exit status $got, and it said:"
	cat "$dir/out"
	return 1
}

ends='(count|twice|twice|add  ) ends, after'
all="($ends 200 values/){4}sum 80400; at most"
check pipeline says 0 "$all 1?[0-9] values at once; room: 3 times 4/" pipeline
check pipeline_of_meetings says 0 "$all [1-4] values at once; room: 3 times 0/" pipeline 0
check pipeline_without_bound says 0 "$all [0-9]+ values at once; room: 3 times unbounded/" \
	pipeline unbounded
check pipeline_cut_short says 0 \
	"add   ends, after 50 values/($ends [56][0-9] values/){3}sum 5100; at most 1?[0-9] .*" \
	pipeline 4 50
bounded()
{
	"$examples/pipeline" >"$dir/out"
	most=$(sed -n 's/.*at most \([0-9]*\).*/\1/p' "$dir/out")
	echo "$most"
	[ "$most" -le 16 ]
}
check pipeline_is_bounded bounded

line='([0-9]+ ){9}[0-9]+/'
check sieve says 0 "2 3 5 7 11 13 17 19 23 29/($line){8}467 479 487 491 499 503 509 521 523 541/" sieve
check sieve_of_1 says 0 "2/" sieve 1
check sieve_of_0 says 0 "" sieve 0
check sieve_of_300 says 0 "($line){29}.* 1987/" sieve 300

ate=''
for name in 'Plato    ' 'Hypatia  ' 'Seneca   ' 'Confucius' 'Kant     '; do
	ate="$ate$name ate 100 times/"
done
check philosophers says 0 "$ate" philosophers
check philosophers_in_a_circle says 134 \
	'weft: a circle of waits can never end:/(weft: task [0-9]+ "[A-Z][a-z]+" [^"]* mutex 0x[^"]*/){5}' \
	philosophers naive
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# runner.sh <source directory> <runner_cases> - the runner sees each way to fail
set -u
cd "$1" || exit 1
cases=$2
. tests/test.sh

output=$($cases 2>&1)
status=$?

says()      { echo "$output" | grep -q -- "$1" || { echo "$output"; return 1; }; }
exits()     { want=$1; shift; "$@" >/dev/null 2>&1; [ $? = "$want" ]; }
lists_one() { [ "$($cases --list good.p)" = good.passes ]; }

check status       [ $status = 1 ]
check pass         says '^ok      good\.passes'
check check        says 'runner_cases.c:[0-9]*: check failed: 1 == 2'
check values       says 'check failed: six == -7 (6 and -7)'
check strings      says '("left" and "right")'
check crash        says '^FAILED  bad\.crash .*died by signal 11 (Segmentation fault)'
check exit         says '^FAILED  bad\.exit .*exited with 3'
check hang         says '^FAILED  bad\.hang .*its time is up'
check stray        says '^ok      good\.stray_children_are_ended'
check death        says '^ok      good\.death'
check death_signal says '^FAILED  bad\.death_of_another_kind'
check death_words  says '^FAILED  bad\.death_with_other_words'
check skip         says '^SKIPPED other\.skipped'
check skip_reason  says '^skipped because: it is Sunday'
check closing_line says '^3 passed, 8 failed, 1 skipped$'
check all_pass     exits 0 $cases good other
check all_skipped  exits 77 $cases other
check none         exits 1 $cases nothing.of.that.name
check list         lists_one
finish

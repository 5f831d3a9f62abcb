#!/bin/sh
# SPDX-License-Identifier: MIT
#
# trace_json.sh <trace_program> - traces are valid JSON, and tell what happened
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=$1
. "$here/../test.sh"

dir=$(mktemp -d)
trap 'rm -rf "$dir"; rm -f "$test_output"' EXIT

# judged <program> - runs it, and has its trace judged
judged()
{
	output=$($program "$1" "$dir/$1.json") || return 1
	python3 "$here/trace_json.py" "$1" "$dir/$1.json" ${output#fd }
}

for name in sequence wrap threads across crew running exit; do
	if command -v python3 >/dev/null 2>&1; then
		check $name judged $name
	else
		skip $name "no python3"
	fi
done
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# context_gdb.sh PROGRAM - gdb walks a parked context, from its innermost function
# to its first frame and no further. PROGRAM is context_parked.c.

program=$1

skip() {
	printf 'skipped because: %s\nSKIPPED context_gdb.parked\n' "$1"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
}

command -v gdb >/dev/null || skip "no gdb"
# Where a process may not be traced, gdb says so here.
gdb -nx -batch -ex 'break checkpoint' -ex run "$program" 2>&1 | grep -q '^Breakpoint 1, ' ||
	skip "gdb cannot trace a process here"

# walk CONTEXT - its frames, as gdb shows them
walk() {
	gdb -nx -batch -ex 'break checkpoint' -ex run \
		-ex "set \$to_sp = $1.sp" -ex "set \$to_bp = $1.bp" -ex "set \$to_pc = $1.pc" \
		-ex 'set $sp = $to_sp' -ex 'set $rbp = $to_bp' -ex 'set $pc = $to_pc' \
		-ex 'echo walk begins\n' -ex bt -ex 'echo walk ends\n' -ex kill "$program" 2>&1 |
		sed -n '/walk begins/,/walk ends/p'
}

failed=0
# expect NAME TEXT PATTERN... - each in this order, and nothing that tells of a broken stack
expect() {
	name=$1 rest=$2
	shift 2
	for pattern; do
		case $rest in
		*"$pattern"*) rest=${rest#*"$pattern"} ;;
		*) failed=1; printf 'context_gdb.%s: "%s" not found in:\n%s\n' "$name" "$pattern" "$rest" ;;
		esac
	done
	case $rest in
	*'
#'*) failed=1; printf 'context_gdb.%s: frames after the first one:\n%s\n' "$name" "$rest" ;;
	esac
}

# Without the prefix: gdb may take an assembler's name for Ada and print weft.context.
parked=$(walk parked)
fresh=$(walk fresh)
expect parked "$parked" parked_inner parked_outer parked_body context_entry_arg "walk ends"
expect fresh "$fresh" "#0 " context_entry_arg "walk ends"
for trouble in 'corrupt stack' 'Backtrace stopped' 'Cannot access memory'; do
	case $parked$fresh in
	*"$trouble"*) failed=1; printf '%s:\n%s\n%s\n' "$trouble" "$parked" "$fresh" ;;
	esac
done

if [ $failed = 0 ]; then
	echo "ok      context_gdb.parked"
	echo "1 passed, 0 failed, 0 skipped"
else
	echo "FAILED  context_gdb.parked"
	echo "0 passed, 1 failed, 0 skipped"
fi
exit $failed

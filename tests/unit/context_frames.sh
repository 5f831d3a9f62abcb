#!/bin/sh
# SPDX-License-Identifier: MIT
#
# context_frames.sh CLANG SOURCE_DIR BUILD_INCLUDE_DIR - the one kind of function
# that clang would miscompile with an inlined switch in it is refused, and its
# relatives are not. (x86-64, inline)

cc=$1 source=$2 include=$3
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

# compiles FLAGS BODY - does a function with these locals compile?
compiles() {
	cat >"$work/one.c" <<END
#include <weft/context.h>
void use(void *);
void one(weft_context *a, weft_context *b, int n);
void one(weft_context *a, weft_context *b, int n)
{
	$2
	weft_context_switch(a, b, &n);
	use(&n);
}
END
	$cc $1 -I"$source/include" -I"$include" -c "$work/one.c" -o "$work/one.o" 2>"$work/said"
}

complain() {
	failed=1
	echo "context_frames: $1"
	cat "$work/said"
}

array='char array[n]; use(array);'
aligned='_Alignas(64) char aligned[64]; use(aligned);'
for flags in -O0 -O2 '-O2 -fno-omit-frame-pointer' '-O2 -fPIC'; do
	compiles "$flags" "" || complain "refused: no locals, $flags"
	compiles "$flags" "$array" || complain "refused: a variable-length array, $flags"
	compiles "$flags" "$aligned" || complain "refused: an over-aligned local, $flags"
	if compiles "$flags" "$array $aligned"; then
		complain "accepted: both, $flags"
	else
		grep -q 'weft: a switch cannot be inlined' "$work/said" || complain "refused without a reason"
	fi
done

if [ $failed = 0 ]; then
	echo "ok      context_frames.refused"
	echo "1 passed, 0 failed, 0 skipped"
else
	echo "FAILED  context_frames.refused"
	echo "0 passed, 1 failed, 0 skipped"
fi
exit $failed

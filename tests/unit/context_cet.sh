#!/bin/sh
# SPDX-License-Identifier: MIT
#
# context_cet.sh CC SOURCE_DIR BUILD_INCLUDE_DIR - with -fcf-protection=full every
# place that a switch jumps to is an endbr64, our assembly is marked for IBT like the
# rest, and it is not marked for shadow stacks, which we do not keep. (x86-64, inline)

cc=$1 source=$2 include=$3
flags="-O2 -fcf-protection=full -I$source/include -I$include"

skip() {
	printf 'skipped because: %s\nSKIPPED context_cet.landing\n' "$1"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
}

command -v objdump >/dev/null || skip "no objdump"
command -v readelf >/dev/null || skip "no readelf"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

cat >"$work/one.c" <<'END'
#include <weft/context.h>
void *once(weft_context *a, weft_context *b, void *v);
void *once(weft_context *a, weft_context *b, void *v)
{
	return weft_context_switch(a, b, v);
}
void *often(weft_context *a, weft_context *b, void *v);
void *often(weft_context *a, weft_context *b, void *v)
{
	for (int i = 0; i < 10; i++)
		v = once(a, b, weft_context_switch(a, b, v));
	return v;
}
END

failed=0
complain() {
	failed=1
	echo "context_cet: $1"
}

$cc $flags -c "$work/one.c" -o "$work/one.o" || complain "does not compile"
$cc $flags -c -I"$source/src/arch/x86_64" "$source/src/arch/x86_64/entry.S" -o "$work/entry.o" || complain "entry.S does not compile"

# After each jump through the context comes its resume label.
objdump -d --no-show-raw-insn "$work/one.o" >"$work/one.txt"
jumps=$(grep -c 'jmp  *\*0x10(%rdi)' "$work/one.txt")
landings=$(grep -A1 'jmp  *\*0x10(%rdi)' "$work/one.txt" | grep -c 'endbr64')
[ "$jumps" -ge 3 ] || complain "expected three switches, found $jumps"
[ "$jumps" = "$landings" ] || complain "$jumps switches, but $landings land on endbr64"

# A first frame begins with it.
for entry in weft__context_entry weft__context_entry_arg weft__context_entry_run; do
	objdump -d --no-show-raw-insn "$work/entry.o" | grep -A1 "<$entry>:" | grep -q endbr64 ||
		complain "$entry does not begin with endbr64"
done

notes=$(readelf -n "$work/entry.o")
case $notes in
*SHSTK*) complain "entry.o claims to keep shadow stacks" ;;
*IBT*) ;;
*) complain "entry.o is not marked for IBT" ;;
esac

if [ $failed = 0 ]; then
	echo "ok      context_cet.landing"
	echo "1 passed, 0 failed, 0 skipped"
else
	echo "FAILED  context_cet.landing"
	echo "0 passed, 1 failed, 0 skipped"
fi
exit $failed

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# man.sh <source directory> <build directory> - each public function has a man page that
# says all that it must, and no formatter complains of one
set -u
source=$1 build=$2
cd "$source" || exit 1
. tests/test.sh

if ! command -v python3 >/dev/null 2>&1; then
	skip all "no python3"
	finish
fi
out=$build/tests/tree/man
rm -rf "$out"
mkdir -p "$out"

# Whoever writes a docstring sees here what it lacks.
complete() { tools/docs/man.py --check "$source" "$out"; }
check complete complete

# The public names: what weft.map exports, and the macros that look like functions.
exported() { sed -n '/^WEFT_0/,/^local/s/^\t\(weft_[a-z0-9][a-z0-9_]*\);$/\1/p' src/weft.map; }
macros()
{
	sed -n 's/^[[:space:]]*#define \(weft_[a-z0-9][a-z0-9_]*\)(.*/\1/p' include/weft/*.h
}
all_there()
{
	[ "$(exported | wc -l)" -gt 70 ] || { echo "weft.map: not understood"; return 1; }
	{ exported; macros; } | sort -u | while read -r name; do
		[ -e "$out/man3/$name.3" ] || echo "no page of $name"
	done | { ! grep .; }
}
check all_there all_there

each_header()
{
	for header in include/weft/*.h; do
		name=$(basename "$header" .h)
		case $name in
		switch_* | *_inline | weft) continue ;;
		esac
		[ -s "$out/man7/weft_$name.7" ] || echo "no weft_$name(7)"
		[ -s "docs/guide/$name.md" ] || echo "no chapter docs/guide/$name.md"
		grep -q "($name\.md)" docs/guide/README.md || echo "docs/guide/README.md: no $name.md"
	done | { ! grep .; }
}
check each_header each_header

sections()
{
	for page in "$out"/man3/*; do
		grep -q '^\.so ' "$page" && continue
		for section in NAME SYNOPSIS DESCRIPTION 'SEE ALSO' ATTRIBUTES; do
			grep -qE "^\.SH \"?$section" "$page" || echo "$page: no $section"
		done
		grep -qE '^\.SH ("RETURN VALUE"|ERRORS)' "$page" || echo "$page: what does it return?"
	done | { ! grep .; }
}
check sections sections

# Aliases and references lead to pages that there are.
references()
{
	(cd "$out" && grep -h '^\.so ' man3/* | sort -u | while read -r _ page; do
		[ -s "$page" ] || echo "no $page, but an alias of it"
	done
	cat man3/* man7/* | sed -n 's/^\.BR \(weft[a-z0-9_]*\) (\([37]\)).*/man\2\/\1.\2/p
		s/.*\\fB\(weft[a-z0-9_]*\)\\fR(\([37]\)).*/man\2\/\1.\2/p' | sort -u |
		while read -r page; do
			[ -s "$page" ] || echo "no $page, but a reference to it"
		done) | { ! grep .; }
}
check references references

pages() { grep -L '^\.so ' "$out"/man3/* "$out"/man7/*; }
lint()  { pages | xargs mandoc -Tlint -Wwarning; }
groffs()
{
	pages | xargs groff -man -ww -z -Tutf8 2>&1 | { ! grep .; }
}
if command -v mandoc >/dev/null 2>&1; then check lint lint; else skip lint "no mandoc"; fi
if command -v groff >/dev/null 2>&1; then check groff groffs; else skip groff "no groff"; fi

# --- the checker itself: what is taken out of a docstring is missed ----------------------

# lacks <what is said then> <sed script for time.h>
lacks()
{
	rm -rf "$out/copy"
	mkdir -p "$out/copy/include"
	cp -r include/weft "$out/copy/include/"
	sed -i "$2" "$out/copy/include/weft/time.h"
	! cmp -s include/weft/time.h "$out/copy/include/weft/time.h" || return 1
	! said=$(tools/docs/man.py --check "$out/copy" "$out/copy/man" 2>&1) || return 1
	echo "$said"
	echo "$said" | grep -q "$1"
}
check lacks_return     lacks 'weft_now: no "Return:"' 's/ \* Return: CLOCK_MONO/ * CLOCK_MONO/'
check lacks_parameter  lacks 'weft_sleep: nothing is said of @duration_ns' '/@duration_ns:/d'
check lacks_attributes lacks 'weft_sleep: nothing is said of threads' '/^ \* Where nothing else/d'
check wrong_parameter  lacks 'weft_sleep: has no parameter how_long' 's/@duration_ns:/@how_long:/'

# The date is no part of what is tested, but where it is given it must be kept.
dated() { SOURCE_DATE_EPOCH=86400 tools/docs/man.py "$source" "$out/dated" && grep -q '1970-01-02' "$out/dated/man3/weft_now.3"; }
check dated dated
finish

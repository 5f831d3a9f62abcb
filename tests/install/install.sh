#!/bin/sh
# SPDX-License-Identifier: MIT
#
# install.sh <source directory> <build directory> - install, and use what got there
#
# Installs under <build>/install-test/root with DESTDIR, moves that away (nothing may
# name the prefix), and builds the consumers against the moved copy.
set -u
source=$1 build=$2
cd "$source/tests/install" || exit 1
. ../test.sh

dir=$build/install-test
prefix=$dir/moved
out=$dir/out
rm -rf "$dir"
mkdir -p "$out"

install_and_move()
{
	DESTDIR=$dir/root cmake --install "$build" --prefix /opt/weft && mv "$dir/root/opt/weft" "$prefix"
}
check cmake_install install_and_move
pc=$(find "$prefix" -name weft.pc)
if [ -z "$pc" ]; then
	finish
fi
lib=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH="$lib/pkgconfig"

# --- what libweft.so is ----------------------------------------------------------------

exported() { nm -D --defined-only "$1" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' | sort -u; }
named()    { sed -n 's/^\t\(weft[a-z0-9_]*\);$/\1/p' "$source/src/weft.map" | sort -u; }

# The functions that the headers declare for export, in this configuration.
declared()
{
	printf '#include <weft/weft.h>\n#include <weft/context.h>\n' |
		cc -E -P -I"$prefix/include" - | tr '\n' ' ' |
		grep -oE '__attribute__\(\(visibility\("default"\)\)\)[^;({]*[ *]weft_[a-z0-9_]+ ?\(' |
		grep -oE 'weft_[a-z0-9_]+ ?\($' | tr -d '( ' | sort -u
}
expected() { { declared; named | grep '^weft__'; } | sort -u; }

# same <text> <text> <what the first lacks> <what the second lacks>
same()
{
	printf '%s\n' "$1" >"$out/left"
	printf '%s\n' "$2" >"$out/right"
	comm -13 "$out/left" "$out/right" | sed "s/^/$3: /"
	comm -23 "$out/left" "$out/right" | sed "s/^/$4: /"
	cmp -s "$out/left" "$out/right"
}

is_stack_plain()
{
	readelf -lW "$1" | grep GNU_STACK
	readelf -lW "$1" | grep 'GNU_STACK' | grep -q ' RW '
}

needs_libc_only()
{
	readelf -d "$1" | grep NEEDED || return 1
	! readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		grep -vE '^(libc\.so|ld-linux|lib(weft|clang_rt|asan|ubsan|tsan)[.-])'
}

has_no_text_relocations() { [ -e "$1" ] && ! readelf -d "$1" | grep TEXTREL; }

if command -v readelf >/dev/null 2>&1; then
	check exports same "$(exported "$lib/libweft.so")" "$(expected)" \
		"declared, or private in weft.map, but not exported" "exported, but not declared"
	for name in libweft.so libweft-hook.so $(cd "$lib" && ls libweft-libco.so libweft-cloudwu.so libweft-m2.so 2>/dev/null); do
		check stack_$name is_stack_plain "$lib/$name"
		check needs_$name needs_libc_only "$lib/$name"
		check text_$name has_no_text_relocations "$lib/$name"
	done
else
	skip elf "no readelf"
fi

# --- consumers -------------------------------------------------------------------------

runs() { LD_LIBRARY_PATH=$lib "$@"; }

# by_pkg_config <program> <source> <package> <pkg-config flags...> - compiled, then run
by_pkg_config()
{
	program=$out/$1 file=$2 package=$3
	shift 3
	flags=$(pkg-config "$@" --cflags --libs "$package") || return 1
	case $file in
	*.cc) g++ -std=c++11 -O2 -Wall -o "$program" "$file" $flags && runs "$program" ;;
	*) cc -O2 -Wall -o "$program" "$file" $flags && runs "$program" ;;
	esac
}

# Examples for other libraries' interfaces, <library>-<what>.c
in_c="cloudwu-words m2-queue"

if command -v pkg-config >/dev/null 2>&1; then
	check pkg_config_shared by_pkg_config pc-shared consumer.c weft
	check pkg_config_hook   by_pkg_config pc-hook hooked.c weft-hook
	if [ -e "$lib/libweft-libco.so" ]; then
		check pkg_config_libco by_pkg_config pc-libco "$source/examples/libco-echo.cc" weft-libco
	else
		skip pkg_config_libco "no C++ compiler when this was configured"
	fi
	for example in $in_c; do
		check pkg_config_${example%-*} by_pkg_config "pc-$example" "$source/examples/$example.c" \
			"weft-${example%-*}"
	done
	# An archive is taken where no shared library of that name lies.
	mkdir -p "$dir/archives/lib/pkgconfig"
	cp -r "$prefix/include" "$dir/archives/"
	cp "$lib"/*.a "$dir/archives/lib/"
	cp "$lib"/pkgconfig/* "$dir/archives/lib/pkgconfig/"
	PKG_CONFIG_PATH=$dir/archives/lib/pkgconfig
	check pkg_config_static      by_pkg_config pc-static consumer.c weft --static
	check pkg_config_static_hook by_pkg_config pc-static-hook hooked.c weft-hook --static
	for example in $in_c; do
		check pkg_config_static_${example%-*} by_pkg_config "pc-static-$example" \
			"$source/examples/$example.c" "weft-${example%-*}" --static
	done
	if [ -e "$lib/libweft-libco.a" ]; then
		check pkg_config_static_libco by_pkg_config pc-static-libco \
			"$source/examples/libco-echo.cc" weft-libco --static
	fi
else
	skip pkg_config "no pkg-config"
fi

by_make() { make -C plain OUT="$out" WEFT="$prefix" LIB="$lib" "$1" && "$out/plain-$1"; }
check make_shared by_make shared
check make_static by_make static
check make_hooked by_make hooked

configure_cmake()
{
	cmake -S cmake -B "$out/cmake" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$out/cmake"
}
check cmake_find_package configure_cmake
libco=$([ -e "$lib/libweft-libco.so" ] && echo libco libco-static)
for program in weft weft-static hook hook-static $libco cloudwu cloudwu-static m2 m2-static; do
	check cmake_$program "$out/cmake/cmake-$program"
done

# --- man pages ----------------------------------------------------------------------------

man_pages()
{
	for page in man3/weft_spawn.3 man3/weft_in_ms.3 man7/weft.7; do
		[ -s "$prefix/share/man/$page" ] || { echo "no $page"; return 1; }
	done
}
if [ -d "$build/man" ]; then
	check man_pages man_pages
else
	skip man_pages "no python3 when this was configured"
fi

# --- the script for gdb -----------------------------------------------------------------

# It lies where gdb looks for it, were the prefix gdb's own.
gdb_script()
{
	script=$(find "$prefix/share/gdb/auto-load/opt/weft" -name 'libweft.so.*-gdb.py')
	[ -e "$lib/$(basename "${script%-gdb.py}")" ] && cmp "$script" "$prefix/share/weft/weft-gdb.py"
}
# And gdb does load it: here from a directory like that of its own, for this place.
gdb_loads_it()
{
	real=$(realpath "$lib")
	mkdir -p "$out/auto-load$real" && cp "$script" "$out/auto-load$real/" || return 1
	LD_LIBRARY_PATH=$lib gdb -nx -batch -iex "set auto-load scripts-directory $out/auto-load" \
		-iex "set auto-load safe-path /" -ex 'break weft_join' -ex run -ex 'weft tasks' \
		"$out/plain-shared" </dev/null >"$out/gdb" 2>&1
	cat "$out/gdb"
	grep -E '^ +1 +main +running +thread 1 ' "$out/gdb"
}

check gdb_script gdb_script
if [ "$(gdb -nx -batch -ex 'python print(6 * 7)' 2>&1)" = 42 ]; then
	check gdb_loads_it gdb_loads_it
else
	skip gdb_loads_it "no gdb with Python"
fi

# Preloaded, the same program needs no second link: here its static form has none of the
# hooks, so it must hang without, and work with, the library.
check make_unhooked cc -O2 -I"$prefix/include" -o "$out/unhooked" hooked.c -L"$lib" -lweft \
	-Wl,-rpath,"$lib"
hangs() { timeout 2 "$out/unhooked"; [ $? = 124 ]; }
check unhooked_hangs hangs
check preloaded env LD_PRELOAD="$lib/libweft-hook.so" "$out/unhooked"
finish

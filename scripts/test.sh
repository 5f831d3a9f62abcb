#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test.sh [variant...] - build and test weft in every way it can be built
#
#   gcc                   everything, warnings are errors
#   clang                 builds everything, runs the unit tests
#   asan ubsan tsan       unit, fault and stress tests under a sanitizer
#   asm ucontext sjlj     the tests of what a switch can do wrong (label cpu; WHOLE=1: all unit tests)
#   aarch64               unit tests under qemu-user
#   riscv64               the tests of what a CPU can do wrong (label cpu), likewise
#   m32                   tests of coroutines and of what is made of them, in 32 bits
#
# Each variant is a preset of CMakePresets.json in a directory of its own. The last
# line counts the cases of all variants; what was skipped is listed above it with
# its reason. With CI=true a skip that tests/allowed-skips.txt does not list is a
# failure.
set -u
cd "$(dirname "$0")/.."

build=${BUILD:-build}
jobs=${JOBS:-$(nproc)}
all_variants="gcc clang asan ubsan tsan asm ucontext sjlj aarch64 riscv64 m32"
passed=0 failed=0 skipped=0
skips=()    # "variant group.name: reason"
failures=() # "variant what"

heading() { printf '\n=== %s: %s\n' "$1" "$2"; }

# --- counting ------------------------------------------------------------------------

# read_log <what ctest printed> <its log> - "sum P F S", "skip name: reason", "fail name"
#
# The log holds the output of every program, each of which closes with "N passed,
# N failed, N skipped". One that does not is one case: passed, failed, or skipped
# as ctest printed it.
read_log()
{
	awk '
	function settle() {
		if (program == "" || program in lost)
			return
		if (!closed && program in skips) {
			s++
			print "skip " program ": it gave no reason"
		} else if (!closed && !broken) {
			p++
		} else if (broken && bad == 0) {
			f++
			print "fail " program
		}
		program = ""
	}
	FNR == NR && /\*\*\*Skipped/ { skips[$4] = 1 }
	FNR == NR && /\*\*\*Not Run/ { lost[$4] = 1; f++; print "fail " $4 " (not built)" }
	FNR == NR                   { next }
	/^[0-9]+\/[0-9]+ Testing: /  { settle(); program = $3; closed = broken = bad = 0; next }
	/^skipped because: /         { reason = substr($0, 18); next }
	/^SKIPPED /                  { print "skip " $2 ": " reason; reason = ""; next }
	/^FAILED /                   { print "fail " $2; next }
	/^Test Failed\.$/            { broken = 1; next }
	/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
		p += $1; f += $3; s += $5
		bad += $3
		closed = 1
	}
	END { settle(); print "sum", p + 0, f + 0, s + 0 }' "$1" "$2"
}

count_log()
{
	local variant=$1 kind rest
	while read -r kind rest; do
		case $kind in
		skip) skips+=("$variant $rest") ;;
		fail) failures+=("$variant $rest") ;;
		sum)
			set -- $rest
			passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
			echo "--- $variant: $1 passed, $2 failed, $3 skipped"
			;;
		esac
	done < <(read_log "$2" "$3")
}

# A whole variant that cannot be built here.
skip_variant()
{
	skips+=("$1 variant.$1: $2")
	skipped=$((skipped + 1))
	echo "--- $1: skipped: $2"
}

fail_variant()
{
	failures+=("$1 $2")
	failed=$((failed + 1))
	echo "--- $1: $2"
}

# --- building and running --------------------------------------------------------------

# run_variant <variant> <preset> <build target> <ctest arguments...>
# Runs ctest by ${run_by[@]}.
run_variant()
{
	local variant=$1 preset=$2 target=$3 dir=$build/$2 status before=$failed
	shift 3
	if ! cmake --preset "$preset" -B "$dir" >"$build/$preset.configure.log" 2>&1; then
		tail -n 20 "$build/$preset.configure.log"
		fail_variant "$variant" "does not configure"
		return
	fi
	if ! cmake --build "$dir" -j "$jobs" --target $target >"$build/$preset.build.log" 2>&1; then
		grep -E -A 5 'error|Error|warning:|undefined' "$build/$preset.build.log" | head -n 40
		fail_variant "$variant" "does not build (all of it: $build/$preset.build.log)"
		return
	fi
	rm -f "$dir/Testing/Temporary/LastTest.log"
	(cd "$dir" && "${run_by[@]}" ctest --output-on-failure --no-label-summary -j "$jobs" "$@") |
		tee "$build/$preset.ctest.log"
	status=${PIPESTATUS[0]}
	if [ ! -s "$dir/Testing/Temporary/LastTest.log" ]; then
		fail_variant "$variant" "ran no test"
		return
	fi
	count_log "$variant" "$build/$preset.ctest.log" "$dir/Testing/Temporary/LastTest.log"
	if [ $status -ne 0 ] && [ $failed -eq "$before" ]; then
		fail_variant "$variant" "ctest failed with $status"
	fi
}

# Labels are matched as regular expressions; ^fault$ is not default.
unit=(-L '^unit$')
thorough=(-L '^(unit|fault|stress)$')
run_by=()

variant_gcc()
{
	heading gcc "everything"
	run_variant gcc dev all
}

variant_clang()
{
	heading clang "builds everything, runs the unit tests"
	if ! command -v clang >/dev/null; then
		skip_variant clang "no clang"
		return
	fi
	run_variant clang dev-clang all "${unit[@]}"
}

variant_asan()
{
	heading asan "unit, fault, stress and compat tests under AddressSanitizer"
	run_variant asan asan "tests-unit tests-fault tests-stress tests-compat" \
		-L '^(unit|fault|stress|compat)$'
}

variant_ubsan()
{
	local preset=ubsan-clang
	# clang's knows a few more kinds; gcc's does where clang's runtime is missing.
	echo 'int main(void) { return 0; }' |
		clang -fsanitize=undefined -x c - -o /dev/null 2>/dev/null || preset=ubsan
	heading ubsan "unit, fault and stress tests under UndefinedBehaviorSanitizer (preset $preset)"
	run_variant ubsan $preset "tests-unit tests-fault tests-stress" "${thorough[@]}"
}

# tsan_runs <compiler> [command that runs a program...] - do its programs run here?
tsan_runs()
{
	local program=$build/tsan-probe compiler=$1
	shift
	echo 'int main(void) { return 0; }' |
		$compiler -fsanitize=thread -x c - -o "$program" 2>/dev/null &&
		"$@" "$program" 2>/dev/null
}

# clang's makes a fiber in 10 us, that of gcc 12 in a millisecond. Older ones do not find
# their place among addresses that the kernel has spread too wide.
variant_tsan()
{
	local preset=
	if tsan_runs clang; then
		preset=tsan-clang
	elif tsan_runs clang setarch -R; then
		preset=tsan-clang run_by=(setarch -R)
	elif tsan_runs gcc; then
		preset=tsan
	elif tsan_runs gcc setarch -R; then
		preset=tsan run_by=(setarch -R)
	fi
	heading tsan "unit, fault and stress tests under ThreadSanitizer (preset ${preset:-none})"
	if [ -z "$preset" ]; then
		skip_variant tsan "no compiler whose ThreadSanitizer runs on this kernel"
		return
	fi
	run_variant tsan $preset "tests-unit tests-fault tests-stress" "${thorough[@]}"
	run_by=()
}

# Few tests, for all of them take time, and what rests on a switch or a CPU sees no more of it.
# WHOLE=1: all unit tests.
run_in_passing()
{
	if [ "${WHOLE:-}" = 1 ]; then
		run_variant "$1" "$1" tests-unit "${unit[@]}"
	else
		run_variant "$1" "$1" tests-cpu -L '^cpu$'
	fi
}

variant_portable()
{
	heading "$1" "what differs from switch to switch, WEFT_SWITCH=$1"
	run_in_passing "$1"
}
variant_asm()      { variant_portable asm; }
variant_ucontext() { variant_portable ucontext; }
variant_sjlj()     { variant_portable sjlj; }

can_cross()
{
	command -v "$1-linux-gnu-gcc" >/dev/null && command -v "qemu-$1" >/dev/null && return
	skip_variant "$1" "no cross compiler or no qemu-user"
	return 1
}

variant_aarch64()
{
	heading aarch64 "unit tests, cross-compiled, under qemu-user"
	if can_cross aarch64; then
		run_variant aarch64 aarch64 tests-unit "${unit[@]}"
	fi
}

variant_riscv64()
{
	heading riscv64 "what differs from CPU to CPU, cross-compiled, under qemu-user"
	if can_cross riscv64; then
		run_in_passing riscv64
	fi
}

# i386 has coroutines and tasks only, and most tests are of more than that.
variant_m32()
{
	local names="unit-coroutine unit-coroutine_shared unit-generator unit-context compat-m2 compat-cloudwu"

	heading m32 "coroutines in 32 bits, WEFT_SWITCH=sjlj"
	if [ "$(uname -m)" != x86_64 ]; then
		skip_variant m32 "no x86-64"
		return
	fi
	if ! echo 'int main(void) { return 0; }' | cc -m32 -x c - -o "$build/m32-probe" 2>/dev/null; then
		skip_variant m32 "no libc for -m32 (Debian: gcc-$(cc -dumpversion)-multilib)"
		return
	fi
	run_variant m32 m32 "$names" -R "^($(echo "$names" | sed 's/-/\//g; s/ /|/g'))\$"
}

# --- the end -----------------------------------------------------------------------------

# In CI a skip must be on the list: patterns for "variant group.name", # comments.
is_allowed()
{
	local name=${1%%: *} pattern
	while read -r pattern; do
		[[ $name == $pattern ]] && return 0
	done < <(sed 's/[[:space:]]*#.*//; /^$/d' tests/allowed-skips.txt)
	return 1
}

judge_skips()
{
	local skip
	[ ${#skips[@]} -eq 0 ] && return
	printf '\nSkipped:\n'
	for skip in "${skips[@]}"; do
		if [ "${CI:-}" = true ] && ! is_allowed "$skip"; then
			echo "  $skip  [not in tests/allowed-skips.txt: a failure]"
			failures+=("$skip")
			failed=$((failed + 1)) skipped=$((skipped - 1))
		else
			echo "  $skip"
		fi
	done
}

list_failures()
{
	[ ${#failures[@]} -eq 0 ] && return
	printf '\nFailed:\n'
	printf '  %s\n' "${failures[@]}"
}

mkdir -p "$build"
scripts/setup.sh test || exit 1
for variant in ${*:-$all_variants}; do
	case " $all_variants " in
	*" $variant "*) SECONDS=0; "variant_$variant"; echo "    took ${SECONDS} s" ;;
	*) echo "test.sh: no variant $variant; there are: $all_variants"; exit 2 ;;
	esac
done
judge_skips
list_failures
printf '\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]

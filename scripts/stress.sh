#!/bin/bash
# SPDX-License-Identifier: MIT
#
# stress.sh [seeds] [build directory] - the stress tests with one seed after the other
#
# Each round runs every program of tests/stress with WEFT_SEED=1, 2, ...; 340 rounds, the
# default, are about an hour on 2 CPUs. The first failure ends it, and its seed is named.
set -u
cd "$(dirname "$0")/.."
seeds=${1:-340}
dir=${2:-${BUILD:-build}/dev}

cmake --preset dev -B "$dir" >/dev/null && cmake --build "$dir" -j "$(nproc)" --target tests-stress \
	>/dev/null || exit 1
for ((seed = 1; seed <= seeds; seed++)); do
	for program in "$dir"/tests/stress/stress-*; do
		[ -x "$program" ] || continue
		if ! WEFT_SEED=$seed "$program" >"$dir/stress.log" 2>&1; then
			cat "$dir/stress.log"
			echo "WEFT_SEED=$seed $program"
			exit 1
		fi
	done
	((seed % 10)) || echo "$seed of $seeds seeds, ${SECONDS} s"
done
echo "stress: $seeds seeds passed in ${SECONDS} s"

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# smoke.sh - does every program of the bench run, and report what it should?
#
#	bench/smoke.sh <directory of the programs> <directory of the echo servers>
#
# Tiny counts, no peers in other languages, and no figure is judged.
set -u

. "$(dirname "$0")/../tests/test.sh"
test_group=bench
servers=$(cd "$2" && pwd)
cd "$1" || exit 1

# reports <rows> <program> [argument ...] - each row comes, with a number
reports()
{
	rows=$1
	shift
	output=$(timeout 60 "$@" 2>&1)
	status=$?
	echo "$*: status $status, wanted: $rows"
	echo "$output"
	for row in $rows; do
		echo "$output" | grep -qE "^ROW $row [A-Za-z]+ [0-9.e+-]+ [A-Za-z/]+$" || return 1
	done
	return $status
}

check switch          reports "switch transfer" ./bench-switch 1000
check yield_2         reports yield_2 ./bench-yield 2 1000
check yield_1000      reports yield_1000_sites ./bench-yield 1000 10000 sites
check spawn           reports "spawn spawn_batch spawn_shared" ./bench-spawn 1000
check wake            reports "wake timer" ./bench-wake 1000
check chan            reports "chan chan_128 select_2 select_8" ./bench-chan 1000
check chan_one        reports select_8 ./bench-chan 1000 select_8
check lock            reports "mutex mutex_8 mutex_held waitgroup" ./bench-lock 1000
check sleep           reports "sleep sleep_cpu" ./bench-sleep private 2000
check sleep_shared    reports "sleep_shared sleep_shared_cpu" ./bench-sleep shared 2000
check parked          reports "parked parked_tables parked_cost parked_after" \
	./bench-parked private 2000
check parked_shared   reports "parked_shared parked_shared_after" ./bench-parked shared 2000
for what in ten ten_chan ten_value million_private; do
	check $what reports "${what}_spawn ${what}_park ${what}_start ${what}_wake ${what}_join \
		${what}_tables ${what}_rss ${what}_bytes ${what}_after" ./bench-ten-million $what 2000
done
check trace           reports "trace_record trace_clock trace_yield trace_wake trace_spawn trace_write" \
	./bench-trace 1000
for workers in 1 2; do
	check lock_$workers reports "mutex_w$workers mutex_w${workers}_cpu" ./bench-lock 1000 $workers
	check promise_$workers reports "promise_w$workers promise_w${workers}_cpu" \
		./bench-promise $workers 100
	check skynet_$workers reports "skynet_w$workers skynet_w${workers}_cpu" \
		./bench-skynet $workers 1000
	for what in yield spawn spawn2 tree leaves; do
		check crew_${what}_$workers reports "${what}_w$workers ${what}_w${workers}_cpu" \
			./bench-crew $what $workers 500
	done
	for what in cross cross_busy deadline deadline_move naps; do
		check hop_${what}_$workers reports "${what}_w$workers ${what}_w${workers}_cpu" \
			./bench-hop $what $workers 200
	done
done
for what in spawn2 tree leaves; do
	check crew_${what}_1of2 reports ${what}_w1of2 ./bench-crew $what 1of2 500
done
check skynet_1of2     reports skynet_w1of2 ./bench-skynet 1of2 1000
for how in spread plain port; do
	check crowd_$how reports "echo_x echo_rate_x even_x even_conn_x" \
		./bench-crowd x weft 20 50 0 none ./bench-serve 2 $how sticky 1
done
check crowd_paced     reports "p50_x p99_x p999_x" \
	./bench-crowd x weft 20 50 1000 none ./bench-serve 2 spread move
check crowd_hog       reports "p50_x p99_x p999_x" \
	./bench-crowd x weft 20 150 1000 hog ./bench-serve 2 spread move 0 hog
check ucontext        reports switch ./peer-ucontext 1000
check threads         reports yield_2 ./peer-threads yield_2 1000
check threads_spawn   reports spawn ./peer-threads spawn 100
for server in echo-epoll echo-server; do
	if [ -x "$servers/$server" ]; then
		check $server reports "echo echo_rate" ./bench-echo weft 20 100 "$servers/$server"
	else
		skip $server "$server was not built"
	fi
done
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - every program of the bench and its peers, in turn, round after round.
#
#	bench/run.sh <build directory>
#
# Results: <build directory>/bench/{table.md,results.json,chart.svg,samples}.
# Environment:
#	ROWS	which rows, comma or space between them (all)
#	ROUNDS	how many times each program runs (5)
#	SCALE	divides every count (1); for a quick look
#	CPU	the CPU that all of them are pinned to (the last one)
#	CONNECTIONS, ECHO_MS	of the echo row (5000, 1000)
#	CALM	1: what compares one worker with two runs at a real-time priority (chrt),
#		for a machine whose CPUs others want, too
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: bench/run.sh <build directory>}" && pwd)
dir=$build/bench
examples=$build/examples
rounds=${ROUNDS:-5}
scale=${SCALE:-1}
cpu=${CPU:-$(($(nproc --all) - 1))}
samples=$dir/samples
log=$dir/log
all="switch yield spawn wake chan lock sleep parked ten echo promise skynet crew crowd hog"
calm=
[ -z "${CALM:-}" ] || calm="chrt -f 1"
export GOMAXPROCS=1

count() # <full count>
{
	n=$(($1 / scale))
	[ "$n" -gt 0 ] || n=1
	echo "$n"
}

# The commands of a group, one a line: who, program, arguments.
commands()
{
	case $1 in
	switch)
		echo "weft bench-switch $(count 20000000)"
		echo "Boost.Context peer-boost-context $(count 20000000)"
		echo "ucontext peer-ucontext $(count 1000000)"
		;;
	yield_2 | yield_1000)
		echo "weft bench-yield ${1#yield_} $(count 20000000)"
		echo "weft bench-yield ${1#yield_} $(count 20000000) sites"
		echo "Boost.Fiber peer-boost-fiber $1 $(count 4000000)"
		echo "threads peer-threads $1 $(count 200000)"
		echo "Go peer-go $1 $(count 5000000)"
		echo "Go peer-go $1_sites $(count 5000000)"
		;;
	spawn)
		echo "weft bench-spawn $(count 3000000)"
		echo "Boost.Fiber peer-boost-fiber spawn $(count 500000)"
		echo "threads peer-threads spawn $(count 5000)"
		echo "Go peer-go spawn $(count 1000000)"
		echo "Go peer-go spawn_batch $(count 1000000)"
		;;
	wake)
		echo "weft bench-wake $(count 5000000)"
		echo "Go peer-go wake $(count 2000000)"
		echo "Go peer-go timer $(count 2000000)"
		;;
	chan)
		echo "weft bench-chan $(count 2000000)"
		for row in chan chan_128 select_2 select_8; do
			echo "Go peer-go $row $(count 500000)"
		done
		;;
	lock)
		echo "weft bench-lock $(count 3000000)"
		for row in mutex mutex_8 mutex_held waitgroup; do
			echo "Go peer-go $row $(count 1000000)"
		done
		for w in 1 2; do
			echo "weft bench-lock $(count 3000000) $w"
			echo "Go peer-go crew_mutex $w $(count 1000000)"
		done
		;;
	promise)
		for w in 1 2; do
			echo "weft bench-promise $w $(count 5000)"
			echo "Go peer-go crew_promise $w $(count 5000)"
		done
		;;
	skynet)
		for w in 1 1of2 2; do
			echo "weft bench-skynet $w $(count 1000000)"
			[ $w = 1of2 ] || echo "Go peer-go crew_skynet $w $(count 1000000)"
		done
		;;
	sleep)
		echo "weft bench-sleep private $(count 1000000)"
		echo "weft bench-sleep shared $(count 1000000)"
		echo "Go peer-go sleep $(count 1000000)"
		;;
	parked)
		echo "weft bench-parked private $(count 1000000)"
		echo "weft bench-parked shared $(count 1000000)"
		echo "Go peer-go parked $(count 1000000)"
		;;
	ten)
		echo "weft bench-ten-million million $(count 1000000)"
		echo "Go peer-go million $(count 1000000)"
		echo "weft bench-ten-million ten $(count 10000000)"
		echo "weft bench-ten-million million_private $(count 1000000)"
		;;
	ten_chan)
		echo "weft bench-ten-million ten_chan $(count 10000000)"
		echo "weft bench-ten-million ten_value $(count 10000000)"
		;;
	echo)
		set -- "${CONNECTIONS:-5000}" "${ECHO_MS:-1000}"
		echo "weft bench-echo weft $1 $2 $examples/echo-server"
		echo "epoll bench-echo epoll $1 $2 $examples/echo-epoll"
		echo "Go bench-echo Go $1 $2 ./peer-go echo"
		;;
	crew) crew_commands ;;
	crowd) crowd_commands ;;
	hog) hog_commands ;;
	esac
}

# One worker, two of which one is kept out, and two.
crew_commands()
{
	while read -r program what workers each <&4; do
		for w in $(echo "$workers" | tr ',' ' '); do
			case $program in
			peer-go) echo "Go peer-go crew_$what $w $(count "$each")" ;;
			*) echo "weft $program $what $w $(count "$each")" ;;
			esac
		done
	done 4<<-END
		bench-crew yield 1,2 1000000
		peer-go yield 1,2 300000
		bench-crew spawn 1,2 1000000
		peer-go spawn 1,2 200000
		bench-crew spawn2 1,1of2,2 1000000
		peer-go spawn2 1,2 200000
		bench-crew tree 1,1of2,2 300000
		peer-go tree 1,2 200000
		bench-crew leaves 1,1of2,2 5000
		peer-go leaves 1,2 5000
		bench-hop cross 1,2 10000
		peer-go cross 1,2 100000
		peer-go cross_locked 2 5000
		bench-hop cross_busy 1,2 10000
		peer-go cross_busy 1,2 100000
		bench-hop deadline 1,2 500000
		bench-hop deadline_move 1,2 500000
		peer-go deadline 1,2 100000
		bench-hop naps 1,2 50000
		peer-go naps 1,2 50000
	END
}

# Closed loop. Server and crowd share the CPUs: with two workers there are more busy
# threads than CPUs. With work the crowd's part is small.
crowd_commands()
{
	head="500 $(count 200) 0 none"
	echo "weft bench-crowd w1 weft $head ./bench-serve 1 spread sticky"
	echo "weft bench-crowd w2 weft $head ./bench-serve 2 spread sticky"
	echo "weft bench-crowd w2_port weft $head ./bench-serve 2 port sticky"
	echo "weft bench-crowd w2_plain weft $head ./bench-serve 2 plain sticky"
	echo "weft bench-crowd work_w1 weft $head ./bench-serve 1 spread sticky 1"
	echo "weft bench-crowd work_w2 weft $head ./bench-serve 2 spread sticky 1"
	echo "Go bench-crowd w1 Go $head ./peer-go crew_echo 1 0"
	echo "Go bench-crowd w2 Go $head ./peer-go crew_echo 2 0"
	echo "Go bench-crowd work_w1 Go $head ./peer-go crew_echo 1 1"
	echo "Go bench-crowd work_w2 Go $head ./peer-go crew_echo 2 1"
}

# Open loop; move_else: the hog is another process, which no scheduler of a server sees.
hog_commands()
{
	head="1000 $(count 350) 5000"
	echo "weft bench-crowd move weft $head none ./bench-serve 2 spread move 0"
	echo "weft bench-crowd move_hog weft $head none ./bench-serve 2 spread move 0 hog"
	echo "weft bench-crowd move_else weft $head hog ./bench-serve 2 spread move 0"
	echo "weft bench-crowd sticky_hog weft $head none ./bench-serve 2 spread sticky 0 hog"
	echo "Go bench-crowd move Go $head none ./peer-go crew_echo 2 0"
	echo "Go bench-crowd move_hog Go $head none ./peer-go crew_echo 2 0 hog"
}

# The groups that hold the rows asked for: each once, in our order.
groups()
{
	wanted=
	for row in $(echo "${ROWS:-$all}" | tr ',' ' '); do
		case $row in
		p50_* | p99_* | p999_*) group=hog ;;
		echo_w* | echo_rate_* | echo_scale | even_*) group=crowd ;;
		chan* | select*) group=chan ;;
		mutex* | waitgroup | lock) group=lock ;;
		promise* | skynet*) group=${row%%_*} ;;
		*_w[12] | *_w1of2 | *_scale) group=crew ;;
		switch | transfer) group=switch ;;
		yield) group="yield_2 yield_1000" ;;
		yield_2 | yield_1000 | echo | crew | crowd | hog) group=$row ;;
		yield_2_sites | yield_1000_sites) group=${row%_sites} ;;
		spawn*) group=spawn ;;
		wake | timer) group=wake ;;
		sleep*) group="sleep" ;;
		parked* | rss) group=parked ;;
		ten_chan* | ten_value*) group=ten_chan ;;
		ten* | million*) group=ten ;;
		echo_rate) group="echo" ;;
		*)
			echo "bench: no such row: $row (there are: $all)" >&2
			exit 2
			;;
		esac
		wanted="$wanted $group"
	done
	for group in switch yield_2 yield_1000 spawn wake chan lock sleep parked ten ten_chan echo \
		promise skynet crew crowd hog; do
		case "$wanted " in
		*" $group "*) echo $group ;;
		esac
	done
}

# The echo program places itself and its server on CPUs of their own. What has several
# workers has all CPUs.
launch() # <program> [argument ...]
{
	program=$1
	shift
	case "$program $*" in
	bench-echo\ *) timeout 120 "./$program" "$@" ;;
	bench-crew\ * | bench-hop\ * | bench-crowd\ * | bench-lock\ *\ [0-9]* | \
		bench-promise\ * | bench-skynet\ * | peer-go\ crew_*)
		# shellcheck disable=SC2086
		timeout 120 $calm "./$program" "$@"
		;;
	*) timeout 120 taskset -c "$cpu" "./$program" "$@" ;;
	esac
}

missing=" "
failed=0

# Says once what is not there.
present() # <who> <program> [argument ...]
{
	who=$1 file=$2
	if [ "$2" = bench-echo ] && [ -x "$2" ]; then
		file=$6
	elif [ "$2" = bench-crowd ] && [ -x "$2" ]; then
		file=$9
	fi
	[ -x "$file" ] && return 0
	case $missing in
	*" $file "*) ;;
	*) echo "bench: skipped: $who ($(basename "$file") was not built; see bench/README.md)" >&2 ;;
	esac
	missing="$missing$file "
	return 1
}

run_command() # <group> <round> <who> <program> [argument ...]
{
	label="$1 $2"
	shift 2
	present "$@" || return 0
	shift
	if ! launch "$@" >"$samples.one" 2>>"$log"; then
		echo "bench: failed: $*: $(tail -n 1 "$log")" >&2
		failed=1
	fi
	grep -v '^ROW' "$samples.one" >&2 || true
	sed -n "s/^ROW /$label /p" "$samples.one" >>"$samples"
}

# Every other round runs backwards, so that nobody always follows the same
# neighbour.
run_group() # <group>
{
	round=1
	last=$rounds
	# Seconds each, and some gigabytes: once, where it is not asked for.
	[ "$1" != ten ] || [ -n "${ROWS:-}" ] || last=1
	while [ "$round" -le "$last" ]; do
		order="cat"
		[ $((round % 2)) -eq 1 ] || order="tac"
		commands "$1" | $order >"$samples.todo"
		while read -r who program arguments <&3; do
			# shellcheck disable=SC2086
			run_command "$1" "$round" "$who" "$program" $arguments
		done 3<"$samples.todo"
		round=$((round + 1))
	done
}

describe_machine()
{
	model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	go=
	if [ -x peer-go ]; then
		go=$(go version | sed -n "s/.* go\([0-9.]*\) .*/Go \1, /p")
	fi
	echo "${model:-$(uname -m)}, $(nproc --all) CPUs, Linux $(uname -r | cut -d. -f1,2), $go$(date +%Y-%m-%d)"
}

report()
{
	machine=$(describe_machine)
	awk -f "$here/report.awk" -v rounds="$rounds" -v machine="$machine" -v dir="$dir" \
		"$here/rows.txt" "$samples"
	if [ ! -s chart.dat ]; then
		return
	elif command -v gnuplot >/dev/null; then
		gnuplot -e "dir='$dir'; machine='$machine'" "$here/chart.gp"
		echo "bench: chart in $dir/chart.svg"
	else
		echo "bench: no chart: gnuplot is not there"
	fi
}

todo=$(groups)
cmake --build "$build" --target bench-programs -j "$(nproc)" >/dev/null
cd "$dir"
: >"$samples"
: >"$log"
began=$(date +%s)
for group in $todo; do
	echo "bench: $group, $rounds rounds ..." >&2
	run_group "$group"
done
rm -f "$samples.one" "$samples.todo"
report
echo "bench: $(($(date +%s) - began)) s; figures in $dir/results.json and table.md"
exit "$failed"

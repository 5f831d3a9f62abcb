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
all="switch yield spawn wake sleep parked echo"
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
	echo)
		set -- "${CONNECTIONS:-5000}" "${ECHO_MS:-1000}"
		echo "weft bench-echo weft $1 $2 $examples/echo-server"
		echo "epoll bench-echo epoll $1 $2 $examples/echo-epoll"
		echo "Go bench-echo Go $1 $2 ./peer-go echo"
		;;
	esac
}

# The groups that hold the rows asked for: each once, in our order.
groups()
{
	wanted=
	for row in $(echo "${ROWS:-$all}" | tr ',' ' '); do
		case $row in
		switch | transfer) group=switch ;;
		yield) group="yield_2 yield_1000" ;;
		yield_2 | yield_1000 | echo) group=$row ;;
		yield_2_sites | yield_1000_sites) group=${row%_sites} ;;
		spawn*) group=spawn ;;
		wake | timer) group=wake ;;
		sleep*) group="sleep" ;;
		parked* | rss) group=parked ;;
		echo_rate) group="echo" ;;
		*)
			echo "bench: no such row: $row (there are: $all)" >&2
			exit 2
			;;
		esac
		wanted="$wanted $group"
	done
	for group in switch yield_2 yield_1000 spawn wake sleep parked echo; do
		case "$wanted " in
		*" $group "*) echo $group ;;
		esac
	done
}

# The echo program places itself and its server on CPUs of their own.
launch() # <program> [argument ...]
{
	program=$1
	shift
	if [ "$program" = bench-echo ]; then
		timeout 120 "./$program" "$@"
	else
		timeout 120 taskset -c "$cpu" "./$program" "$@"
	fi
}

missing=" "
failed=0

# Says once what is not there.
present() # <who> <program> [argument ...]
{
	who=$1 file=$2
	if [ "$2" = bench-echo ] && [ -x "$2" ]; then
		file=$6
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
	while [ "$round" -le "$rounds" ]; do
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
	echo "${model:-$(uname -m)}, $(nproc --all) CPUs, Linux $(uname -r), $go$(date +%Y-%m-%d)"
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

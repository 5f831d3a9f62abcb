#!/bin/sh
# SPDX-License-Identifier: MIT
#
# gdb_tasks.sh <source directory> <program> <the same with libweft.so> - the commands of
# tools/gdb, on a live process and on its core file. The program is gdb_tasks.c.
set -u
static=$2 shared=$3
cd "$1" || exit 1
. tests/test.sh
script=tools/gdb/weft-gdb.py
dir=$(mktemp -d)
trap 'rm -rf "$dir" "$test_output"' EXIT

run_gdb() { gdb -nx -batch -iex 'set auto-load no' -ex "source $script" "$@" 2>&1; }

command -v gdb >/dev/null || { skip tasks "no gdb"; finish; }
[ "$(gdb -nx -batch -ex 'python print(6 * 7)' 2>&1)" = 42 ] || { skip tasks "gdb without Python"; finish; }
gdb -nx -batch -ex 'break checkpoint' -ex run "$static" 2>&1 | grep -q 'hit Breakpoint 1' ||
	{ skip tasks "gdb cannot trace a process here"; finish; }

# What is asked of a process and of a core alike, in sections.
cat >"$dir/questions" <<'END'
echo \n== tasks\n
weft tasks
echo \n== bt\n
weft bt all
echo \n== parked\n
weft task 2
bt
weft tasks
frame function sleeper_inner
info locals
up
info locals
echo \n== saved\n
weft bt 5 full
echo \n== resident\n
weft task 6
bt
echo \n== main\n
weft task 1
bt
echo \n== other thread\n
thread 2
weft task 3
bt
weft bt 2
bt 3
thread 1
echo \n== running\n
weft task 9
bt
echo \n== off\n
weft task 2
weft task off
bt
echo \n== function\n
print $weft_task(4)->id
print not_weft.mine
echo \n== wrong\n
END
for wrong in 'task 5' 'task 8' 'task 10' 'bt 77' 'bt x' 'bt' 'task'; do
	printf 'python\ntry:\n    gdb.execute("weft %s")\nexcept gdb.error as e:\n    print(e)\nend\n' "$wrong"
done >>"$dir/questions"
printf '%s\n' 'echo \n== end\n' >>"$dir/questions"

# section <name> - that part of the output
section() { sed -n "/^== $1\$/,/^== /p" "$output"; }
# says <section> <pattern>... - these lines, in this order
says()
{
	part=$(section "$1")
	shift
	rest=$part
	for pattern; do
		found=$(printf '%s\n' "$rest" | grep -nE -m1 -- "$pattern") || {
			printf '"%s" not found (in this order) in:\n%s\n' "$pattern" "$part"
			return 1
		}
		rest=$(printf '%s\n' "$rest" | tail -n +$((${found%%:*} + 1)))
	done
}
once() { [ "$(section "$1" | grep -cE -- "$2")" = 1 ]; }
silent() { ! section "$1" | grep -E -- "$2"; }
nowhere() { ! grep -nE "$1" "$output"; }

# gdb may take an assembler's name for Ada and print weft.context_entry.
# frames <name> - the three that stand below what the task waits in
frames() { printf '%s\n' "^#.*\<$1_inner.\(" "^#.*\<$1_outer.\(" "^#.*\<$1_body.\("; }

look()
{
	name=$1
	check "${name}_tasks" says tasks '^ +ID +NAME +STATE +WAITS FOR +WORKER +USED +STACK +SPAWNED AT' \
		'^ +1 +main +join +task 9 +1 +- +- +-$' \
		'^ +2 +sleeper +sleep +(3[0-9]+\.[0-9]+ s more|till [0-9]+\.[0-9]+ s) +1 +[0-9]+ +[0-9]+K +[^ ]*gdb_tasks.c:[0-9]+$' \
		'^ +3 +reader +fd +fd [0-9]+ read +1 ' \
		'^ +4 +joiner +join +task 2 +1 ' \
		'^ +5 +evicted +sleep .* 67K saved +' \
		'^ +6 +resident +sleep .* 67K shared +' \
		'^ +7 +resumer +sleep ' \
		'^ +8 +dead +dead +a join; returned 42 ' \
		'^ +9 +runner +running +thread 1 ' \
		'^ +10 +- +new +to call fresh_body ' \
		'^$'
	for task in sleeper reader joiner evicted resident; do
		check "${name}_bt_$task" says bt "^Task .*\"$task\"" "^#1 " $(frames $task) \
			'^#.* weft..?context_entry' '^$'
	done
	check "${name}_bt_main" says bt '^Task 1 "main", join \(task 9\)' '^#.* weft_join' '^#.* main \(' '^$'
	check "${name}_bt_coroutine" says bt '^Task 7 "resumer"' '^#.* co_body' 'weft..?context_entry' \
		'^\.\.\. in coroutine 0x[0-9a-f]+ "inside" \(co_body\), resumed by:' \
		$(frames resumer) '^$'
	check "${name}_bt_running" says bt '^Task 9 "runner", running' '^#0 .*checkpoint' $(frames runner)
	check "${name}_bt_without_frames" says bt '^Task 8 has ended' '^Task 10 has not begun'
	check "${name}_task" says parked '^#.*' $(frames sleeper) '^\* +2 +sleeper' '^inner_local = 101$' \
		'^outer_local = 200$'
	check "${name}_task_hides_thread" silent parked '^#.*(checkpoint|runner)'
	check "${name}_bt_saved_full" says saved '^#.*\<evicted_inner.\(' 'inner_local = 401$' \
		'^#.*\<evicted_outer.\(' 'outer_local = 800$' '^#.*\<evicted_body'
	check "${name}_bt_saved_once" once saved '^#.*\<evicted_inner'
	check "${name}_task_resident" says resident $(frames resident)
	check "${name}_task_main" says main '^#.* weft_join' '^#.* main \('
	check "${name}_task_on_other_thread" says 'other thread' $(frames reader) '^Task 2' $(frames sleeper) \
		'^#1 ' 'Switching to thread 1' '^#0 .*checkpoint'
	check "${name}_task_running" says running '^Task 9' '^#0 .*checkpoint' $(frames runner)
	check "${name}_task_off" says off '^Task 2' '^#0 .*checkpoint' '^#0 .*checkpoint' $(frames runner)
	check "${name}_function" says function '= 4$' '"users'
	check "${name}_wrong" says wrong 'task 5 are off their stack' 'Task 8 has ended' 'Task 10 has not begun' 'no task 77' \
		'"x" is not the id' 'Usage: weft bt' 'Usage: weft task' '^== end'
	check "${name}_no_trouble" nowhere \
		'Python Exception|Traceback|corrupt stack|Backtrace stopped|Cannot access memory'
}

for kind in static shared; do
	eval "program=\$$kind"
	output=$dir/$kind-live
	run_gdb -ex 'break checkpoint' -ex run -x "$dir/questions" -ex 'weft task 2' \
		-ex "weft core $dir/$kind.core" -ex 'weft task 2' -ex 'next' -ex 'bt' -ex 'echo \n== after\n' \
		-ex continue "$program" >"$output" </dev/null
	look ${kind}_live
	check ${kind}_live_step_ends_selection says end 'sleeper_inner|Task 2' $(frames runner)
	check ${kind}_live_goes_on says after '^users: all as it was$'
	output=$dir/$kind-core
	run_gdb -x "$dir/questions" "$program" "$dir/$kind.core" >"$output" </dev/null
	look ${kind}_core
done

# --- where there is nothing to see ---------------------------------------------------

output=$dir/nothing
{
	echo '== no process'
	run_gdb -ex 'weft tasks' "$static"
	echo '== no weft'
	run_gdb -ex 'break main' -ex run -ex 'weft tasks' "$(command -v sleep)"
	echo '== no debug info'
	strip -g -o "$dir/stripped" "$static" &&
		run_gdb -ex 'break checkpoint' -ex run -ex 'weft tasks' "$dir/stripped"
} >"$output" </dev/null 2>&1
check no_process    says 'no process' 'There is no process and no core file: start the program first'
check no_weft       says 'no weft' 'There is no libweft in this program'
check no_debug_info says 'no debug info' 'This libweft has no debug info'
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# preload.sh <library directory> <program directory> - libweft-hook.so by LD_PRELOAD
#
# Programs that know nothing of weft do what they do without it; one that is linked
# to libweft alone gets its calls hooked, by group; a library of another release is
# refused.
set -u
lib=$1 programs=$2
. "$(dirname "$0")/../test.sh"
dir=$(mktemp -d)
trap 'rm -rf "$dir" "$test_output"' EXIT

preloaded() { LD_LIBRARY_PATH=$lib LD_PRELOAD="$lib/libweft-hook.so" "$@"; }

# same <command...> - alike in output and status, with the library and without
same()
{
	"$@" >"$dir/native" 2>&1 </dev/null
	native=$?
	preloaded "$@" >"$dir/hooked" 2>&1 </dev/null
	hooked=$?
	diff "$dir/native" "$dir/hooked" && [ $native -eq $hooked ]
}

# says <line> <command...>
says()
{
	line=$1
	shift
	"$@" >"$dir/says" 2>&1
	cat "$dir/says"
	grep -qxF -- "$line" "$dir/says"
}

with() { WEFT_HOOKS=$1 preloaded "$programs/conform-task_program"; }

check own_program same "$programs/conform-plain_program"
check shell same sh -c 'printf "%s\n" a b c | sort -r | { read -r x; echo "$x"; sleep 0.01; } && ls /'
if command -v python3 >/dev/null 2>&1; then
	check python3 same python3 -c '
import socket, subprocess, threading, time, select
a, b = socket.socketpair()
def echo():
    while d := b.recv(4096):
        b.sendall(d)
t = threading.Thread(target=echo); t.start()
for i in range(100):
    a.sendall(b"x" * i + b".")
    assert len(a.recv(4096, socket.MSG_PEEK)) > 0
    n = 0
    while n < i + 1:
        n += len(a.recv(4096))
print(select.select([a], [a], [], 0.01)[1] == [a])
a.shutdown(socket.SHUT_WR); t.join(); time.sleep(0.01)
print(subprocess.run(["echo", "child"], capture_output=True).stdout)
print(socket.getaddrinfo("127.0.0.1", 80)[0][4])
'
else
	skip python3 "no python3"
fi
if command -v curl >/dev/null 2>&1; then
	echo "through curl" >"$dir/file"
	check curl same curl -s "file://$dir/file" http://127.0.0.1:1/
else
	skip curl "no curl"
fi

task=$programs/conform-task_program
check without    says "enabled 0 io 0 time 0 dns 0 sync 0" env LD_LIBRARY_PATH="$lib" "$task"
check all        says "enabled 1 io 1 time 1 dns 1 sync 1" preloaded "$task"
check none       says "enabled 0 io 0 time 0 dns 0 sync 0" with none
check io_only    says "enabled 1 io 1 time 0 dns 0 sync 0" with io
check time_dns   says "enabled 1 io 0 time 1 dns 1 sync 0" with time,dns
check sync_only  says "enabled 1 io 0 time 0 dns 0 sync 1" with sync
check misspelt   says 'weft: WEFT_HOOKS: no group is named "tim"; there are io, time, dns, sync, all and none' with tim,io
check misspelt_2 says "enabled 1 io 1 time 0 dns 0 sync 0" with tim,io

# Row 78: the hook library says that it was built for release 9.9.9.
refused()
{
	LD_LIBRARY_PATH=$lib LD_PRELOAD=$programs/libweft-hook-other.so "$task" >"$dir/out" 2>&1
	status=$?
	cat "$dir/out"
	[ $status -eq 134 ] && grep -q '^weft: libweft-hook 9.9.9 runs on libweft [0-9.]*: ' "$dir/out"
}
check row78_another_release refused
finish

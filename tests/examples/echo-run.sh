#!/bin/sh
# SPDX-License-Identifier: MIT
#
# echo-run.sh <source directory> <directory of the examples> <echo-liar> - what
# `make run` does, in small; and that it notices what it must.
set -u
cd "$1" || exit 1
examples=$2 liar=$3
. tests/test.sh

dir=$(mktemp -d)
trap 'rm -rf "$dir" "$test_output"' EXIT

# run <expected exit status> <clients>; the servers are looked for beside echo-run
run()
{
	"$dir/echo-run" "$2" 0.3 0.3 >"$dir/out" 2>&1
	status=$?
	[ $status = "$1" ] && return
	echo "exit status $status, wanted $1"
	cat "$dir/out"
	return 1
}

says()
{
	grep -q "$1" "$dir/out" && return
	echo "no \"$1\" in:"
	cat "$dir/out"
	return 1
}

for name in echo-run echo-load echo-server echo-server-threads echo-epoll; do
	cp "$examples/$name" "$dir/" || exit 1
done
check three_servers run 0 500
check weft_row says '^weft, tasks on one thread  *500 '
check epoll_row says '^raw epoll loop  *500 .* 1\.00 '
check threads_row says '^same source, a thread each  *500 '

# A server that dies, one that lies, and too few descriptors, which root may change.
printf '#!/bin/sh\nexit 3\n' >"$dir/echo-epoll"
rm "$dir/echo-server-threads" && cp "$liar" "$dir/echo-server-threads"
in_little_room()
{
	(ulimit -n 300 && run 1 400)
}
check failures_fail in_little_room
check dead_server says '^raw epoll loop .*did not run'
check wrong_echo says 'WRONG ECHOES: [1-9]'
fits_the_limit()
{
	says '^RLIMIT_NOFILE is 300 and may not be raised: 236 clients instead of 400' ||
		says '^weft, .* 400 '
}
check fits_the_limit fits_the_limit
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch-demo.sh <path to fetch> [downloads] - fetch against a local nginx that
# takes a second for each download, however many there are at once.
set -eu

fetch=$1
count=${2:-200}
nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || { echo "no nginx here"; exit 77; }
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

configure()
{
	cat >"$dir/nginx.conf" <<-END
	daemon off;
	master_process off;
	error_log $dir/error.log;
	pid $dir/nginx.pid;
	events { worker_connections 8192; }
	http {
		access_log off;
		client_body_temp_path $dir/body;
		proxy_temp_path $dir/proxy;
		fastcgi_temp_path $dir/fastcgi;
		uwsgi_temp_path $dir/uwsgi;
		scgi_temp_path $dir/scgi;
		server {
			listen 127.0.0.1:$port backlog=4096;
			root $dir;
			limit_rate 128k;
		}
	}
	END
}

head -c 131072 /dev/urandom >"$dir/file"
chmod -R a+rX "$dir"
for attempt in 1 2 3 4 5; do # until a port is free
	port=$((20000 + ($$ * 7 + attempt * 997) % 10000))
	configure
	"$nginx" -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf" 2>/dev/null &
	server=$!
	sleep 0.5
	kill -0 "$server" 2>/dev/null && break
	server=
done
[ -n "$server" ] || { cat "$dir/error.log"; exit 1; }
"$fetch" "http://127.0.0.1:$port/file" "$count"

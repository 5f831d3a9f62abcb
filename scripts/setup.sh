#!/bin/sh
# SPDX-License-Identifier: MIT
#
# setup.sh run|test|bench|docs - install what a target lacks
#
# On Debian and its like, as root, missing packages come by apt-get. Elsewhere
# each missing thing is named in one line with what will be left out. Only a
# missing compiler, make or cmake is an error. WEFT_SETUP=no: never install.
set -u

target=${1:-test}
packages=   # to be installed, space-separated
missing=    # one line each: "package<TAB>what is left out without it"

have()   { command -v "$1" >/dev/null 2>&1; }
header() { printf '#include <%s>\n' "$1" | cc -E - >/dev/null 2>&1; }
links()  { printf 'int main(void) { return 0; }\n' | "$@" -x c - -o /dev/null >/dev/null 2>&1; }

# need <package> <what is left out> <check...> - notes the package unless check holds
need()
{
	package=$1 without=$2
	shift 2
	if ! "$@"; then
		packages="$packages $package"
		missing="$missing$package	$without
"
	fi
}

find_missing()
{
	packages= missing=
	need gcc   "everything" have cc
	need make  "everything" have make
	need cmake "everything" have cmake
	case $target in
	test)
		clang_version=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
		need clang "the clang build" have clang
		need "libclang-rt-${clang_version:-14}-dev" "sanitizers with clang" \
			links clang -fsanitize=address
		gcc_version=$(gcc -dumpversion 2>/dev/null | cut -d. -f1)
		need g++ "the headers as C++" have g++
		need clang-format "the check of the format" have clang-format
		need pkg-config "the consumer that uses pkg-config" have pkg-config
		need binutils "the look into libweft.so" have readelf
		need gdb "backtraces in a debugger" have gdb
		need valgrind "tasks under Valgrind" valgrind_found
		need libcurl4-openssl-dev "libcurl under weft" header curl/curl.h
		need curl "curl with the hooks preloaded" have curl
		need python3 "man pages, and Python with the hooks preloaded" have python3
		need mandoc "the look over the man pages" have mandoc
		need groff-base "the look over the man pages by groff" have groff
		need lowdown "the guide as HTML" have lowdown
		need systemtap-sdt-dev "static probes" header sys/sdt.h
		need nginx-light "downloads from a real server" nginx_found
		if [ "$(uname -m)" != aarch64 ]; then
			need gcc-aarch64-linux-gnu "aarch64" have aarch64-linux-gnu-gcc
			need libc6-dev-arm64-cross "aarch64" test -e /usr/aarch64-linux-gnu/lib/libc.so.6
			need qemu-user "aarch64" have qemu-aarch64
		fi
		if [ "$(uname -m)" != riscv64 ]; then
			need gcc-riscv64-linux-gnu "riscv64" have riscv64-linux-gnu-gcc
			need libc6-dev-riscv64-cross "riscv64" test -e /usr/riscv64-linux-gnu/lib/libc.so.6
			need qemu-user "riscv64" have qemu-riscv64
		fi
		# By its version: the package gcc-multilib would drive the cross compiler out.
		if [ "$(uname -m)" = x86_64 ]; then
			need "gcc-${gcc_version:-12}-multilib" "32 bits" links cc -m32
		fi
		;;
	docs)
		need python3 "man pages" have python3
		need mandoc "man pages as HTML" have mandoc
		need lowdown "the guide as HTML" have lowdown
		;;
	bench)
		need golang-go "the rows of Go" have go
		need g++ "the rows of Boost.Context" have g++
		need libboost-context-dev "the rows of Boost.Context" header_cxx boost/context/detail/fcontext.hpp
		need libboost-fiber-dev "the rows of Boost.Fiber" header_cxx boost/fiber/fiber.hpp
		need gnuplot-nox "the chart" have gnuplot
		;;
	esac
}

header_cxx()  { have g++ && printf '#include <%s>\n' "$1" | g++ -x c++ -E - >/dev/null 2>&1; }
# The package has both; libweft is built with the header, where it is.
valgrind_found() { have valgrind && header valgrind/memcheck.h; }
nginx_found() { have nginx || [ -x /usr/sbin/nginx ]; }

# --- installing --------------------------------------------------------------------

can_install()
{
	[ "${WEFT_SETUP:-yes}" != no ] && [ "$(id -u)" = 0 ] && have apt-get
}

apt()
{
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
		-o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@" </dev/null >>"$log" 2>&1
}

# Packages of servers start them; policy-rc.d is how Debian lets us say no.
policy=/usr/sbin/policy-rc.d
forbid_services()
{
	[ -e $policy ] && return
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy &&
		trap 'rm -f $policy "$log"' EXIT
}

install_packages()
{
	echo "setup: installing$packages"
	forbid_services
	apt update || echo "setup: apt-get update failed, going on with the lists at hand"
	if ! apt install -y --no-install-recommends $packages; then
		for package in $packages; do # one that is unknown must not cost the others
			apt install -y --no-install-recommends "$package" ||
				echo "setup: no $package: $(grep '^E:' "$log" | tail -n 1)"
		done
	fi
	# CMake remembers what it did not find.
	rm -f "${BUILD:-build}"/*/CMakeCache.txt
	# We need the program, not a web server on port 80 after the next boot.
	case $packages in
	*nginx*) have systemctl && systemctl disable nginx >/dev/null 2>&1 ;;
	esac
}

find_missing
if [ -n "$packages" ] && can_install; then
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	install_packages
	find_missing
fi
printf '%s' "$missing" | while IFS='	' read -r package without; do
	echo "setup: $package is missing; left out: $without"
done

version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p')
if ! have cc || ! have make || [ -z "$version" ]; then
	exit 1
fi
if [ "${version%%.*}" -lt 3 ] || { [ "${version%%.*}" = 3 ] && [ "${version#*.}" -lt 25 ]; }; then
	echo "setup: cmake $version is too old, 3.25 is needed"
	exit 1
fi
exit 0

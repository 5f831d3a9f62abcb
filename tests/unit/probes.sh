#!/bin/sh
# SPDX-License-Identifier: MIT
#
# probes.sh <libweft.so> <C compiler> - the static probes can be found, with their arguments
set -u
library=$1 compiler=$2
. "$(dirname "$0")/../test.sh"

# has <probe> <number of arguments> - each place of it names that many
has()
{
	echo "$notes" | awk -v name="$1" -v count="$2" '
		/Provider:/ { provider = $2 }
		/Name:/ { at = provider == "weft" && $2 == name; places += at }
		/Arguments:/ && at && NF - 1 != count { print; bad = 1 }
		END { if (!places) print "no such probe"; exit bad || !places }'
}

if ! printf '#include <sys/sdt.h>\n' | $compiler -E - >/dev/null 2>&1; then
	skip all "no <sys/sdt.h> (systemtap-sdt-dev)"
elif ! command -v readelf >/dev/null 2>&1; then
	skip all "no readelf"
else
	notes=$(readelf -n "$library" 2>/dev/null)
	check spawn  has spawn 2
	check park   has park 2
	check wake   has wake 2
	check poll   has poll 2
	check cancel has cancel 1
fi
finish

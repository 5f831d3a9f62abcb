# SPDX-License-Identifier: MIT
#
# test.sh - test.h for tests that are shell scripts: to be sourced.
#
#	check <name> <command...>   passes when the command does; its output is
#	                            shown when it does not
#	skip <name> <reason>
#	finish                      the closing line and the exit status

test_group=$(basename "$0" .sh)
test_passed=0 test_failed=0 test_skipped=0
test_output=$(mktemp)
trap 'rm -f "$test_output"' EXIT

check()
{
	test_name=$1
	shift
	if "$@" >"$test_output" 2>&1; then
		echo "ok      $test_group.$test_name"
		test_passed=$((test_passed + 1))
	else
		sed 's/^/        /' "$test_output"
		echo "FAILED  $test_group.$test_name"
		test_failed=$((test_failed + 1))
	fi
}

skip()
{
	echo "skipped because: $2"
	echo "SKIPPED $test_group.$1"
	test_skipped=$((test_skipped + 1))
}

finish()
{
	echo "$test_passed passed, $test_failed failed, $test_skipped skipped"
	[ $test_failed -eq 0 ] || exit 1
	[ $test_passed -gt 0 ] || exit 77
	exit 0
}

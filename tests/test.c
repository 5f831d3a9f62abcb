/* SPDX-License-Identifier: MIT
 *
 * test.c - the runner behind test.h.
 *
 * Parent: stays single-threaded, forks a child per case, waits for it with
 * sigtimedwait(2) on SIGCHLD. Child: runs the case and leaves by exit_group(2),
 * without atexit handlers. System calls are made directly, because a test
 * program may be linked to hooks, and a failing case may stand on any stack.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 77 };

static struct test_case *first_test, **last_test = &first_test;
static struct {
	unsigned passed, failed, skipped;
} count;
static int look_for_leaks;

void test_register(struct test_case *test)
{
	*last_test = test;
	last_test = &test->next;
}

/* --- in the child: checks ---------------------------------------------------------- */

static void leave(int code) __attribute__((noreturn));
static void leave(int code)
{
	for (;;)
		syscall(SYS_exit_group, code);
}

/* A line in pieces, written at once. What does not fit is cut. */
struct line {
	char text[400];
	size_t length;
};

static void add(struct line *line, const char *text)
{
	while (*text && line->length < sizeof(line->text) - 1)
		line->text[line->length++] = *text++;
}

static void add_number(struct line *line, long long value)
{
	char digits[24], *p = digits + sizeof(digits) - 1;
	unsigned long long rest =
		value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;

	*p = '\0';
	do
		*--p = (char)('0' + rest % 10);
	while ((rest /= 10) != 0);
	if (value < 0)
		*--p = '-';
	add(line, p);
}

static void say(struct line *line)
{
	line->text[line->length++] = '\n';
	syscall(SYS_write, 2, line->text, line->length);
}

static void add_place(struct line *line, const char *file, int line_number, const char *what)
{
	const char *base = strrchr(file, '/');

	add(line, base ? base + 1 : file);
	add(line, ":");
	add_number(line, line_number);
	add(line, ": check failed: ");
	add(line, what);
}

void test_fail(const char *file, int line_number, const char *text)
{
	struct line line = { .length = 0 };

	add_place(&line, file, line_number, text);
	say(&line);
	leave(EXIT_FAIL);
}

void test_fail_values(const char *file, int line_number, const char *text, long long a, long long b)
{
	struct line line = { .length = 0 };

	add_place(&line, file, line_number, text);
	add(&line, " (");
	add_number(&line, a);
	add(&line, " and ");
	add_number(&line, b);
	add(&line, ")");
	say(&line);
	leave(EXIT_FAIL);
}

void test_fail_strings(const char *file, int line_number, const char *text, const char *a,
		       const char *b)
{
	struct line line = { .length = 0 };

	add_place(&line, file, line_number, text);
	add(&line, " (\"");
	add(&line, a ? a : "(null)");
	add(&line, "\" and \"");
	add(&line, b ? b : "(null)");
	add(&line, "\")");
	say(&line);
	leave(EXIT_FAIL);
}

int test_same_string(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

void test_skip(const char *reason)
{
	struct line line = { .length = 0 };

	add(&line, "skipped because: ");
	add(&line, reason);
	say(&line);
	leave(EXIT_SKIP);
}

void test_note(const char *text)
{
	struct line line = { .length = 0 };

	add(&line, text);
	say(&line);
}

/* --- deaths -------------------------------------------------------------------------- */

/* A core file a case would fill the disk; a case that wants one raises the soft limit. */
static void forbid_core_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_CORE, &limit);
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_CORE, &limit);
}

static void read_all(int fd, char *buf, size_t size)
{
	size_t length = 0;
	char rest[256];
	long got;

	do {
		if (length < size - 1)
			got = syscall(SYS_read, fd, buf + length, size - 1 - length);
		else
			got = syscall(SYS_read, fd, rest, sizeof(rest));
		if (got > 0 && length < size - 1)
			length += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	buf[length] = '\0';
}

struct death run_to_death(void (*fn)(void *arg), void *arg)
{
	struct death death = { .signal = 0, .code = -1, .text = "" };
	int pipe_fd[2], status = 0;
	pid_t child;

	CHECK(syscall(SYS_pipe2, pipe_fd, 0) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		syscall(SYS_dup3, pipe_fd[1], 2, 0);
		syscall(SYS_close, pipe_fd[0]);
		syscall(SYS_close, pipe_fd[1]);
		forbid_core_files();
		fn(arg);
		leave(EXIT_PASS);
	}
	syscall(SYS_close, pipe_fd[1]);
	read_all(pipe_fd[0], death.text, sizeof(death.text));
	syscall(SYS_close, pipe_fd[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		death.signal = WTERMSIG(status);
	else
		death.code = WEXITSTATUS(status);
	return death;
}

void test_check_death(const char *file, int line_number, const struct death *death, int sig,
		      const char *needle)
{
	if (death->signal != sig) {
		test_note(death->text);
		test_fail_values(file, line_number, "died by the expected signal", death->signal,
				 sig);
	}
	if (!strstr(death->text, needle))
		test_fail_strings(file, line_number, "its last words contain the expected text",
				  death->text, needle);
}

/* --- the parent ---------------------------------------------------------------------- */

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int limit_ms(const struct test_case *test)
{
	const char *slow = getenv("WEFT_TEST_SLOW");
	int factor = slow ? atoi(slow) : 1;

	return test->limit_s * 1000 * (factor > 0 ? factor : 1);
}

/* Waits for a child that is not reaped yet. Return: false when its time is up. */
static int wait_child(pid_t child, int timeout_ms, int *ret_status)
{
	long long end_ms = now_ms() + timeout_ms;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	while (waitpid(child, ret_status, WNOHANG) == 0) {
		long long left_ms = end_ms - now_ms();
		struct timespec left = { left_ms / 1000, left_ms % 1000 * 1000000 };

		if (left_ms <= 0)
			return 0;
		sigtimedwait(&signals, NULL, &left);
	}
	return 1;
}

/* --- leaks ----------------------------------------------------------------------------- */

/* Of LeakSanitizer, which comes with AddressSanitizer: not 0 when something has leaked. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* It reads /proc, and ends the process when it cannot: a case may have used up all
 * descriptors. */
static int descriptors_left(void)
{
	struct rlimit limit;
	long first, second;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	first = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
	second = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
	syscall(SYS_close, first);
	syscall(SYS_close, second);
	return first >= 0 && second >= 0;
}

/* Whatever the case has allocated is freed or can be found. */
static void check_leaks(void)
{
	if (look_for_leaks && descriptors_left() && __lsan_do_recoverable_leak_check()) {
		test_note("check failed: nothing has leaked");
		leave(EXIT_FAIL);
	}
}

/* It stops the process by ptrace(2), which not every container allows. */
static int leaks_can_be_found(void)
{
	int status = -1;
	pid_t child;

	if (!__lsan_do_recoverable_leak_check)
		return 0;
	child = fork();
	if (child == 0) {
		syscall(SYS_close, 2);
		leave(__lsan_do_recoverable_leak_check() ? EXIT_FAIL : EXIT_PASS);
	}
	waitpid(child, &status, 0);
	if (status != 0)
		test_note("leaks are not looked for: LeakSanitizer does not run here");
	return status == 0;
}

/* The child's side of fork(): as if freshly started, but mortal. */
static void run_child(const struct test_case *test, const sigset_t *signals)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, signals, NULL);
	forbid_core_files();
	test->run();
	fflush(NULL);
	check_leaks();
	leave(EXIT_PASS);
}

static void report(const struct test_case *test, int in_time, int status, long long took_ms)
{
	const char *verdict = "FAILED";
	char detail[64] = "";

	if (!in_time) {
		snprintf(detail, sizeof(detail), ", killed: its time is up");
	} else if (WIFSIGNALED(status)) {
		snprintf(detail, sizeof(detail), ", died by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	} else if (WEXITSTATUS(status) == EXIT_PASS) {
		verdict = "ok";
	} else if (WEXITSTATUS(status) == EXIT_SKIP) {
		verdict = "SKIPPED";
	} else if (WEXITSTATUS(status) != EXIT_FAIL) {
		snprintf(detail, sizeof(detail), ", exited with %d", WEXITSTATUS(status));
	}
	count.passed += verdict[0] == 'o';
	count.skipped += verdict[0] == 'S';
	count.failed += verdict[0] == 'F';
	printf("%-7s %s.%s (%lld ms%s)\n", verdict, test->group, test->name, took_ms, detail);
	fflush(stdout);
}

static void run_test(const struct test_case *test)
{
	long long start_ms = now_ms();
	sigset_t block, before;
	int status = 0, in_time;
	pid_t child;

	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &before);
	child = fork();
	if (child == 0)
		run_child(test, &before);
	if (child < 0) {
		perror("fork");
		exit(EXIT_FAIL);
	}
	setpgid(child, child); /* both sides do it: whoever comes first */
	in_time = wait_child(child, limit_ms(test), &status);
	kill(-child, SIGKILL); /* the case, or what it left behind */
	if (!in_time)
		waitpid(child, &status, 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	report(test, in_time, status, now_ms() - start_ms);
}

static int is_wanted(const struct test_case *test, char **prefixes)
{
	char full[256];

	if (!*prefixes)
		return 1;
	snprintf(full, sizeof(full), "%s.%s", test->group, test->name);
	for (; *prefixes; prefixes++)
		if (strncmp(full, *prefixes, strlen(*prefixes)) == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	int list = 0, no_fork = 0;
	struct test_case *test;

	for (argv++; argc > 1 && *argv && strncmp(*argv, "--", 2) == 0; argv++) {
		list |= strcmp(*argv, "--list") == 0;
		no_fork |= strcmp(*argv, "--no-fork") == 0;
	}
	look_for_leaks = !list && !no_fork && leaks_can_be_found();
	for (test = first_test; test; test = test->next) {
		if (!is_wanted(test, argv))
			continue;
		if (list) {
			printf("%s.%s\n", test->group, test->name);
		} else if (no_fork) { /* for a debugger */
			test->run();
			count.passed++;
		} else {
			run_test(test);
		}
	}
	if (list)
		return EXIT_PASS;
	printf("%u passed, %u failed, %u skipped\n", count.passed, count.failed, count.skipped);
	if (count.failed > 0 || count.passed + count.skipped == 0)
		return EXIT_FAIL;
	return count.passed > 0 ? EXIT_PASS : EXIT_SKIP;
}

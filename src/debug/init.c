/* SPDX-License-Identifier: MIT
 *
 * init.c - what the observers do when a process begins to use weft.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <base/log.h>
#include <base/observe.h>
#include <base/thread.h>
#include <debug/deadlock.h>
#include <debug/locks.h>
#include <debug/watchdog.h>
#include <weft/debug.h>

/* --- WEFT_DUMP_SIGNAL ---------------------------------------------------------------- */

static const struct {
	const char *name;
	int sig;
} signals[] = {
	{ "QUIT", SIGQUIT }, { "HUP", SIGHUP },   { "USR1", SIGUSR1 },
	{ "USR2", SIGUSR2 }, { "PWR", SIGPWR },   { "WINCH", SIGWINCH },
	{ "INT", SIGINT },   { "TERM", SIGTERM }, { "URG", SIGURG },
};

/* A name, with or without "SIG", or a number. 0: neither. */
static int parse_signal(const char *text)
{
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	char *end;
	long number = strtol(text, &end, 10);

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcmp(name, signals[i].name) == 0)
			return signals[i].sig;
	return end != text && !*end && number > 0 && number <= SIGRTMAX ? (int)number : 0;
}

static void on_dump_signal(int sig)
{
	(void)sig;
	weft_dump(2);
}

static void install_signal(const char *text)
{
	struct sigaction act = { .sa_handler = on_dump_signal,
				 .sa_flags = SA_RESTART | SA_ONSTACK };
	int sig = parse_signal(text);

	sigemptyset(&act.sa_mask);
	if (!sig || sigaction(sig, &act, NULL) < 0)
		weft__warn("WEFT_DUMP_SIGNAL=%s is not a signal that can be caught", text);
}

/* --- beginning --------------------------------------------------------------------- */

/* The child of fork(2) has one thread: the one that called it. */
static void count_in_child(void)
{
	atomic_store_explicit(&weft__known_threads, weft__thread.worker != NULL,
			      memory_order_relaxed);
}

void weft__debug_init(void)
{
	const char *sig = getenv("WEFT_DUMP_SIGNAL");

	pthread_atfork(NULL, NULL, count_in_child);
	if (sig && *sig)
		install_signal(sig);
	weft__deadlock_init();
	weft__watchdog_init();
	weft__locks_init();
}

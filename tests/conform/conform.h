/* SPDX-License-Identifier: MIT
 *
 * conform.h - a scenario of libc calls, played by a plain thread and by tasks,
 * must tell the same story each time.
 *
 *	CONFORM(stream, end_of_file)
 *	{
 *		int fds[2];
 *
 *		tcp_pair(fds);
 *		peer(close_it, fds[1]);
 *		LOG(recv(fds[0], buf, sizeof(buf), 0));
 *	}
 *
 * The case plays it three times: in a plain thread, where every call is libc's;
 * in a task with a stack of its own; in a task on a shared stack, which another
 * task overwrites during each wait. Peers are threads to the first and tasks to
 * the others: a hooked call that blocked its thread would wait for a peer that
 * never runs, and the case would die of its time limit. What LOG() and note()
 * wrote must be equal, errno included.
 *
 * The shared stack forbids to hand a peer a pointer into a frame: they take a
 * number, and the rest is static.
 */
#ifndef WEFT_TESTS_CONFORM_H
#define WEFT_TESTS_CONFORM_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

typedef void scenario_fn(void);

/** Plays @scenario by thread, task and shared task, and compares. */
void conform(scenario_fn *scenario);

#define CONFORM(group, name)                         \
	static void scenario_##group##_##name(void); \
	TEST(group, name)                            \
	{                                            \
		conform(scenario_##group##_##name);  \
	}                                            \
	static void scenario_##group##_##name(void)

/** One line of the story, as printf. By the scenario, not by its peers. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** A call, its result, and errno when that is -1. Returns the result. */
long log_call(const char *text, long result);
#define LOG(call) (errno = 0, log_call(#call, (long)(call)))

/** As LOG, for calls that return the error number. */
void log_error(const char *text, int error);
#define LOG_ERROR(call) log_error(#call, (call))

/** What arrived, printed so that two runs can be compared. */
void note_bytes(const void *buf, long length);

/** True while the scenario is played by a task. */
bool played_by_task(void);

/* --- peers ------------------------------------------------------------------ */

typedef void peer_fn(int number);

/** Runs fn(number) beside the scenario, from its next wait on. */
void peer(peer_fn *fn, int number);

/** Waits until every peer has ended. The harness does it at the end, too. */
void peers_end(void);

/** A pause long enough for the other side to have begun waiting. It is libc's
 * usleep() in a thread and the hooked one in a task. */
void pause_ms(int ms);

/** The time of @clock in so many milliseconds; and is it @then by now? */
struct timespec in_ms(clockid_t clock, int ms);
bool has_come(clockid_t clock, const struct timespec *then);

/** Sends until nothing is taken any more, and nothing is on its way: when that arrives TCP makes room,
 * much later where others use the CPUs. */
void fill(int fd);

/* --- sockets ----------------------------------------------------------------- */

/** A listening TCP socket on 127.0.0.1, and its address. */
int tcp_listener(int backlog, struct sockaddr_in *ret_addr);

/** Two connected ends. Room in both buffers is made small: @fds[0] cannot send
 * a megabyte unless somebody reads. */
void tcp_pair(int fds[2]);
void unix_pair(int fds[2]);

/** Sends RST instead of FIN at close. */
void reset_on_close(int fd);

void set_nonblocking(int fd);
void set_timeout(int fd, int option, int ms);

int64_t now_ms(void);

/** Arguments that no compiler shall see through: an address that faults, NULL, -1. */
extern void *volatile bad_address, *volatile no_address;
extern volatile int minus_one;

#endif

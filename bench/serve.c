/* SPDX-License-Identifier: MIT
 *
 * serve.c - an echo server of several workers, to be measured by bench-crowd.
 *
 *	bench-serve <workers> <how> <sticky|move> [work [hog]]
 *
 * How connections come to the workers:
 *	spread	one task accepts, and hands them out in turn (WEFT_SPREAD)
 *	plain	one task accepts; they begin wherever there is time for it
 *	port	a task a worker accepts, each with a listener of its own (SO_REUSEPORT)
 * "move" makes the tasks of connections WEFT_MIGRATE. Each message costs @work times 20 us
 * of computing, besides its echo. "hog": beside them a task computes for 10 ms, sleeps
 * for 90 ms, and so on.
 *
 * A message that begins with '?' is answered by what each worker has had: "connections
 * messages" of the first, of the second ..., in as many bytes.
 */
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <weft/io.h>
#include <weft/task.h>

#include "burn.h"

enum { BACKLOG = 4096, SEATS = 8, MESSAGE = 64 };

/* One a thread, of its own cache line. */
struct seat {
	_Alignas(64) _Atomic long connections, messages;
};

static struct seat seats[SEATS];
static _Atomic unsigned seats_taken;
static _Thread_local struct seat *own_seat;

static struct {
	unsigned workers, connection_flags;
	int by_port, work, hog;
	uint16_t port;
} plan;

/* Of whichever thread we are on: so it is looked up anew at each call. */
static __attribute__((noinline)) struct seat *seat(void)
{
	if (!own_seat)
		own_seat = &seats[seats_taken++ % SEATS];
	return own_seat;
}

/* --- one connection --------------------------------------------------------------- */

static void tell(char *message)
{
	size_t used = 0;

	memset(message, 0, MESSAGE);
	for (unsigned i = 0; i < SEATS && i < seats_taken && used < MESSAGE; i++)
		used += (size_t)snprintf(message + used, MESSAGE - used, "%ld %ld ",
					 seats[i].connections, seats[i].messages);
}

static int serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char message[MESSAGE];
	ssize_t got;

	for (long n = 0; (got = weft_recv(fd, message, MESSAGE, 0, WEFT_FOREVER)) > 0; n++) {
		struct seat *here = seat();

		if (message[0] == '?') {
			tell(message);
			got = MESSAGE;
		} else {
			here->connections += n == 0;
			here->messages++;
			for (int i = 0; i < plan.work; i++)
				burn_steps();
		}
		if (weft_send(fd, message, (size_t)got, MSG_NOSIGNAL, WEFT_FOREVER) != got)
			break;
	}
	weft_close(fd);
	return 0;
}

/* --- accepting -------------------------------------------------------------------- */

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, length) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&address, &length)) {
		perror("bench-serve");
		exit(1);
	}
	plan.port = ntohs(address.sin_port);
	return fd;
}

static int accepting(void *arg)
{
	weft_attr attr = { .flags = plan.connection_flags };
	int listener = (int)(intptr_t)arg;

	for (;;) {
		int fd = weft_accept(listener, NULL, NULL, SOCK_CLOEXEC, WEFT_FOREVER);

		bench_must(fd, "weft_accept");
		bench_must(weft_spawn(NULL, &attr, serve, (void *)(intptr_t)fd), "weft_spawn");
	}
	return 0;
}

static int hogging(void *arg)
{
	(void)arg;
	for (;;) {
		burn(HOG_BURNS_NS);
		weft_sleep(HOG_SLEEPS_NS);
	}
	return 0;
}

static int run(void *arg)
{
	weft_attr attr = { .flags = plan.by_port ? WEFT_SPREAD : 0 };

	(void)arg;
	for (unsigned i = 0; i < (plan.by_port ? plan.workers : 1); i++) {
		int listener = listen_on(plan.port);

		bench_must(weft_spawn(NULL, &attr, accepting, (void *)(intptr_t)listener),
			   "weft_spawn");
	}
	if (plan.hog)
		bench_must(weft_spawn(NULL, NULL, hogging, NULL), "weft_spawn");
	printf("listening on 127.0.0.1:%d\n", plan.port);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc < 4) {
		fprintf(stderr, "usage: bench-serve <workers> spread|plain|port sticky|move "
				"[work [hog]]\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	plan.workers = (unsigned)bench_arg(argc, argv, 1, 1);
	plan.by_port = !strcmp(argv[2], "port");
	plan.connection_flags = (!strcmp(argv[2], "spread") ? WEFT_SPREAD : 0) |
				(!strcmp(argv[3], "move") ? WEFT_MIGRATE : 0);
	plan.work = argc > 4 ? atoi(argv[4]) : 0;
	plan.hog = argc > 5;
	bench_must(weft_run(plan.workers, run, NULL, NULL), "weft_run");
	return 0;
}

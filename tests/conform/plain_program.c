/* SPDX-License-Identifier: MIT
 *
 * plain_program.c - a program that knows nothing of weft: threads, blocking
 * calls, signals, a child process. preload.sh runs it with and without the hooks
 * preloaded; it must not notice.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 16, BYTES = 100000 };

static struct sockaddr_in server;

static void *echo(void *arg)
{
	int fd = (int)(long)arg;
	char buf[4096];
	ssize_t got;

	while ((got = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)got, 0) != got)
			break;
	close(fd);
	return NULL;
}

static void *client(void *arg)
{
	static const char text[] = "the same bytes come back";
	char buf[sizeof(text)];
	int fd = socket(AF_INET, SOCK_STREAM, 0), i;
	long good = 0;

	(void)arg;
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0)
		return (void *)-1L;
	for (i = 0; i < 50; i++) {
		if (write(fd, text, sizeof(text)) != sizeof(text) ||
		    recv(fd, buf, sizeof(buf), MSG_WAITALL) != sizeof(buf))
			break;
		good += memcmp(buf, text, sizeof(buf)) == 0;
	}
	close(fd);
	return (void *)good;
}

static void use_threads(void)
{
	pthread_t threads[CLIENTS], servers[CLIENTS];
	socklen_t length = sizeof(server);
	int listener = socket(AF_INET, SOCK_STREAM, 0), i;
	long sum = 0;

	server.sin_family = AF_INET;
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(listener, (struct sockaddr *)&server, length);
	listen(listener, CLIENTS);
	getsockname(listener, (struct sockaddr *)&server, &length);
	for (i = 0; i < CLIENTS; i++)
		pthread_create(&threads[i], NULL, client, NULL);
	for (i = 0; i < CLIENTS; i++)
		pthread_create(&servers[i], NULL, echo, (void *)(long)accept(listener, NULL, NULL));
	for (i = 0; i < CLIENTS; i++) {
		void *good;

		pthread_join(threads[i], &good);
		pthread_join(servers[i], NULL);
		sum += (long)good;
	}
	printf("threads: %ld\n", sum);
	close(listener);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Outside of tasks a signal ends what it ends natively. */
static void use_signals(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct timespec long_time = { 10, 0 }, rest = { 0, 0 };
	struct itimerval soon = { { 0, 0 }, { 0, 20000 } };
	int fds[2], rc;
	char byte;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	rc = nanosleep(&long_time, &rest);
	printf("nanosleep: %d %s, left: %d\n", rc, strerrorname_np(errno), rest.tv_sec >= 8);
	if (pipe(fds) != 0)
		return;
	setitimer(ITIMER_REAL, &soon, NULL);
	rc = (int)read(fds[0], &byte, 1);
	printf("read: %d %s\n", rc, strerrorname_np(errno));
	setitimer(ITIMER_REAL, &soon, NULL);
	rc = poll(&(struct pollfd){ fds[0], POLLIN, 0 }, 1, -1);
	printf("poll: %d %s\n", rc, strerrorname_np(errno));
	setitimer(ITIMER_REAL, &soon, NULL);
	printf("sleep: %d\n", sleep(10) >= 8);
	close(fds[0]);
	close(fds[1]);
}

static void use_children(void)
{
	int fds[2], status = -1;
	char buf[32] = "";
	pid_t child;

	if (pipe(fds) != 0)
		return;
	child = fork();
	if (child == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execlp("echo", "echo", "from a child", (char *)NULL);
		_exit(1);
	}
	close(fds[1]);
	printf("child: %zd bytes", read(fds[0], buf, sizeof(buf) - 1));
	waitpid(child, &status, 0);
	printf(", %d, %s", status, buf);
	close(fds[0]);
}

static void use_names(void)
{
	struct addrinfo *list = NULL;
	struct hostent *host;
	int rc = getaddrinfo("127.0.0.1", "80", NULL, &list);

	printf("getaddrinfo: %d %d\n", rc, list != NULL);
	if (rc == 0)
		freeaddrinfo(list);
	host = gethostbyname("127.0.0.1");
	printf("gethostbyname: %s\n", host ? host->h_name : "-");
}

int main(void)
{
	struct timeval limit = { 0, 1000 };
	int fd;

	use_threads();
	use_signals();
	fflush(stdout);
	use_children();
	use_names();
	printf("select: %d\n", select(0, NULL, NULL, NULL, &limit));
	fd = fcntl(1, F_DUPFD_CLOEXEC, 100);
	printf("fcntl: %d %d\n", fd, close(fd));
	return 0;
}

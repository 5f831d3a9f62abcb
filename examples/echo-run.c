/* SPDX-License-Identifier: MIT
 *
 * echo-run.c - the main job, end to end: one blocking echo server as weft tasks
 * and as threads, and a raw epoll loop, each under the same ten thousand
 * clients, one after the other; then the table that compares them.
 *
 *	echo-run [clients [paced-seconds [flood-seconds]]]
 *
 * Exits 0 when every server served every client, echoed every byte and ended
 * in order. Fewer threads than asked for are the machine's limit, not an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPARE_FILES 64 /* what a server or the load opens besides its connections */

struct result {
	long connected, refused, wrong, lost, rss_kib;
	double paced_rate, p50_us, p99_us, p999_us, rate, cpu_us;
};

struct contender {
	const char *program, *label, *title;
	int may_refuse; /* the machine may not give it what it asks for */
	struct result result;
	int ran, failed;
	char trouble[160]; /* what the server said after its first line */
};

/* Neighbours in time suffer the same neighbours on the machine: weft and epoll are
 * compared most closely. */
static struct contender contenders[] = {
	{ .program = "echo-server", .label = "weft", .title = "weft, tasks on one thread" },
	{ .program = "echo-epoll", .label = "epoll", .title = "raw epoll loop" },
	{ .program = "echo-server-threads",
	  .label = "threads",
	  .may_refuse = 1,
	  .title = "same source, a thread each" },
};
enum { CONTENDERS = sizeof(contenders) / sizeof(contenders[0]), EPOLL = 1 };

static char home[PATH_MAX]; /* where this program and its siblings lie */

/* Starts a sibling; *ret_out reads what it prints. */
static pid_t launch(char *const argv[], FILE **ret_out)
{
	char path[PATH_MAX + 64];
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(ends[1], STDOUT_FILENO);
		snprintf(path, sizeof(path), "%s/%s", home, argv[0]);
		execv(path, argv);
		fprintf(stderr, "echo-run: %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	close(ends[1]);
	*ret_out = fdopen(ends[0], "r");
	return pid;
}

/* Drives one server that listens already; 0 when the load ended with figures. */
static int drive(struct contender *one, pid_t server, int port, char *const amounts[])
{
	struct result *r = &one->result;
	char port_text[16], pid_text[16], line[512] = "";
	FILE *out = NULL;
	pid_t load;
	int got;

	snprintf(port_text, sizeof(port_text), "%d", port);
	snprintf(pid_text, sizeof(pid_text), "%d", (int)server);
	load = launch((char *[]){ "echo-load", port_text, pid_text, amounts[0], amounts[1],
				  amounts[2], (char *)one->label, NULL },
		      &out);
	if (load < 0)
		return -1;
	if (!fgets(line, sizeof(line), out))
		line[0] = '\0';
	got = sscanf(line,
		     "connected=%ld refused=%ld wrong=%ld lost=%ld rss_kib=%ld paced_rate=%lf"
		     " paced_cpu_us=%*f p50_us=%lf p99_us=%lf p999_us=%lf rate=%lf cpu_us=%lf",
		     &r->connected, &r->refused, &r->wrong, &r->lost, &r->rss_kib, &r->paced_rate,
		     &r->p50_us, &r->p99_us, &r->p999_us, &r->rate, &r->cpu_us);
	fclose(out);
	waitpid(load, NULL, 0);
	return got == 11 ? 0 : -1;
}

static void run(struct contender *one, char *const amounts[])
{
	FILE *out = NULL;
	pid_t server = launch((char *[]){ (char *)one->program, "0", NULL }, &out);
	int port = 0, status = 0;

	if (server < 0)
		return;
	if (fgets(one->trouble, sizeof(one->trouble), out) &&
	    sscanf(one->trouble, "listening on 127.0.0.1:%d", &port) == 1)
		one->ran = drive(one, server, port, amounts) == 0;
	if (waitpid(server, &status, WNOHANG) == 0) {
		kill(server, SIGTERM);
		waitpid(server, &status, 0);
	} else {
		fprintf(stderr, "echo-run: %s died\n", one->program);
		one->failed = 1;
	}
	if (!fgets(one->trouble, sizeof(one->trouble), out))
		one->trouble[0] = '\0';
	one->trouble[strcspn(one->trouble, "\n")] = '\0';
	fclose(out);
	one->failed |= !one->ran || status != 0 || one->result.wrong || one->result.lost ||
		       (one->result.refused && !(one->may_refuse && one->trouble[0]));
}

/* --- the table ------------------------------------------------------------------ */

/* 10000 as 10,000. */
static const char *grouped(char *text, long number)
{
	if (number < 1000)
		sprintf(text, "%ld", number);
	else
		sprintf(text, "%ld,%03ld", number / 1000, number % 1000);
	return text;
}

static void print_row(const struct contender *one)
{
	const struct result *r = &one->result, *epoll = &contenders[EPOLL].result;
	char connected[32], rate[32];

	if (!one->ran || !r->connected) {
		printf("%-27s  %s\n", one->title, one->trouble[0] ? one->trouble : "did not run");
		return;
	}
	printf("%-27s%8s%10s%8.2f", one->title, grouped(connected, r->connected),
	       grouped(rate, (long)r->rate), r->cpu_us);
	if (epoll->cpu_us > 0)
		printf("%8.2f", r->cpu_us / epoll->cpu_us);
	else
		printf("%8s", "-");
	printf("%9.1f%8.2f%8.2f%9.2f\n", (double)r->rss_kib / 1024, r->p50_us / 1e3,
	       r->p99_us / 1e3, r->p999_us / 1e3);
	if (r->refused)
		printf("  %ld clients were turned away (%s)\n", r->refused, one->trouble);
	if (r->wrong || r->lost)
		printf("  WRONG ECHOES: %ld, CLIENTS LOST: %ld\n", r->wrong, r->lost);
}

static void print_table(void)
{
	double paced = 0;

	printf("\n%-27s%8s%10s%8s%8s%9s%8s%8s%9s\n", "", "connec-", "messages", "CPU us", "CPU /",
	       "RSS", "p50", "p99", "p99.9");
	printf("%-27s%8s%10s%8s%8s%9s%8s%8s%9s\n", "echo of 64 bytes, loopback", "tions", "/s",
	       "/msg", "epoll", "MB", "ms", "ms", "ms");
	for (int i = 0; i < CONTENDERS; i++) {
		print_row(&contenders[i]);
		if (contenders[i].result.paced_rate > paced)
			paced = contenders[i].result.paced_rate;
	}
	printf("messages/s and CPU while every client sends as fast as it is answered; latency at\n"
	       "%.0f messages/s, from when each was due. RSS leaves out 16 KiB of kernel stack a "
	       "thread.\n",
	       paced);
}

/* As many clients as descriptors allow; each end of a connection is another process's. */
static long fit(long clients)
{
	struct rlimit files;
	long room;

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max < (rlim_t)(clients + SPARE_FILES)) {
		struct rlimit more = { (rlim_t)(clients + SPARE_FILES),
				       (rlim_t)(clients + SPARE_FILES) };

		setrlimit(RLIMIT_NOFILE, &more); /* for root; the servers inherit it */
		getrlimit(RLIMIT_NOFILE, &files);
	}
	room = files.rlim_max > LONG_MAX ? LONG_MAX : (long)files.rlim_max;
	if (room >= clients + SPARE_FILES)
		return clients;
	printf("RLIMIT_NOFILE is %ld and may not be raised: %ld clients instead of %ld\n", room,
	       room - SPARE_FILES, clients);
	return room - SPARE_FILES;
}

int main(int argc, char **argv)
{
	char *amounts[] = { "10000", "3", "5" }, clients[32];
	ssize_t length = readlink("/proc/self/exe", home, sizeof(home) - 1);
	int failed = 0;

	if (length < 0 || argc > 4) {
		fprintf(stderr, "usage: echo-run [clients [paced-seconds [flood-seconds]]]\n");
		return 2;
	}
	*strrchr(home, '/') = '\0';
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++)
		amounts[i - 1] = argv[i];
	snprintf(clients, sizeof(clients), "%ld", fit(atol(amounts[0])));
	amounts[0] = clients;
	for (int i = 0; i < CONTENDERS; i++) {
		run(&contenders[i], amounts);
		failed |= contenders[i].failed;
	}
	print_table();
	if (failed)
		printf("FAILED: a server died, or an echo was wrong, or a client was left without one\n");
	return failed;
}

/* SPDX-License-Identifier: MIT
 *
 * meter.h - what a load costs: latencies, a server's memory and CPU time, and
 * the line that shows them.
 */
#ifndef EXAMPLES_METER_H
#define EXAMPLES_METER_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"

static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec now = { 0, 0 };

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/** Resident memory of a process in KiB; 0 when it is gone. */
static inline long resident_kib(pid_t pid)
{
	long size = 0, pages = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/** From one moment to another. */
struct meter {
	struct histogram latency;
	int64_t begun_ns, cpu_begun_ns; /* wall clock; the server's CPU time */
};

/** The figures of a meter, ready to be shown. */
struct figures {
	double rate, p50_us, p99_us, p999_us, cpu_us;
	long rss_kib;
};

/** CPU time of a whole process, all its threads; to the nanosecond. */
static inline int64_t cpu_ns(pid_t pid)
{
	clockid_t clock;

	return clock_getcpuclockid(pid, &clock) ? 0 : clock_ns(clock);
}

static inline void meter_begin(struct meter *meter, pid_t server)
{
	*meter = (struct meter){ .begun_ns = clock_ns(CLOCK_MONOTONIC),
				 .cpu_begun_ns = cpu_ns(server) };
}

static inline struct figures meter_read(const struct meter *meter, pid_t server)
{
	double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - meter->begun_ns) / 1e9;
	double cpu_us = (double)(cpu_ns(server) - meter->cpu_begun_ns) / 1e3;
	double messages = (double)meter->latency.total;

	return (struct figures){
		.rate = messages / seconds,
		.p50_us = (double)histogram_at(&meter->latency, 0.5) / 1e3,
		.p99_us = (double)histogram_at(&meter->latency, 0.99) / 1e3,
		.p999_us = (double)histogram_at(&meter->latency, 0.999) / 1e3,
		.cpu_us = messages > 0 ? cpu_us / messages : 0,
		.rss_kib = resident_kib(server),
	};
}

#endif

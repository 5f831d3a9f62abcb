/* SPDX-License-Identifier: MIT
 *
 * bench.h - what every program of the bench shares: clocks, memory figures,
 * and the one line a measurement is reported by.
 *
 *	ROW <row> <who> <value> <unit>       a measurement
 *	SKIP <row> <who> <reason ...>        why there is none
 *	NOTE <row> <who> <text ...>          something a reader should know
 *
 * One program run is one sample; bench/run repeats it, in turn with its
 * peers. Rows that are bound by the CPU are told in CPU time of the whole
 * process: on a quiet machine that is wall time, and on a shared one the
 * neighbours' turns are not ours.
 */
#ifndef WEFT_BENCH_BENCH_H
#define WEFT_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline int64_t bench_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/** Wall time in nanoseconds. */
static inline int64_t bench_wall(void)
{
	return bench_clock(CLOCK_MONOTONIC);
}

/** CPU time of every thread of this process, in nanoseconds. */
static inline int64_t bench_cpu(void)
{
	return bench_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void bench_row(const char *row, const char *who, double value, const char *unit)
{
	printf("ROW %s %s %.4g %s\n", row, who, value, unit);
	fflush(stdout);
}

static inline void bench_skip(const char *row, const char *who, const char *reason)
{
	printf("SKIP %s %s %s\n", row, who, reason);
	fflush(stdout);
}

/** The n-th argument as a count, or a default. */
static inline long bench_arg(int argc, char **argv, int n, long otherwise)
{
	long value = argc > n ? strtol(argv[n], NULL, 10) : otherwise;

	return value > 0 ? value : otherwise;
}

static inline void bench_must(int rc, const char *what)
{
	if (rc < 0) {
		fprintf(stderr, "bench: %s: %s\n", what, strerror(-rc));
		exit(1);
	}
}

/** Bytes of this process that lie in memory (VmRSS). */
static inline double bench_rss(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%*s %ld", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/** A "<name>:  <n> kB" line of a /proc file, in bytes; 0 when it is not there. */
static inline double bench_proc_kb(const char *path, const char *name)
{
	char line[256];
	double kb = 0;
	size_t len = strlen(name);
	FILE *file = fopen(path, "r");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && line[len] == ':')
			kb = strtod(line + len + 1, NULL);
	fclose(file);
	return kb * 1024;
}

/** Page tables of this process in bytes: memory that VmRSS does not tell. */
static inline double bench_pte(void)
{
	return bench_proc_kb("/proc/self/status", "VmPTE");
}

/** At most @count, so that @bytes_each of each fits into the free memory. */
static inline long bench_fit(long count, long bytes_each)
{
	double room = bench_proc_kb("/proc/meminfo", "MemAvailable") * 0.7;
	long fits = (long)(room / (double)bytes_each);

	return fits > 0 && fits < count ? fits : count;
}

#endif

/* SPDX-License-Identifier: MIT
 *
 * crew.h - what the programs share that compare one worker with two.
 *
 * Their rows are told in wall time: CPU time hides a worker that idles. The CPU time of
 * all threads stands beside it as <row>_cpu: twice the wall time when both were busy
 * all the time, more work than one worker needs when they get in each other's way.
 */
#ifndef WEFT_BENCH_CREW_H
#define WEFT_BENCH_CREW_H

#include "bench.h"

struct crew_clock {
	int64_t wall, cpu;
};

static inline struct crew_clock crew_start(void)
{
	return (struct crew_clock){ bench_wall(), bench_cpu() };
}

/** Rows <what>_w<workers> and <what>_w<workers>_cpu, an operation. */
static inline void crew_row(const char *what, const char *workers, struct crew_clock start,
			    double count, const char *unit)
{
	double scale = *unit == 's' ? 1e-9 : 1;
	double wall = (double)(bench_wall() - start.wall) * scale;
	double cpu = (double)(bench_cpu() - start.cpu) * scale;
	char row[64];

	snprintf(row, sizeof(row), "%s_w%s", what, workers);
	bench_row(row, "weft", wall / count, unit);
	snprintf(row, sizeof(row), "%s_w%s_cpu", what, workers);
	bench_row(row, "weft", cpu / count, unit);
}

#endif

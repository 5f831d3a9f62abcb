/* SPDX-License-Identifier: MIT
 *
 * boost_fiber.cc - peers of the task rows: Boost.Fiber, the scheduler on top
 * of Boost.Context, with its default round-robin scheduler.
 *
 *	peer-boost-fiber <row> [count]
 */
#include <string>
#include <vector>

#include <boost/fiber/all.hpp>

#include "../bench.h"

namespace fibers = boost::fibers;

static void report(const char *row, int64_t start, long ops)
{
	bench_row(row, "Boost.Fiber", (double)(bench_cpu() - start) / (double)ops, "ns");
}

static void run_yield(const char *row, long tasks, long total)
{
	std::vector<fibers::fiber> made;
	long each = total / tasks;
	int64_t start;

	for (long i = 0; i < tasks; i++)
		made.emplace_back([each] {
			for (long n = 0; n <= each; n++)
				boost::this_fiber::yield();
		});
	boost::this_fiber::yield();
	start = bench_cpu();
	for (auto &fiber : made)
		fiber.join();
	report(row, start, each * tasks);
}

static void run_spawn(long count)
{
	boost::fibers::pooled_fixedsize_stack stacks(64 << 10);
	long sum = 0;
	int64_t start = bench_cpu();

	for (long i = 0; i < count; i++)
		fibers::fiber(std::allocator_arg, stacks, [&sum, i] { sum += i; }).join();
	report("spawn", start, count);
}

int main(int argc, char **argv)
{
	std::string row = argc > 1 ? argv[1] : "";

	if (row == "yield_2")
		run_yield("yield_2", 2, bench_arg(argc, argv, 2, 4000000));
	else if (row == "yield_1000")
		run_yield("yield_1000", 1000, bench_arg(argc, argv, 2, 4000000));
	else if (row == "spawn")
		run_spawn(bench_arg(argc, argv, 2, 500000));
	else
		return 2;
	return 0;
}

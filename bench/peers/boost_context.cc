/* SPDX-License-Identifier: MIT
 *
 * boost_context.cc - peers of the switch row: Boost.Context's bare
 * jump_fcontext() ("Boost.Context") and its C++ face, boost::context::fiber
 * ("Boost.Context-C++").
 */
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>

#include "../bench.h"

namespace ctx = boost::context;

static void body(ctx::detail::transfer_t from)
{
	for (;;)
		from = ctx::detail::jump_fcontext(from.fctx, nullptr);
}

static void run_fcontext(long count)
{
	static char stack[64 << 10];
	ctx::detail::fcontext_t made =
		ctx::detail::make_fcontext(stack + sizeof(stack), sizeof(stack), body);
	ctx::detail::transfer_t there = ctx::detail::jump_fcontext(made, nullptr);
	int64_t start = bench_cpu();

	for (long i = 0; i < count; i++)
		there = ctx::detail::jump_fcontext(there.fctx, nullptr);
	bench_row("switch", "Boost.Context", (double)(bench_cpu() - start) / (2.0 * (double)count),
		  "ns");
}

static void run_fiber(long count)
{
	bool stop = false;
	ctx::fiber there([&stop](ctx::fiber &&here) {
		while (!stop)
			here = std::move(here).resume();
		return std::move(here);
	});
	int64_t start = bench_cpu();

	for (long i = 0; i < count; i++)
		there = std::move(there).resume();
	bench_row("switch", "Boost.Context-C++",
		  (double)(bench_cpu() - start) / (2.0 * (double)count), "ns");
	stop = true;
	there = std::move(there).resume();
}

int main(int argc, char **argv)
{
	long count = bench_arg(argc, argv, 1, 10000000);

	run_fcontext(count);
	run_fiber(count);
	return 0;
}

/* SPDX-License-Identifier: MIT
 *
 * context_cxx.cc - C++ exceptions inside a context.
 */
#include <stdexcept>
#include <string>
#include <sys/mman.h>

#include <weft/context.h>

#include "test.h"

extern "C" {
#include <base/sanitizer.h>
}

namespace
{

enum { STACK = 256 << 10 };

/* A context, and what ASan wants to hear of it. */
struct Fiber {
	weft_context ctx;
	const void *low;
	size_t bytes;
};

Fiber home, peers[2];
int alive;

void landed()
{
	weft__asan_arrive(NULL, &home.low, &home.bytes);
}

void *hop(Fiber *from, Fiber *to, void *value)
{
	void *fake;

	weft__asan_leave(&fake, to->low, to->bytes);
	value = weft_context_switch(&from->ctx, &to->ctx, value);
	weft__asan_arrive(fake, NULL, NULL);
	return value;
}

struct Counted {
	Counted()
	{
		alive++;
	}
	~Counted()
	{
		alive--;
	}
};

void make(Fiber *fiber, void (*fn)(void *, void *), void *arg)
{
	void *low = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(low != MAP_FAILED);
	fiber->low = low;
	fiber->bytes = STACK;
	weft_context_make(&fiber->ctx, low, STACK, fn, arg);
}

noinline void throw_below(int levels, long value)
{
	Counted counted;

	if (levels == 0)
		throw std::runtime_error(std::to_string(value));
	throw_below(levels - 1, value);
}

/* Throws, catches, rethrows and catches; parks between them, with frames that
 * have destructors above the switch. */
void throw_and_catch(void *arg, void *value)
{
	Fiber *self = static_cast<Fiber *>(arg);

	landed();
	for (;;) {
		Counted counted;
		std::string caught;

		try {
			Counted inner;
			value = hop(self, &home, value);
			try {
				throw_below(10, reinterpret_cast<long>(value));
			} catch (const std::runtime_error &) {
				throw;
			}
		} catch (const std::exception &e) {
			caught = e.what();
		}
		CHECK(caught == std::to_string(reinterpret_cast<long>(value)));
		value = hop(self, &home, value);
	}
}

TEST(context_cxx, exceptions_are_thrown_and_caught_inside)
{
	for (int i = 0; i < 2; i++)
		make(&peers[i], throw_and_catch, &peers[i]);
	for (long round = 0; round < 200; round++) {
		for (int i = 0; i < 2; i++) {
			void *value = reinterpret_cast<void *>(round * 2 + i);

			CHECK_EQ(hop(&home, &peers[i], value), value);
		}
		try {
			throw_below(5, round);
			CHECK(!"not thrown");
		} catch (const std::runtime_error &e) {
			CHECK(e.what() == std::to_string(round));
		}
	}
	CHECK(alive > 0 && alive <= 4); /* two frames each, and what is parked in the try */
}

void throw_out(void *arg, void *value)
{
	(void)value;
	landed();
	throw_below(3, reinterpret_cast<long>(arg));
}

void run_one_that_throws(void *)
{
	make(&peers[0], throw_out, NULL);
	hop(&home, &peers[0], NULL);
}

/* The unwinder finds the end of the stack and no handler: terminate, no crash. */
TEST(context_cxx, exception_out_of_a_context_terminates)
{
	CHECK_DEATH(SIGABRT, "terminate called after throwing", run_one_that_throws, NULL);
}

} // namespace

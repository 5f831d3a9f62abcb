// SPDX-License-Identifier: MIT
//
// coroutine_cxx.cc - the headers and coroutines in C++: exceptions that are
// thrown and caught between two switches, also while other coroutines are
// suspended inside try blocks; destructors; lambdas as bodies.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <test.h>
#include <weft/coroutine.h>
#include <weft/weft.h>

namespace
{

struct counted {
	static int alive;
	counted()
	{
		alive++;
	}
	counted(const counted &)
	{
		alive++;
	}
	~counted()
	{
		alive--;
	}
};
int counted::alive;

void throw_deep(int depth)
{
	counted here;

	if (!depth)
		throw std::runtime_error("deep");
	throw_deep(depth - 1);
}

// Throws and catches in each round, and is suspended inside a try block.
void *thrower(void *arg, void *value)
{
	long rounds = reinterpret_cast<long>(arg), caught = 0;
	std::string text = "some text that does not fit into the object itself";

	for (long i = 0; i < rounds; i++) {
		try {
			counted here;

			value = weft_yield(value);
			throw_deep(static_cast<int>(i % 9));
		} catch (const std::exception &e) {
			CHECK_STR(e.what(), "deep");
			caught++;
		}
		CHECK_EQ(text.size(), 50);
	}
	return reinterpret_cast<void *>(caught);
}

void *count_down(void *, void *value)
{
	for (long n = reinterpret_cast<long>(value); n; n--)
		weft_yield(reinterpret_cast<void *>(n));
	return nullptr;
}

TEST(coroutine_cxx, throw_and_catch_inside)
{
	const long many = 50, rounds = 20;
	std::vector<weft_coroutine *> cos(many);
	void *out = nullptr;

	for (auto &co : cos)
		CHECK_EQ(
			weft_coroutine_new(&co, thrower, reinterpret_cast<void *>(rounds), nullptr),
			0);
	for (long i = 0; i < rounds; i++) {
		for (auto &co : cos)
			CHECK_EQ(weft_resume(co, reinterpret_cast<void *>(i), &out), 1);
		CHECK_EQ(counted::alive, many);
	}
	for (auto &co : cos) {
		CHECK_EQ(weft_resume(co, nullptr, &out), 0);
		CHECK_EQ(out, rounds);
		CHECK_EQ(weft_coroutine_free(co), 0);
	}
	CHECK_EQ(counted::alive, 0);
}

// An exception crosses the resumer's frames, not the coroutine's.
TEST(coroutine_cxx, throw_around_a_resume)
{
	weft_coroutine *co = nullptr;
	void *out = nullptr;
	long sum = 0;

	CHECK_EQ(weft_coroutine_new(&co, count_down, nullptr, nullptr), 0);
	try {
		for (;;) {
			if (weft_resume(co, reinterpret_cast<void *>(10L), &out) == 0)
				throw std::string("end");
			sum += reinterpret_cast<long>(out);
		}
	} catch (const std::string &s) {
		CHECK_STR(s.c_str(), "end");
	}
	CHECK_EQ(sum, 55);
	CHECK_EQ(weft_coroutine_free(co), 0);
}

TEST(coroutine_cxx, generators_and_lambdas)
{
	auto limit = std::make_unique<long>(5);
	weft_generator *gen = nullptr;
	long sum = 0;

	CHECK_EQ(weft_generator_new(
			 &gen,
			 [](void *arg) {
				 for (long i = 1; i <= *static_cast<long *>(arg); i++)
					 weft_yield(reinterpret_cast<void *>(i));
			 },
			 limit.get(), nullptr),
		 0);
	weft_foreach(void *, v, gen)
		sum += reinterpret_cast<long>(v);
	CHECK_EQ(sum, 15);
	CHECK_EQ(weft_generator_free(gen), 0);
}

} // namespace

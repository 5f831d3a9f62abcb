/* SPDX-License-Identifier: MIT
 *
 * generator.c - generators: coroutines whose end is not an error.
 *
 * A generator is nothing but a coroutine that knows its body to be of another
 * type; the handles are the same.
 */
#include <errno.h>

#include <core/coroutine.h>

static weft_coroutine *as_coroutine(weft_generator *gen)
{
	return (weft_coroutine *)(void *)gen;
}

WEFT_API int weft_generator_new(weft_generator **ret_gen, weft_generator_fn *fn, void *arg,
				const weft_attr *attr)
{
	struct coroutine *co;
	int rc = ret_gen ? weft__coroutine_new(&co, (weft_coroutine_fn *)(uintptr_t)fn, arg, attr,
					       true)
			 : -EINVAL;

	if (likely(rc == 0))
		*ret_gen = (weft_generator *)(void *)coroutine_handle(co);
	return rc;
}

/* Every call after the end says so again. */
WEFT_API coldpath int weft__generator_failed(weft_generator *gen, int error)
{
	bool ended = error == -ESRCH && weft_coroutine_status(as_coroutine(gen)) == WEFT_DEAD;

	return ended ? 0 : error;
}

WEFT_API int weft_generator_next_with(weft_generator *gen, void *in, void **ret_value)
{
	int rc = weft_resume(as_coroutine(gen), in, ret_value);

	return unlikely(rc < 0) ? weft__generator_failed(gen, rc) : rc;
}

WEFT_API int weft_generator_next(weft_generator *gen, void **ret_value)
{
	return weft_generator_next_with(gen, NULL, ret_value);
}

WEFT_API int weft_generator_free(weft_generator *gen)
{
	return weft_coroutine_free(as_coroutine(gen));
}

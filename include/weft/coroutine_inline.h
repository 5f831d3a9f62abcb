/* SPDX-License-Identifier: MIT
 *
 * weft/coroutine_inline.h - the functions of weft/coroutine.h that switch, as
 * inline code. Not to be included by itself.
 *
 * Why: a CPU predicts returns by a stack of its own. A function that is called
 * on one stack, switches, and returns on another is predicted wrong each time,
 * which costs ten times as much as the switch. So what is called here returns
 * before the switch, and the switch happens in the caller's own frame.
 *
 * The library exports all of them as functions too: for other languages, for
 * code that is not optimised, and for sanitizers, which want to be told of each
 * switch. WEFT_NO_INLINE asks for them.
 */
#ifndef WEFT_COROUTINE_INLINE_H
#define WEFT_COROUTINE_INLINE_H

/** Where a switch leaves and arrives; to == NULL: not by the quick path. */
struct weft__way {
	weft_context *from, *to;
};

/* The quick paths up to the switch itself, and all that is not quick. */
WEFT_API weft_context *weft__resume_begin(weft_coroutine *co, weft_context *here, void **ret_out);
WEFT_API struct weft__way weft__yield_begin(void *value);
WEFT_API struct weft__way weft__transfer_begin(weft_coroutine *co);
WEFT_API int weft__resume_rare(weft_coroutine *co, void *value, void **ret_out);
WEFT_API int weft__yield_rare(void *value, void **ret_in);
WEFT_API int weft__transfer_rare(weft_coroutine *co, void *value, void **ret_in);
WEFT_API int weft__generator_failed(weft_generator *gen, int error);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEFT__SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEFT__SANITIZED 1
#endif
#endif

#if WEFT_SWITCH_INLINE && defined(__OPTIMIZE__) && !WEFT__SANITIZED && !defined(WEFT_NO_INLINE)

#define WEFT__INLINE static __inline__ __attribute__((__always_inline__))

WEFT__INLINE int weft__resume_inline(weft_coroutine *co, void *value, void **ret_out)
{
	weft_context here, *to = weft__resume_begin(co, &here, ret_out);

	if (__builtin_expect(!to, 0))
		return weft__resume_rare(co, value, ret_out);
	return (int)(intptr_t)weft_context_switch(&here, to, value);
}

WEFT__INLINE void *weft__yield_inline(void *value)
{
	struct weft__way way = weft__yield_begin(value);

	if (__builtin_expect(!way.to, 0)) {
		void *in = NULL;

		weft__yield_rare(value, &in);
		return in;
	}
	return weft_context_switch(way.from, way.to, (void *)1);
}

WEFT__INLINE int weft__yield_with_inline(void *value, void **ret_in)
{
	struct weft__way way = weft__yield_begin(value);

	if (__builtin_expect(!way.to, 0))
		return weft__yield_rare(value, ret_in);
	value = weft_context_switch(way.from, way.to, (void *)1);
	if (ret_in)
		*ret_in = value;
	return 0;
}

WEFT__INLINE int weft__transfer_inline(weft_coroutine *co, void *value, void **ret_in)
{
	struct weft__way way = weft__transfer_begin(co);

	if (__builtin_expect(!way.to, 0))
		return weft__transfer_rare(co, value, ret_in);
	value = weft_context_switch(way.from, way.to, value);
	if (ret_in)
		*ret_in = value;
	return 0;
}

WEFT__INLINE int weft__generator_next_inline(weft_generator *gen, void *in, void **ret_value)
{
	int rc = weft__resume_inline((weft_coroutine *)(void *)gen, in, ret_value);

	return __builtin_expect(rc < 0, 0) ? weft__generator_failed(gen, rc) : rc;
}

#undef WEFT__INLINE

/* Only calls are meant: the name by itself is the library's function. */
#define weft_resume(co, value, ret_out)     weft__resume_inline((co), (value), (ret_out))
#define weft_yield(value)                   weft__yield_inline(value)
#define weft_yield_with(value, ret_in)      weft__yield_with_inline((value), (ret_in))
#define weft_transfer(co, value, ret_in)    weft__transfer_inline((co), (value), (ret_in))
#define weft_generator_next(gen, ret_value) weft__generator_next_inline((gen), NULL, (ret_value))
#define weft_generator_next_with(gen, in, ret_value) \
	weft__generator_next_inline((gen), (in), (ret_value))

#endif

#endif

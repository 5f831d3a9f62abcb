/* SPDX-License-Identifier: MIT
 *
 * co_routine_specific.h - variables of which each coroutine has its own, as Tencent's libco
 * declares them.
 *
 *	struct counter { int value; };
 *	CO_ROUTINE_SPECIFIC(counter, mine);      // at namespace scope
 *	...
 *	mine->value++;
 *
 * Each coroutine's begins as zeros, is never constructed or destroyed, and is freed by
 * co_release(); outside of coroutines each thread has one.
 */
#ifndef WEFT_COMPAT_LIBCO_CO_ROUTINE_SPECIFIC_H
#define WEFT_COMPAT_LIBCO_CO_ROUTINE_SPECIFIC_H

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

int co_setspecific(pthread_key_t key, const void *value);
void *co_getspecific(pthread_key_t key);

/** The value of a key, or a block of zeros that becomes it; NULL when there is no memory. */
void *weft_co_specific(pthread_key_t key, size_t bytes);

template <class T, class Tag> class weft_co_specific_of
{
      public:
	T *operator->() const
	{
		return get();
	}
	T &operator*() const
	{
		return *get();
	}

      private:
	static pthread_key_t make()
	{
		pthread_key_t key = (pthread_key_t)-1;

		(void)pthread_key_create(&key, free);
		return key;
	}
	static T *get()
	{
		static const pthread_key_t key = make();

		return static_cast<T *>(weft_co_specific(key, sizeof(T)));
	}
};

#define CO_ROUTINE_SPECIFIC(type, name) \
	namespace                       \
	{                               \
	struct weft_co_tag_of_##name;   \
	}                               \
	static weft_co_specific_of<type, weft_co_tag_of_##name> name;

#endif

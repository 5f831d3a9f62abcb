/* SPDX-License-Identifier: MIT
 *
 * specific.c - co_setspecific() and co_getspecific(): a coroutine's own values of pthread keys.
 *
 * Outside of coroutines they are the thread's. A coroutine's have no destructors, as in libco;
 * but blocks that weft_co_specific() has made are freed with the record.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <base/fault.h>

#include "co.h"

enum { STEP = 8 /* keys by which a table grows */ };

struct co_value {
	void *value;
	bool owned;
};

struct co_values {
	unsigned count;
	struct co_value at[];
};

void weft__co_values_free(struct co_values *values)
{
	for (unsigned i = 0; values && i < values->count; i++)
		if (values->at[i].owned)
			weft__free(values->at[i].value);
	weft__free(values);
}

/* NULL: it has none of this key yet. */
static inline struct co_value *find(const struct stCoRoutine_t *co, pthread_key_t key)
{
	return co->values && key < co->values->count ? &co->values->at[key] : NULL;
}

static struct co_value *make(struct stCoRoutine_t *co, pthread_key_t key)
{
	unsigned count = (key / STEP + 1) * STEP;
	struct co_values *old = co->values, *values;

	values = weft__calloc(1, sizeof(*values) + count * sizeof(values->at[0]));
	if (!values)
		return NULL;
	if (old)
		memcpy(values->at, old->at, old->count * sizeof(old->at[0]));
	values->count = count;
	co->values = values;
	weft__free(old);
	return &values->at[key];
}

void *weft__co_getspecific(pthread_key_t key)
{
	const struct stCoRoutine_t *co = co_running();
	const struct co_value *found;

	if (!co)
		return pthread_getspecific(key);
	found = find(co, key);
	return found ? found->value : NULL;
}

int weft__co_setspecific(pthread_key_t key, const void *value)
{
	struct stCoRoutine_t *co = co_running();
	struct co_value *found;

	if (!co)
		return pthread_setspecific(key, value);
	if (key >= PTHREAD_KEYS_MAX)
		return EINVAL;
	found = find(co, key);
	if (!found)
		found = make(co, key);
	if (!found)
		return ENOMEM;
	*found = (struct co_value){ (void *)value, false };
	return 0;
}

void *weft__co_specific_block(pthread_key_t key, size_t bytes)
{
	void *block = weft__co_getspecific(key);
	const struct stCoRoutine_t *co;

	if (likely(block != NULL))
		return block;
	block = weft__calloc(1, bytes);
	if (!block || weft__co_setspecific(key, block) != 0) {
		weft__free(block);
		return NULL;
	}
	co = co_running();
	if (co)
		find(co, key)->owned = true;
	return block;
}

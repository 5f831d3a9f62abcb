/* SPDX-License-Identifier: MIT
 *
 * allocator_lib.c - a library with a malloc of its own, which locks a pthread mutex. What is freed
 * does not come again.
 */
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define VISIBLE __attribute__((visibility("default")))

enum { ROOM = 64 << 20, HEAD = 16 };

static char room[ROOM] __attribute__((aligned(HEAD)));
static size_t used;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

VISIBLE void *malloc(size_t size);
VISIBLE void *calloc(size_t count, size_t size);
VISIBLE void *realloc(void *old, size_t size);
VISIBLE void free(void *old);
VISIBLE void allocator_lock(void);
VISIBLE void allocator_unlock(void);

void *malloc(size_t size)
{
	char *block = NULL;
	size_t whole = (size + 2 * HEAD - 1) / HEAD * HEAD;

	pthread_mutex_lock(&mutex);
	if (whole > size && ROOM - used >= whole) {
		block = room + used + HEAD;
		used += whole;
		memcpy(block - HEAD, &size, sizeof(size));
	}
	pthread_mutex_unlock(&mutex);
	return block;
}

void *calloc(size_t count, size_t size)
{
	return size && count > ROOM / size ? NULL : malloc(count * size); /* it is zero */
}

void *realloc(void *old, size_t size)
{
	void *block = malloc(size);
	size_t before = 0;

	if (old)
		memcpy(&before, (char *)old - HEAD, sizeof(before));
	if (block && old)
		memcpy(block, old, before < size ? before : size);
	return block;
}

void free(void *old)
{
	(void)old;
}

void allocator_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void allocator_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

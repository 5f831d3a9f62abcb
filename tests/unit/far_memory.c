/* SPDX-License-Identifier: MIT
 *
 * far_memory.c - a kernel whose addresses have more bits than a handle holds.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <base/fault.h>
#include <base/handle.h>
#include <weft/coroutine.h>
#include <weft/task.h>

#include "test.h"

#define FAR ((void *)(UINT64_C(1) << 48))

static bool far_away;
static void *unmapped;

/* In place of libc's: this program's own comes first. */
void *mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	return far_away ? FAR : (void *)syscall(SYS_mmap, addr, bytes, prot, flags, fd, offset);
}

int munmap(void *addr, size_t bytes)
{
	if (addr != FAR)
		return (int)syscall(SYS_munmap, addr, bytes);
	unmapped = addr;
	return 0;
}

TEST(far_memory, a_handle_holds_48_bits)
{
	const uintptr_t highest = (UINT64_C(1) << 48) - 64;
	uint64_t word = tagged_pack((void *)highest, TAG_MASK);

	CHECK(tagged_holds((void *)highest));
	CHECK_EQ((uintptr_t)tagged_pointer(word), highest);
	CHECK_EQ(tagged_tag(word), TAG_MASK);
	CHECK(!tagged_holds(FAR));
	CHECK(tagged_pointer(tagged_pack(FAR, 0)) != FAR);
}

static int answer(void *arg)
{
	return (int)(intptr_t)arg;
}

TEST(far_memory, is_refused)
{
	weft_task *task;
	int value;

	CHECK_EQ(weft_task_yield(), 0);
	far_away = true;
	CHECK(weft__map(4096) == NULL);
	CHECK(unmapped == FAR);
	CHECK_EQ(weft_spawn(&task, NULL, answer, (void *)7), -ENOMEM);
	far_away = false;
	CHECK_EQ(weft_spawn(&task, NULL, answer, (void *)7), 0);
	CHECK_EQ(weft_join(task, WEFT_FOREVER, &value), 0);
	CHECK_EQ(value, 7);
}

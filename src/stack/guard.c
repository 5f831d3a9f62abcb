/* SPDX-License-Identifier: MIT
 *
 * guard.c - what stops a stack that grows too far.
 *
 * Three ways, the strongest that works (asked of the kernel, not of its
 * version):
 *
 *   madvise   MADV_GUARD_INSTALL: a mark in the page table; costs no mapping,
 *             so there may be millions. A kernel without it says EINVAL.
 *   mprotect  PROT_NONE: splits the mapping, two more for each stack. Used for
 *             as many stacks as take half of vm.max_map_count, and until the
 *             kernel says ENOMEM: the other half is the program's own.
 *   canary    nothing stops the stack. The guard's bytes are ordinary memory
 *             that nobody writes to, so they read as zeros (and, unwritten,
 *             cost none); the 64 next to the stack are looked at when the
 *             owner parks.
 *
 * A guard stays through MADV_DONTNEED and fork(2), and is never removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include <base/fault.h>
#include <base/log.h>
#include <stack/arena.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#define PIDFD_SELF_PROCESS (-10001) /* "this process", Linux 6.15 */

enum { CANARY_BYTES = 64 };

bool weft__stack_canaries;

/* --- many ranges in one call ------------------------------------------------ */

int weft__advise_ranges(const struct iovec *ranges, unsigned count, int advice)
{
	static _Atomic bool refused;
	size_t total = 0;
	int rc;

	for (unsigned i = 0; i < count; i++)
		total += ranges[i].iov_len;
	if (count > 1 && !atomic_load_explicit(&refused, memory_order_relaxed)) {
		long done = weft__syscall(SYS_process_madvise, PIDFD_SELF_PROCESS, ranges, count,
					  advice, 0);

		if (done == (long)total)
			return 0;
		/* An old kernel, a filter, or a range that failed: one by one tells. */
		if (done < 0 && done != -ENOMEM)
			atomic_store_explicit(&refused, true, memory_order_relaxed);
	}
	for (unsigned i = 0; i < count; i++) {
		rc = weft__advise(ranges[i].iov_base, ranges[i].iov_len, advice);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* --- which way ------------------------------------------------------------- */

static _Atomic int strongest = -1; /* enum stack_guard; -1: not asked yet */

static int first_choice(void)
{
	const char *env = getenv("WEFT_GUARD");

	if (env && !strcmp(env, "canary"))
		return GUARD_CANARY;
	if (env && !strcmp(env, "mprotect"))
		return GUARD_MPROTECT;
	if (env && *env && strcmp(env, "madvise"))
		weft__warn("WEFT_GUARD=%s is none of madvise, mprotect, canary", env);
	return GUARD_MADVISE;
}

/* Half of vm.max_map_count, in stacks of two mappings each. */
static long mprotect_budget(void)
{
	char buf[32] = "";
	long maps = 65530;
	long fd = weft__syscall(SYS_openat, AT_FDCWD, "/proc/sys/vm/max_map_count",
				O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (weft__syscall(SYS_read, fd, buf, sizeof(buf) - 1) > 0)
			maps = strtol(buf, NULL, 10);
		weft__syscall(SYS_close, fd);
	}
	return maps / 2 / 2;
}

/* --- installing ------------------------------------------------------------- */

static char *guard_of(struct stack_chunk *chunk, uint32_t index)
{
	return chunk->slots + index * chunk->stride;
}

/* True when the kernel itself cannot write there: it is asked to put the number of
 * a CPU there. Emulators answer 0 to advice that they do not know. (A call that
 * Valgrind answers itself would crash Valgrind.) */
static bool guarded(void *addr)
{
	return weft__syscall(SYS_getcpu, addr, NULL, NULL) == -EFAULT;
}

static int try_madvise(struct stack_chunk *chunk, uint32_t first, uint32_t count)
{
	struct iovec ranges[TRIM_BATCH];
	uint32_t done, n;
	int rc = weft__fault_hit() ? -ENOMEM : 0;

	for (done = 0; done < count && !rc; done += n) {
		n = count - done < TRIM_BATCH ? count - done : TRIM_BATCH;
		for (uint32_t i = 0; i < n; i++)
			ranges[i] = (struct iovec){ guard_of(chunk, first + done + i),
						    weft__stack_guard_bytes() };
		rc = weft__advise_ranges(ranges, n, MADV_GUARD_INSTALL);
	}
	/* All or none: a canary must be readable. */
	for (uint32_t i = 0; rc && rc != -EINVAL && i < count; i++)
		weft__advise(guard_of(chunk, first + i), weft__stack_guard_bytes(),
			     MADV_GUARD_REMOVE);
	return rc;
}

static int try_mprotect(struct stack_chunk *chunk, uint32_t first, uint32_t count)
{
	static _Atomic long left = -1;
	size_t bytes = weft__stack_guard_bytes();
	uint32_t i;

	if (left == -1)
		left = mprotect_budget();
	if (left < (long)count || weft__fault_hit())
		return -ENOMEM;
	left -= count;
	for (i = 0; i < count; i++)
		if (mprotect(guard_of(chunk, first + i), bytes, PROT_NONE) < 0)
			break;
	if (i == count)
		return 0;
	left = 0;
	while (i--)
		mprotect(guard_of(chunk, first + i), bytes, PROT_READ | PROT_WRITE);
	return -ENOMEM;
}

static enum stack_guard protect(struct stack_chunk *chunk, uint32_t first, uint32_t count)
{
	int rc;

	if (strongest == -1)
		strongest = first_choice();
	if (strongest == GUARD_MADVISE) {
		rc = try_madvise(chunk, first, count);
		if (!rc && (first || guarded(guard_of(chunk, 0))))
			return GUARD_MADVISE;
		if (rc != -ENOMEM)
			strongest = GUARD_MPROTECT;
	}
	if (strongest != GUARD_CANARY && !try_mprotect(chunk, first, count))
		return GUARD_MPROTECT;
	weft__stack_canaries = true;
	if (strongest != GUARD_CANARY)
		weft__warn_once("no more guard pages to be had (see vm.max_map_count): an overflow "
				"of a further stack is only noticed when its task parks");
	return GUARD_CANARY;
}

/* An entry of kinds covers a group: carving keeps to multiples of it. What is the usual kind is
 * zero, and not written, so that it costs no memory. */
void weft__guard_install(struct stack_chunk *chunk, uint32_t first, uint32_t count)
{
	enum stack_guard kind = protect(chunk, first, count);

	_Static_assert(GUARD_MADVISE == 0, "a chunk begins as zeros");
	if (kind != GUARD_MADVISE)
		memset(&chunk->kinds[first / GUARD_GROUP], kind,
		       (count + GUARD_GROUP - 1) / GUARD_GROUP);
}

bool weft__stack_canary_check(const struct stack_slot *slot)
{
	const uint64_t *word = (const uint64_t *)(const void *)slot->low;

	if (weft__stack_guard_kind(slot) != GUARD_CANARY)
		return true;
	for (unsigned i = 0; i < CANARY_BYTES / sizeof(*word); i++)
		if (*--word)
			return false;
	return true;
}

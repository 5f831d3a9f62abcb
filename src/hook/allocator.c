/* SPDX-License-Identifier: MIT
 *
 * allocator.c - see allocator.h.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#include <hook/allocator.h>

struct hook_range weft__hook_allocator;

static struct hook_range range_of(const struct dl_phdr_info *info)
{
	struct hook_range range = { UINTPTR_MAX, 0 };

	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t low = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		if (low < range.low)
			range.low = low;
		if (low + info->dlpi_phdr[i].p_memsz > range.high)
			range.high = low + info->dlpi_phdr[i].p_memsz;
	}
	return range;
}

static bool holds(const struct hook_range *range, const void *address)
{
	return (uintptr_t)address >= range->low && (uintptr_t)address < range->high;
}

/* The program comes first and has no name. What it does itself cannot be told from its malloc. */
static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct hook_range range = range_of(info);
	void *found = dlsym(RTLD_DEFAULT, "malloc");

	(void)size;
	if (!holds(&range, found))
		return 0;
	if (info->dlpi_name && info->dlpi_name[0] && !holds(&range, dlsym(RTLD_DEFAULT, "fopen")))
		*(struct hook_range *)arg = range;
	return 1;
}

void weft__hook_allocator_init(void)
{
	dl_iterate_phdr(look_at, &weft__hook_allocator);
}

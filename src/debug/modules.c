/* SPDX-License-Identifier: MIT
 *
 * modules.c - modules.h by dl_iterate_phdr(3).
 */
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include <base/syscall.h>
#include <debug/modules.h>

static void add_segment(struct module *module, const ElfW(Phdr) * segment)
{
	uintptr_t low = module->base + segment->p_vaddr, high = low + segment->p_memsz;

	if (segment->p_type == PT_GNU_EH_FRAME)
		module->frame_hdr = low;
	if (segment->p_type != PT_LOAD)
		return;
	if (!module->high || low < module->low)
		module->low = low;
	if (high > module->high)
		module->high = high;
}

static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct modules *modules = arg;
	struct module *module = &modules->list[modules->count];
	const char *name = info->dlpi_name ? info->dlpi_name : "";
	size_t length = strnlen(name, MODULE_PATH_BYTES);

	(void)size;
	if (modules->count == MODULES_MAX)
		return 1;
	module->base = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		add_segment(module, &info->dlpi_phdr[i]);
	if (length < MODULE_PATH_BYTES)
		memcpy(module->path, name, length);
	modules->count++;
	return 0;
}

/* The executable has no name here: the kernel knows where it is. */
static void name_executable(struct module *module)
{
	long length = weft__syscall(SYS_readlinkat, -100 /* AT_FDCWD */, "/proc/self/exe",
				    module->path, MODULE_PATH_BYTES - 1);

	module->path[length > 0 ? length : 0] = '\0';
}

void weft__modules_load(struct modules *modules)
{
	dl_iterate_phdr(add_module, modules);
	if (modules->count && !modules->list[0].path[0])
		name_executable(&modules->list[0]);
}

void weft__modules_drop(struct modules *modules)
{
	for (unsigned i = 0; i < modules->count; i++)
		if (modules->list[i].file)
			munmap((void *)modules->list[i].file, modules->list[i].file_bytes);
}

struct module *weft__module_of(struct modules *modules, uintptr_t addr)
{
	for (unsigned i = 0; i < modules->count; i++)
		if (addr >= modules->list[i].low && addr < modules->list[i].high)
			return &modules->list[i];
	return NULL;
}

const char *weft__module_name(const struct module *module)
{
	const char *slash = strrchr(module->path, '/');

	if (!module->path[0])
		return "the program";
	return slash ? slash + 1 : module->path;
}

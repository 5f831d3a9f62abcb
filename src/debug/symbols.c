/* SPDX-License-Identifier: MIT
 *
 * symbols.c - see symbols.h. A file may be anything, also half written: every offset
 * in it is checked before it is followed.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <base/log.h>
#include <base/syscall.h>
#include <debug/symbols.h>

/* --- the file ------------------------------------------------------------------ */

static void map_file(struct module *module)
{
	struct stat st;
	long fd;
	void *file;

	module->asked = true;
	if (!module->path[0])
		return;
	fd = weft__syscall(SYS_openat, AT_FDCWD, module->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat((int)fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size >= (off_t)sizeof(ElfW(Ehdr))) {
		file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, (int)fd, 0);
		if (file != MAP_FAILED) {
			module->file = file;
			module->file_bytes = (size_t)st.st_size;
		}
	}
	weft__syscall(SYS_close, fd);
}

/* @bytes of the file, or NULL when it has not so many. */
static const void *part(const struct module *module, uint64_t offset, uint64_t bytes)
{
	if (!module->file || offset > module->file_bytes || bytes > module->file_bytes - offset ||
	    offset % 8)
		return NULL;
	return module->file + offset;
}

static const ElfW(Shdr) * sections(const struct module *module, unsigned *ret_count)
{
	const ElfW(Ehdr) *header = part(module, 0, sizeof(*header));

	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_shentsize != sizeof(ElfW(Shdr)))
		return NULL;
	*ret_count = header->e_shnum;
	return part(module, header->e_shoff, (uint64_t)header->e_shnum * sizeof(ElfW(Shdr)));
}

struct symbol_table {
	const ElfW(Sym) * symbols;
	size_t count;
	const char *names;
	size_t names_bytes;
};

/* .symtab names static functions, too; .dynsym is left when a file is stripped. */
static bool find_table(const struct module *module, uint32_t type, struct symbol_table *ret)
{
	unsigned count = 0;
	const ElfW(Shdr) *section = sections(module, &count);

	for (unsigned i = 0; section && i < count; i++) {
		const ElfW(Shdr) *table = &section[i], *names;

		if (table->sh_type != type || table->sh_link >= count)
			continue;
		names = &section[table->sh_link];
		ret->symbols = part(module, table->sh_offset, table->sh_size);
		ret->count = table->sh_size / sizeof(ElfW(Sym));
		if (names->sh_offset > module->file_bytes ||
		    names->sh_size > module->file_bytes - names->sh_offset)
			return false;
		ret->names = module->file + names->sh_offset;
		ret->names_bytes = names->sh_size;
		/* The last byte ends the last name, whatever the others say. */
		return ret->symbols && ret->names_bytes && !ret->names[ret->names_bytes - 1];
	}
	return false;
}

/* --- the name -------------------------------------------------------------------- */

static bool covers(const ElfW(Sym) * symbol, ElfW(Addr) addr)
{
	return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
	       addr >= symbol->st_value && addr - symbol->st_value < symbol->st_size;
}

/* Of several names for one place a global one, which is the one that was written. */
static bool better(const ElfW(Sym) * symbol, const ElfW(Sym) * than)
{
	return !than || (ELF64_ST_BIND(than->st_info) == STB_LOCAL &&
			 ELF64_ST_BIND(symbol->st_info) != STB_LOCAL);
}

static const char *find_name(const struct module *module, ElfW(Addr) addr, size_t *ret_offset)
{
	struct symbol_table table;
	const ElfW(Sym) *found = NULL;

	if (!find_table(module, SHT_SYMTAB, &table) && !find_table(module, SHT_DYNSYM, &table))
		return NULL;
	for (size_t i = 0; i < table.count; i++)
		if (covers(&table.symbols[i], addr) && better(&table.symbols[i], found))
			found = &table.symbols[i];
	if (!found || found->st_name >= table.names_bytes)
		return NULL;
	*ret_offset = addr - found->st_value;
	return table.names + found->st_name;
}

size_t weft__symbol_text(struct modules *modules, char *buf, size_t size, uintptr_t addr,
			 bool exact)
{
	uintptr_t at = exact ? addr : addr - 1;
	struct module *module = weft__module_of(modules, at);
	size_t offset = 0;
	const char *name;

	if (!module)
		return weft__format(buf, size, "0x%lx", (unsigned long)addr);
	if (!module->asked)
		map_file(module);
	name = find_name(module, at - module->base, &offset);
	if (!name)
		return weft__format(buf, size, "0x%lx (%s)", (unsigned long)(addr - module->base),
				    weft__module_name(module));
	return weft__format(buf, size, "%s+0x%zx (%s)", name, offset + (addr - at),
			    weft__module_name(module));
}

/* --- .eh_frame --------------------------------------------------------------------- */

void weft__module_find_frames(struct module *module)
{
	const ElfW(Ehdr) * header;
	const ElfW(Shdr) * section, *names;
	unsigned count = 0;

	module->frames_asked = true;
	if (!module->asked)
		map_file(module);
	section = sections(module, &count);
	header = (const void *)module->file;
	if (!section || header->e_shstrndx >= count)
		return;
	names = &section[header->e_shstrndx];
	for (unsigned i = 0; i < count; i++) {
		uint64_t name = names->sh_offset + section[i].sh_name;

		if (name > module->file_bytes || module->file_bytes - name < sizeof(".eh_frame") ||
		    memcmp(module->file + name, ".eh_frame", sizeof(".eh_frame")) != 0)
			continue;
		module->frames = module->base + section[i].sh_addr;
		module->frames_end = module->frames + section[i].sh_size;
		return;
	}
}

/* SPDX-License-Identifier: MIT
 *
 * modules.h - the executable and the shared libraries of this process, as a dump finds
 * them when it begins.
 */
#ifndef WEFT_DEBUG_MODULES_H
#define WEFT_DEBUG_MODULES_H

#include <base/compiler.h>

enum { MODULES_MAX = 256, MODULE_PATH_BYTES = 232 };

struct module {
	uintptr_t base;      /* what is added to addresses of its file */
	uintptr_t low, high; /* all of its segments */
	uintptr_t frame_hdr; /* of .eh_frame_hdr; 0: none */
	/* symbols.c: the file, once it was needed */
	const char *file;
	size_t file_bytes;
	bool asked, frames_asked;
	uintptr_t frames, frames_end; /* of .eh_frame, where there is no frame_hdr */
	char path[MODULE_PATH_BYTES];
};

struct modules {
	unsigned count;
	struct module list[MODULES_MAX];
};

/** Fills @modules, which is zeroed. Takes the loader's lock for a moment. */
void weft__modules_load(struct modules *modules);

/** Lets the files go. */
void weft__modules_drop(struct modules *modules);

/** The module that an address lies in, or NULL. */
struct module *weft__module_of(struct modules *modules, uintptr_t addr);

/** Its name without directories; "the program" for the executable if nothing better is known. */
const char *weft__module_name(const struct module *module);

#endif

/* SPDX-License-Identifier: MIT
 *
 * symbols.h - names for addresses of code, from the symbol tables of the files.
 */
#ifndef WEFT_DEBUG_SYMBOLS_H
#define WEFT_DEBUG_SYMBOLS_H

#include <debug/modules.h>

/**
 * weft__symbol_text - "function+0x12 (module)"
 * @addr:  in code
 * @exact: false: a return address; the call before it counts
 *
 * A static function has its name when the file was not stripped. Without a name it is
 * "0x1234 (module)", the address as in the file. Maps the file the first time that
 * a module is asked for; no malloc, no lock. Return: length of the text.
 */
size_t weft__symbol_text(struct modules *modules, char *buf, size_t size, uintptr_t addr,
			 bool exact);

/** Finds .eh_frame by the file's section headers: frames and frames_end, or 0. Static
 * programs that are not position-independent have no other way to it. */
void weft__module_find_frames(struct module *module);

#endif

/* SPDX-License-Identifier: MIT
 *
 * cxx.h - C++ exceptions in flight belong to a task, and its language keeps them in
 * the thread: which exceptions are being handled (a stack of them), and how many are on
 * their way. A task that leaves the CPU inside a catch clause, or in a destructor that an
 * exception runs, takes them along.
 *
 * The two words are those of __cxa_get_globals() in the Itanium C++ ABI (2.2.2), which
 * libstdc++ and libc++ share. Without a C++ runtime in the process there is none.
 */
#ifndef WEFT_CORE_CXX_H
#define WEFT_CORE_CXX_H

#include <base/compiler.h>

struct cxx_globals {
	void *caught;
	unsigned uncaught;
};

/** Is there a C++ runtime in this process? */
bool weft__cxx_present(void);

/** Takes the calling thread's, which has none then. False: it had none. */
bool weft__cxx_take(struct cxx_globals *ret_globals);

/** Gives them to the calling thread, which has none. */
void weft__cxx_put(const struct cxx_globals *globals);

#endif

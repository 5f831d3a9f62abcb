/* SPDX-License-Identifier: MIT
 *
 * ticks_cpu.h - the time-stamp counter of i386 is that of x86-64.
 */
#include <arch/x86_64/base/ticks_cpu.h>

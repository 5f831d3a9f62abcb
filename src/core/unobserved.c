/* SPDX-License-Identifier: MIT
 *
 * unobserved.c - what a library without the debug layer has in its place: nobody looks on,
 * whatever the environment asks for.
 */
#include <base/observe.h>
#include <base/trace.h>

void weft__trace_init(void)
{
}

void weft__debug_init(void)
{
}

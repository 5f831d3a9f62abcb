/* SPDX-License-Identifier: MIT
 *
 * version.c - which release is linked, as opposed to which headers were read.
 */
#include <weft/types.h>

const char *weft_version(void)
{
	return WEFT_VERSION;
}

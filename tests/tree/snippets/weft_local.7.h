/* SPDX-License-Identifier: MIT
 *
 * What the code at the head of weft/local.h speaks of.
 */
#include <stdlib.h>

struct request {
	int number;
};

WEFT_LOCAL(struct request, request);

static weft_local_key *key;

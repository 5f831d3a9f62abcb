/* SPDX-License-Identifier: MIT
 *
 * What the code in the comment of weft_foreach() speaks of.
 */
static weft_generator *gen;

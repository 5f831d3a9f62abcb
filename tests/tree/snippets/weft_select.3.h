/* SPDX-License-Identifier: MIT
 *
 * What the code in the comment of weft_select() speaks of.
 */
static weft_chan *jobs, *results;
static int job, result;

/* SPDX-License-Identifier: MIT
 *
 * What the code at the head of weft/actor.h speaks of.
 */
static weft_actor *actor;
static long balance;
static void *answer;

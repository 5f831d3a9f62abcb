/* SPDX-License-Identifier: MIT
 *
 * weft/weft.h - everything.
 */
#ifndef WEFT_H
#define WEFT_H

#include <weft/context.h>
#include <weft/chan.h>
#include <weft/coroutine.h>
#include <weft/debug.h>
#include <weft/hook.h>
#include <weft/io.h>
#include <weft/promise.h>
#include <weft/sync.h>
#include <weft/task.h>
#include <weft/time.h>
#include <weft/types.h>

#endif

/* SPDX-License-Identifier: MIT
 *
 * probe.h - static probes (USDT) for perf, bpftrace, SystemTap and gdb.
 *
 * A probe is a nop and a note that says where it is and where its arguments lie;
 * a tracer puts a breakpoint over the nop. They are there when <sys/sdt.h> was (Debian:
 * systemtap-sdt-dev), which is a header only: no library comes with it. WEFT_NO_PROBES
 * leaves them out. docs/tracing.md lists them.
 */
#ifndef WEFT_BASE_PROBE_H
#define WEFT_BASE_PROBE_H

#if !defined(WEFT_NO_PROBES) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define probe1(name, a)    DTRACE_PROBE1(weft, name, a)
#define probe2(name, a, b) DTRACE_PROBE2(weft, name, a, b)
#endif
#endif

#ifndef probe1
#define probe1(name, a)    ((void)(a))
#define probe2(name, a, b) ((void)(a), (void)(b))
#endif

#endif

/* SPDX-License-Identifier: MIT
 *
 * stdatomic.h - stands in for the compiler's: the types are its own, the operations are
 * steps of a model (model.h). Values pass as 64 bits.
 */
#ifndef WEFT_TESTS_MODEL_STDATOMIC_H
#define WEFT_TESTS_MODEL_STDATOMIC_H

#include_next <stdatomic.h>
#include <string.h>

#include "../model.h"

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit
#undef atomic_thread_fence

/* The type of *p without _Atomic and qualifiers. */
#define MODEL_PLAIN(p) __typeof__((void)0, *(p))

/* The bits of a value of *p's type, and back. */
#define MODEL_BITS(p, value)                                                    \
	({                                                                      \
		MODEL_PLAIN(p) model_plain = (value);                           \
		uint64_t model_raw = 0;                                         \
		__builtin_memcpy(&model_raw, &model_plain, sizeof model_plain); \
		model_raw;                                                      \
	})
#define MODEL_VALUE(p, bits)                                                    \
	({                                                                      \
		uint64_t model_raw = (bits);                                    \
		MODEL_PLAIN(p) model_plain;                                     \
		__builtin_memcpy(&model_plain, &model_raw, sizeof model_plain); \
		model_plain;                                                    \
	})
#define MODEL_AT(p) ((volatile void *)(uintptr_t)(p))

#define atomic_load_explicit(p, order) \
	MODEL_VALUE(p, model_load(MODEL_AT(p), sizeof *(p), (order), #p))
#define atomic_load(p) atomic_load_explicit(p, memory_order_seq_cst)

#define atomic_store_explicit(p, value, order) \
	model_store(MODEL_AT(p), sizeof *(p), MODEL_BITS(p, value), (order), #p)
#define atomic_store(p, value) atomic_store_explicit(p, value, memory_order_seq_cst)

#define atomic_compare_exchange_strong_explicit(p, expected, desired, order, failed)               \
	model_cas(MODEL_AT(p), sizeof *(p), (expected), MODEL_BITS(p, desired), (order), (failed), \
		  #p)
#define atomic_compare_exchange_strong(p, expected, desired)                                \
	atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_seq_cst, \
						memory_order_seq_cst)
/* A weak one never fails for nothing here: it would only go round once more. */
#define atomic_compare_exchange_weak_explicit atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_weak          atomic_compare_exchange_strong

#define MODEL_RMW_OF(p, math, operand, order) \
	MODEL_VALUE(                          \
		p, model_rmw(MODEL_AT(p), sizeof *(p), math, MODEL_BITS(p, operand), (order), #p))
#define atomic_exchange_explicit(p, value, order)  MODEL_RMW_OF(p, MODEL_SET, value, order)
#define atomic_fetch_add_explicit(p, value, order) MODEL_RMW_OF(p, MODEL_ADD, value, order)
#define atomic_fetch_sub_explicit(p, value, order) MODEL_RMW_OF(p, MODEL_SUB, value, order)
#define atomic_fetch_or_explicit(p, value, order)  MODEL_RMW_OF(p, MODEL_OR, value, order)
#define atomic_fetch_and_explicit(p, value, order) MODEL_RMW_OF(p, MODEL_AND, value, order)
#define atomic_exchange(p, value)                  MODEL_RMW_OF(p, MODEL_SET, value, memory_order_seq_cst)
#define atomic_fetch_add(p, value)                 MODEL_RMW_OF(p, MODEL_ADD, value, memory_order_seq_cst)
#define atomic_fetch_sub(p, value)                 MODEL_RMW_OF(p, MODEL_SUB, value, memory_order_seq_cst)
#define atomic_fetch_or(p, value)                  MODEL_RMW_OF(p, MODEL_OR, value, memory_order_seq_cst)
#define atomic_fetch_and(p, value)                 MODEL_RMW_OF(p, MODEL_AND, value, memory_order_seq_cst)

#define atomic_thread_fence(order) model_fence(order)

#endif

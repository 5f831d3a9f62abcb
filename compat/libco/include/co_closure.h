/* SPDX-License-Identifier: MIT
 *
 * co_closure.h - functions with captured variables, as Tencent's libco has them.
 *
 *	co_ref(ref, total, list);          // ref.total and ref.list are references
 *	co_func(job, ref, i)               // the class job keeps copies of ref and i
 *	{
 *		ref.list.push_back(i);
 *	}
 *	co_func_end;
 *	stCoClosure_t *closure = new job(ref, i);
 *	closure->exec();
 *
 * Up to seven variables. Since C++11 a lambda does the same.
 */
#ifndef WEFT_COMPAT_LIBCO_CO_CLOSURE_H
#define WEFT_COMPAT_LIBCO_CO_CLOSURE_H

struct stCoClosure_t {
	virtual ~stCoClosure_t()
	{
	}
	virtual void exec() = 0;
};

#define WEFT_CO_JOIN_(a, b) a##b
#define WEFT_CO_JOIN(a, b)  WEFT_CO_JOIN_(a, b)

/* How many arguments follow the first one. */
#define WEFT_CO_PICK_(_0, _1, _2, _3, _4, _5, _6, _7, n, ...) n
#define WEFT_CO_COUNT(...)                                    WEFT_CO_PICK_(__VA_ARGS__, 7, 6, 5, 4, 3, 2, 1, 0, )

/* macro(x) for each, in a row or (LIST) with commas between. */
#define WEFT_CO_EACH_0(macro)
#define WEFT_CO_EACH_1(macro, x)      macro(x)
#define WEFT_CO_EACH_2(macro, x, ...) macro(x) WEFT_CO_EACH_1(macro, __VA_ARGS__)
#define WEFT_CO_EACH_3(macro, x, ...) macro(x) WEFT_CO_EACH_2(macro, __VA_ARGS__)
#define WEFT_CO_EACH_4(macro, x, ...) macro(x) WEFT_CO_EACH_3(macro, __VA_ARGS__)
#define WEFT_CO_EACH_5(macro, x, ...) macro(x) WEFT_CO_EACH_4(macro, __VA_ARGS__)
#define WEFT_CO_EACH_6(macro, x, ...) macro(x) WEFT_CO_EACH_5(macro, __VA_ARGS__)
#define WEFT_CO_EACH_7(macro, x, ...) macro(x) WEFT_CO_EACH_6(macro, __VA_ARGS__)
#define WEFT_CO_LIST_1(macro, x)      macro(x)
#define WEFT_CO_LIST_2(macro, x, ...) macro(x), WEFT_CO_LIST_1(macro, __VA_ARGS__)
#define WEFT_CO_LIST_3(macro, x, ...) macro(x), WEFT_CO_LIST_2(macro, __VA_ARGS__)
#define WEFT_CO_LIST_4(macro, x, ...) macro(x), WEFT_CO_LIST_3(macro, __VA_ARGS__)
#define WEFT_CO_LIST_5(macro, x, ...) macro(x), WEFT_CO_LIST_4(macro, __VA_ARGS__)
#define WEFT_CO_LIST_6(macro, x, ...) macro(x), WEFT_CO_LIST_5(macro, __VA_ARGS__)
#define WEFT_CO_LIST_7(macro, x, ...) macro(x), WEFT_CO_LIST_6(macro, __VA_ARGS__)

/* In a class that has a member x the variable's type must have a name of its own. */
#define WEFT_CO_TYPE(x)      typedef decltype(x) weft_co_type_of_##x;
#define WEFT_CO_MEMBER(x)    weft_co_type_of_##x x;
#define WEFT_CO_REFERENCE(x) weft_co_type_of_##x &x;
#define WEFT_CO_PARAM(x)     const weft_co_type_of_##x &weft_co_##x
#define WEFT_CO_REF_PARAM(x) weft_co_type_of_##x &weft_co_##x
#define WEFT_CO_INIT(x)      x(weft_co_##x)

/* clang-format off */

/* A constructor with a parameter for each; none when there are none. */
#define WEFT_CO_MAKE_0(name, param)
#define WEFT_CO_MAKE_N(n, name, param, ...)                             \
	name(WEFT_CO_JOIN(WEFT_CO_LIST_, n)(param, __VA_ARGS__))        \
	    : WEFT_CO_JOIN(WEFT_CO_LIST_, n)(WEFT_CO_INIT, __VA_ARGS__) \
	{                                                               \
	}
#define WEFT_CO_MAKE_1(...) WEFT_CO_MAKE_N(1, __VA_ARGS__)
#define WEFT_CO_MAKE_2(...) WEFT_CO_MAKE_N(2, __VA_ARGS__)
#define WEFT_CO_MAKE_3(...) WEFT_CO_MAKE_N(3, __VA_ARGS__)
#define WEFT_CO_MAKE_4(...) WEFT_CO_MAKE_N(4, __VA_ARGS__)
#define WEFT_CO_MAKE_5(...) WEFT_CO_MAKE_N(5, __VA_ARGS__)
#define WEFT_CO_MAKE_6(...) WEFT_CO_MAKE_N(6, __VA_ARGS__)
#define WEFT_CO_MAKE_7(...) WEFT_CO_MAKE_N(7, __VA_ARGS__)

/* WEFT_CO_<kind>_<how many variables> */
#define WEFT_CO_FOR(kind, name, ...) \
	WEFT_CO_JOIN(WEFT_CO_##kind##_, WEFT_CO_COUNT(name, ##__VA_ARGS__))

/** Declares @name, an object whose members refer to the variables. */
#define co_ref(name, ...)                                                       \
	WEFT_CO_FOR(EACH, name, ##__VA_ARGS__)(WEFT_CO_TYPE, ##__VA_ARGS__)     \
	struct type_##name {                                                    \
		WEFT_CO_FOR(EACH, name, ##__VA_ARGS__)(WEFT_CO_REFERENCE, ##__VA_ARGS__) \
		WEFT_CO_FOR(MAKE, name, ##__VA_ARGS__)(type_##name, WEFT_CO_REF_PARAM, ##__VA_ARGS__) \
	} name(__VA_ARGS__);

/** Declares the class @name, a stCoClosure_t with copies of the variables; the body follows. */
#define co_func(name, ...)                                                      \
	WEFT_CO_FOR(EACH, name, ##__VA_ARGS__)(WEFT_CO_TYPE, ##__VA_ARGS__)     \
	struct name : public stCoClosure_t {                                    \
		WEFT_CO_FOR(EACH, name, ##__VA_ARGS__)(WEFT_CO_MEMBER, ##__VA_ARGS__) \
		WEFT_CO_FOR(MAKE, name, ##__VA_ARGS__)(name, WEFT_CO_PARAM, ##__VA_ARGS__) \
		void exec()

#define co_func_end }

/* clang-format on */

#endif

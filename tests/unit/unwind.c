/* SPDX-License-Identifier: MIT
 *
 * unwind.c - tests of walking parked stacks, and of names for what is found there.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <base/log.h>
#include <base/peek.h>
#include <core/coroutine.h>
#include <debug/backtrace.h>
#include <debug/bytes.h>
#include <debug/symbols.h>
#include <weft/coroutine.h>
#include <weft/task.h>

#include "../test.h"

/* One function, one frame. */
#ifdef __clang__
#define noclone noinline
#else
#define noclone __attribute__((__noinline__, __noclone__))
#endif

static struct unwinder *unwinder;

static void init(void)
{
	unwinder = mmap(NULL, sizeof(*unwinder), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(unwinder != MAP_FAILED);
	weft__modules_load(&unwinder->modules);
}

static const char *name_of(uintptr_t pc, bool exact)
{
	static char text[256];

	weft__symbol_text(&unwinder->modules, text, sizeof(text), pc, exact);
	return text;
}

static struct task *task_at(const weft_task *handle)
{
	return tagged_pointer((uintptr_t)handle);
}

static struct backtrace walk(const weft_task *handle)
{
	struct task_view view;
	struct backtrace bt;

	CHECK(weft__task_view(task_at(handle), &view));
	weft__backtrace_task(unwinder, &view, &bt);
	return bt;
}

static bool in_function(uintptr_t pc, const char *name)
{
	const char *text = name_of(pc, false);
	size_t length = strlen(name);

	return strncmp(text, name, length) == 0 && (text[length] == '+' || text[length] == '.');
}

/* The frames of @bt contain those of @names, NULL at the end, in this order and side by
 * side; "*" is any number of others. */
static void check_names(const struct backtrace *bt, const char *const *names)
{
	unsigned at = 0;
	bool any = true;

	for (; *names; names++) {
		if (strcmp(*names, "*") == 0) {
			any = true;
			continue;
		}
		while (any && at < bt->depth && !in_function(bt->pcs[at], *names))
			at++;
		any = false;
		if (at >= bt->depth || !in_function(bt->pcs[at], *names)) {
			for (unsigned i = 0; i < bt->depth; i++)
				test_note(bt->pcs[i] == BACKTRACE_RESUMED_BY
						  ? "--"
						  : name_of(bt->pcs[i], false));
			test_fail_strings(__FILE__, __LINE__, "a frame is missing", *names,
					  at < bt->depth ? name_of(bt->pcs[at], false) : "the end");
		}
		at++;
	}
}
#define CHECK_NAMES(bt, ...) check_names((bt), (const char *const[]){ __VA_ARGS__, NULL })

#define CHECK_ENDS(bt) CHECK_EQ((bt)->end, UNWIND_COMPLETE)

/* --- call chains ------------------------------------------------------------------- */

static volatile int sink;

static noclone int chain_inner(int deep)
{
	volatile char frame[200];

	frame[deep] = 1;
	sink = weft_sleep_until(WEFT_FOREVER);
	return frame[deep];
}

static noclone int chain_middle(int deep)
{
	volatile int result = deep ? chain_middle(deep - 1) : chain_inner(0);

	return result + 1;
}

/* A frame whose size is known at run time only, of aligned locals. */
static noclone int chain_sized(size_t bytes)
{
	volatile char *room = __builtin_alloca(bytes);
	_Alignas(64) volatile char aligned[64];

	/* What other tasks have left on a shared stack is overwritten. */
	memset((char *)room, 1, bytes);
	aligned[0] = 1;
	sink = chain_middle((int)(bytes / 200));
	return room[bytes - 1] + aligned[0];
}

static int chain_outer(void *arg)
{
	sink = chain_sized((size_t)(uintptr_t)arg);
	return 0;
}

/* Each task of a test is another number of calls deep. */
static int spawn_chain(weft_task **ret_task, const weft_attr *attr, int number)
{
	return weft_spawn(ret_task, attr, chain_outer, (void *)(intptr_t)(number * 200 + 1));
}

static void check_chain(const weft_task *task, int number)
{
	struct backtrace bt = walk(task);
	int middles = 0;

	CHECK_NAMES(&bt, "*", "chain_inner", "chain_middle", "*", "chain_sized", "chain_outer");
	CHECK_ENDS(&bt);
	for (unsigned i = 0; i < bt.depth; i++)
		middles += in_function(bt.pcs[i], "chain_middle");
	CHECK_EQ(middles, number + 1);
}

TEST(unwind, a_private_stack)
{
	weft_task *tasks[20];

	init();
	for (int i = 0; i < 20; i++)
		CHECK_EQ(spawn_chain(&tasks[i], NULL, i), 0);
	weft_task_yield();
	for (int i = 0; i < 20; i++)
		check_chain(tasks[i], i);
}

/* As in a static program, which has no table to search. */
TEST(unwind, without_a_search_table)
{
	weft_task *task;
	struct module *program;

	init();
	program = weft__module_of(&unwinder->modules, (uintptr_t)init);
	CHECK(program && program->frame_hdr);
	program->frame_hdr = 0;
	CHECK_EQ(weft_spawn(&task, NULL, chain_outer, (void *)1), 0);
	weft_task_yield();
	check_chain(task, 0);
	CHECK(program->frames < program->frames_end);
}

TEST(unwind, shared_stacks_resident_and_saved)
{
	weft_attr attr = { 0 };
	weft_task *tasks[20];
	int saved = 0;

	init();
	CHECK_EQ(weft_stack_group_new(&attr.shared, 2, 0), 0);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(spawn_chain(&tasks[i], &attr, i), 0);
	weft_task_yield();
	for (int i = 0; i < 20; i++) {
		saved += task_at(tasks[i])->strand.saved != NULL;
		check_chain(tasks[i], i);
	}
	CHECK_EQ(saved, 18);
}

static int yield_always(void *arg)
{
	(void)arg;
	while (weft_task_yield() == 0)
		;
	return 0;
}

TEST(unwind, a_task_that_yielded)
{
	weft_task *task;
	struct backtrace bt;

	init();
	CHECK_EQ(weft_spawn(&task, NULL, yield_always, NULL), 0);
	for (int i = 0; i < 3; i++)
		weft_task_yield();
	bt = walk(task);
	CHECK_NAMES(&bt, "*", "yield_always");
	CHECK_ENDS(&bt);
}

TEST(unwind, a_task_that_never_ran)
{
	weft_task *task;
	struct backtrace bt;

	init();
	CHECK_EQ(weft_spawn(&task, NULL, yield_always, NULL), 0);
	bt = walk(task);
	CHECK_EQ(bt.depth, 0);
	CHECK_EQ(bt.end, UNWIND_NEW);
}

static weft_task *main_handle;
static struct backtrace main_bt;

static int walk_main(void *arg)
{
	(void)arg;
	main_bt = walk(main_handle);
	return 0;
}

static noclone int parks_on_the_threads_own_stack(weft_task *task)
{
	sink = weft_join(task, WEFT_FOREVER, NULL);
	return sink;
}

TEST(unwind, the_main_task)
{
	weft_task *task;

	init();
	CHECK_EQ(weft_spawn(&task, NULL, walk_main, NULL), 0);
	main_handle = weft_self();
	CHECK_EQ(parks_on_the_threads_own_stack(task), 0);
	CHECK_NAMES(&main_bt, "*", "parks_on_the_threads_own_stack", "test_unwind_the_main_task",
		    "*", "main");
}

/* --- coroutines --------------------------------------------------------------------- */

static noclone void *co_inner_body(void *arg, void *value)
{
	(void)arg, (void)value;
	sink = chain_inner(0);
	return NULL;
}

static weft_attr co_attr; /* how they are made */

static noclone void resume_one(weft_coroutine_fn *fn)
{
	weft_coroutine *co;

	CHECK_EQ(weft_coroutine_new(&co, fn, NULL, &co_attr), 0);
	sink = weft_resume(co, NULL, NULL);
}

static noclone void *co_outer_body(void *arg, void *value)
{
	(void)arg, (void)value;
	resume_one(co_inner_body);
	sink = 1;
	return NULL;
}

static int task_with_coroutines(void *arg)
{
	(void)arg;
	resume_one(co_outer_body);
	sink = 2;
	return 0;
}

/* What stands between two stacks: nothing is named so. */
static void check_nested(const weft_task *task)
{
	struct backtrace bt = walk(task);
	unsigned stacks = 1;

	CHECK_NAMES(&bt, "*", "chain_inner", "co_inner_body", "*", "resume_one", "co_outer_body",
		    "*", "resume_one", "task_with_coroutines");
	CHECK_ENDS(&bt);
	for (unsigned i = 0; i < bt.depth; i++)
		stacks += bt.pcs[i] == BACKTRACE_RESUMED_BY;
	CHECK_EQ(stacks, 3);
}

TEST(unwind, coroutines_in_a_task)
{
	weft_task *task;

	init();
	CHECK_EQ(weft_spawn(&task, NULL, task_with_coroutines, NULL), 0);
	weft_task_yield();
	check_nested(task);
}

/* The task's own frames are a copy with a head then. */
TEST(unwind, coroutines_in_a_task_on_a_shared_stack)
{
	weft_attr attr = { 0 };
	weft_task *task;

	init();
	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 0), 0);
	CHECK_EQ(weft_spawn(&task, &attr, task_with_coroutines, NULL), 0);
	weft_task_yield();
	check_nested(task);
	CHECK_EQ(weft_spawn(NULL, &attr, chain_outer, (void *)1), 0);
	weft_task_yield();
	CHECK(task_at(task)->strand.saved != NULL);
	check_nested(task);
}

/* The coroutines' frames are copies; the task steps back to its own stack to park. */
TEST(unwind, coroutines_on_a_shared_stack)
{
	weft_attr attr = { 0 };
	weft_task *task;

	init();
	CHECK_EQ(weft_stack_group_new(&co_attr.shared, 1, 0), 0);
	CHECK_EQ(weft_spawn(&task, NULL, task_with_coroutines, NULL), 0);
	weft_task_yield();
	check_nested(task);

	/* And another task between them, on the same stack. */
	CHECK_EQ(weft_spawn(NULL, &co_attr, chain_outer, (void *)1), 0);
	weft_task_yield();
	check_nested(task);

	/* All of them, task and coroutines, take turns on one. */
	CHECK_EQ(weft_stack_group_new(&attr.shared, 1, 0), 0);
	co_attr = attr;
	CHECK_EQ(weft_spawn(&task, &attr, task_with_coroutines, NULL), 0);
	weft_task_yield();
	check_nested(task);
	CHECK_EQ(weft_spawn(NULL, &attr, chain_outer, (void *)1), 0);
	weft_task_yield();
	check_nested(task);
}

/* --- contexts that are nobody's ---------------------------------------------------------- */

/* All words of a stack may be anything: the walk ends, and does not fault. */
TEST(unwind, garbage)
{
	enum { WORDS = 4096, ROUNDS = 2000 };
	static uintptr_t stack[WORDS];
	uintptr_t pcs[UNWIND_DEPTH];
	struct stack_memory memory;
	uint64_t seed = 1;
	unsigned most = 0;

	init();
	stack_memory_init(&memory, 0, 0, 0, false);
	for (int round = 0; round < ROUNDS; round++) {
		weft_context ctx = { .sp = &stack[WORDS / 2], .bp = &stack[WORDS / 2 + 100] };
		enum unwind_end end;
		unsigned depth;

		for (int i = 0; i < WORDS; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			stack[i] = seed >> 62 ? (uintptr_t)init + (seed >> 33) % 8192
					      : (uintptr_t)(seed >> 16);
		}
		ctx.pc = (char *)(uintptr_t)chain_outer + (seed >> 20) % 4096;
		memory.window_bytes = 0;
		depth = weft__unwind(unwinder, &memory, &ctx, pcs, UNWIND_DEPTH, &end);
		CHECK_LE(depth, UNWIND_DEPTH);
		most = depth > most ? depth : most;
	}
	if (WEFT_SWITCH_INLINE || WEFT_SWITCH_ASM)
		CHECK_GE(most, 2);
}

TEST(unwind, a_stack_that_is_not_there)
{
	weft_context ctx = { .sp = (void *)4096,
			     .bp = (void *)8,
			     .pc = (char *)(uintptr_t)chain_inner + 8 };
	uintptr_t pcs[UNWIND_DEPTH];
	struct stack_memory memory;
	enum unwind_end end;

	init();
	stack_memory_init(&memory, 0, 0, 0, false);
	CHECK_LE(weft__unwind(unwinder, &memory, &ctx, pcs, UNWIND_DEPTH, &end), 2);
	CHECK_EQ(end, UNWIND_LOST);
	ctx.pc = (void *)12345;
	CHECK_LE(weft__unwind(unwinder, &memory, &ctx, pcs, UNWIND_DEPTH, &end), 1);
	CHECK_EQ(end, UNWIND_LOST);
}

static noclone int endless(int n)
{
	sink = n > 100 ? chain_inner(0) : endless(n + 1);
	return sink;
}

static int endless_body(void *arg)
{
	(void)arg;
	return endless(0);
}

TEST(unwind, depth_is_bounded)
{
	weft_task *task;
	struct backtrace bt;

	init();
	CHECK_EQ(weft_spawn(&task, NULL, endless_body, NULL), 0);
	weft_task_yield();
	bt = walk(task);
	CHECK_EQ(bt.depth, UNWIND_DEPTH);
	CHECK_EQ(bt.end, UNWIND_DEEP);
}

/* --- reading with care ------------------------------------------------------------------- */

TEST(peek, what_is_there_and_what_is_not)
{
	char *pages =
		mmap(NULL, 3 * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t hole = (uintptr_t)pages + 65536;
	char text[32];
	uint64_t word = 0;

	CHECK_EQ(mprotect(pages + 65536, 65536, PROT_NONE), 0);
	memcpy(pages + 65536 - 8, "1234567", 8);
	CHECK(weft__peek(&word, hole - 8, 8));
	CHECK(memcmp(&word, "1234567", 8) == 0);
	CHECK(!weft__peek(&word, hole - 4, 8));
	CHECK(!weft__peek(&word, hole, 8));
	CHECK(!weft__peek(&word, hole + 65536 - 1, 2));
	CHECK(!weft__peek(&word, 0, 8));
	CHECK(!weft__peek(&word, 8, 8));
	CHECK(!weft__peek(&word, UINTPTR_MAX - 3, 8));
	CHECK(!weft__peek(&word, (uintptr_t)1 << 62, 8));
	CHECK(weft__peek_string(text, sizeof(text), hole - 8));
	CHECK_STR(text, "1234567");
	/* Not ended by a zero: what can be read of it. */
	pages[65535] = '8';
	CHECK(weft__peek_string(text, sizeof(text), hole - 8));
	CHECK_STR(text, "12345678");
	CHECK(weft__peek_string(text, 4, hole - 8));
	CHECK_STR(text, "123");
	CHECK(!weft__peek_string(text, sizeof(text), hole));
	CHECK_STR(text, "");
}

TEST(bytes, numbers)
{
	static const uint8_t data[] = { 0x12, 0x34, 0xff, 0xff, 0xe5, 0x8e,
					0x26, 0x7f, 0x80, 0x7f, 0x02 };
	struct bytes bytes;

	bytes_init(&bytes, (uintptr_t)data, (uintptr_t)data + sizeof(data));
	CHECK_EQ(weft__bytes_uint(&bytes, 2), 0x3412);
	CHECK_EQ(weft__bytes_int(&bytes, 2), -1);
	CHECK_EQ(weft__bytes_uleb(&bytes), 624485); /* DWARF 4, figure 22 */
	CHECK_EQ(weft__bytes_sleb(&bytes), -1);
	CHECK_EQ(weft__bytes_sleb(&bytes), -128);
	CHECK(bytes_left(&bytes));
	CHECK_EQ(weft__bytes_u8(&bytes), 2);
	CHECK(!bytes_left(&bytes) && !bytes.bad);
	CHECK_EQ(weft__bytes_u8(&bytes), 0);
	CHECK(bytes.bad);
}

/* --- names -------------------------------------------------------------------------------- */

TEST(symbols, static_functions_and_those_of_libraries)
{
	init();
	CHECK(strncmp(name_of((uintptr_t)chain_outer, true), "chain_outer+0x0 (unit-unwind", 24) ==
	      0);
	CHECK(in_function((uintptr_t)chain_outer + 1, "chain_outer"));
	CHECK(strncmp(name_of((uintptr_t)dlsym(RTLD_DEFAULT, "strtoul"), true), "strtou", 6) == 0);
	CHECK(strstr(name_of((uintptr_t)dlsym(RTLD_DEFAULT, "strtoul"), true), "(libc"));
	CHECK_STR(name_of(0x1234, true), "0x1234");
}

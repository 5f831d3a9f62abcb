/* SPDX-License-Identifier: MIT
 *
 * shadow_stack.c - a process with shadow stacks is recognised. No machine is
 * needed that has them: a seccomp filter answers in the kernel's place.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "context_lab.h"

#if defined(__x86_64__)
enum { QUESTION = SYS_arch_prctl, FIRST_ARGUMENT = 0x5005 };
#else
enum { QUESTION = SYS_prctl, FIRST_ARGUMENT = 74 };
#endif

static void answer_enabled(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
#if defined(__x86_64__)
	*(unsigned long *)uc->uc_mcontext.gregs[REG_RSI] = 1;
	uc->uc_mcontext.gregs[REG_RAX] = 0;
#elif defined(__riscv)
	*(unsigned long *)uc->uc_mcontext.__gregs[REG_A0 + 1] = 1;
	uc->uc_mcontext.__gregs[REG_A0] = 0;
#else
	*(unsigned long *)uc->uc_mcontext.regs[1] = 1;
	uc->uc_mcontext.regs[0] = 0;
#endif
}

/* The one question raises SIGSYS; every other call goes on. */
static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, QUESTION, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FIRST_ARGUMENT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = answer_enabled;
	action.sa_flags = SA_SIGINFO;
	CHECK_EQ(sigaction(SIGSYS, &action, NULL), 0);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

TEST(shadow_stack, is_seen_when_it_is_on)
{
	if (install_filter() != 0)
		SKIP("no seccomp filters here");
	CHECK(weft__shadow_stack_active());
	CHECK(weft__shadow_stack_active());
}

/* glibc turns it on for programs that are marked for it; we are not. */
TEST(shadow_stack, is_off_in_this_very_program)
{
	CHECK(!weft__shadow_stack_active());
	CHECK(!weft__shadow_stack_active());
}

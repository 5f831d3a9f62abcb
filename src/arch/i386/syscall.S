/* SPDX-License-Identifier: MIT
 *
 * syscall.S - long weft__syscall6(nr, a, b, c, d, e, f): the system call of i386.
 *
 * Number in eax, arguments in ebx, ecx, edx, esi, edi, ebp; the result is in eax. By the
 * interrupt, which every i386 kernel has.
 */
	.text
	.p2align 4
	.globl	weft__syscall6
	.hidden	weft__syscall6
	.type	weft__syscall6, @function
weft__syscall6:
	.cfi_startproc
	pushl	%ebp
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebp, 0
	pushl	%ebx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebx, 0
	pushl	%esi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset esi, 0
	pushl	%edi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset edi, 0
	movl	20(%esp), %eax
	movl	24(%esp), %ebx
	movl	28(%esp), %ecx
	movl	32(%esp), %edx
	movl	36(%esp), %esi
	movl	40(%esp), %edi
	movl	44(%esp), %ebp
	int	$0x80
	popl	%edi
	.cfi_adjust_cfa_offset -4
	.cfi_restore edi
	popl	%esi
	.cfi_adjust_cfa_offset -4
	.cfi_restore esi
	popl	%ebx
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebx
	popl	%ebp
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebp
	ret
	.cfi_endproc
	.size	weft__syscall6, . - weft__syscall6
	.section .note.GNU-stack, "", @progbits

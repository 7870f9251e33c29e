; context.asm - from one kernel stack to another.
;
; A thread that does not run has on top of its stack: r15 r14 r13 r12 rbx rbp and the
; address to go on at (System V ABI AMD64 3.2.1: the registers that a callee keeps).
; context.c makes a new thread's stack look the same.

%include "kernel/arch/cfi.inc"

section .text

; void context_switch(struct context *from, const struct context *to)
global context_switch
context_switch:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    mov [rdi], rsp
    mov rsp, [rsi]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

; Where a new thread begins: rbx = entry, r12 = its argument, rbp = 0.
global context_start
context_start:
    mov rdi, r12
    call rbx
    ud2                                 ; a thread's entry does not return
.end:
    cfi_outermost context_start, context_start.end

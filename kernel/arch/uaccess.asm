; uaccess.asm - the only instructions that touch user memory.
;
; Each that may fault has a pair (instruction, fix-up) in .ex_table; trap_fixup() sends a
; fault that cannot be mended to the fix-up.  String instructions keep rcx, rsi and rdi
; right up to the element that faulted, so what is left can be counted.
;
; A copy goes by words first.  When a word faults the rest is tried again byte by
; byte, because the bytes before the bad page do move: write(fd, end_of_page - 3, 8)
; is 3, not 0.

%include "kernel/arch/smap.inc"

%macro fixup 2
    [section .ex_table progbits alloc noexec nowrite align=8]
    dq %1, %2
    __?SECT?__
%endmacro

section .text

; size_t uaccess_copy(void *dst, const void *src, size_t n): returns the bytes not moved.
; Four and eight bytes are one access each, so that a word that another thread writes is
; read whole.
global uaccess_copy
uaccess_copy:
    STAC
    cmp rdx, 8
    je .eight
    cmp rdx, 4
    je .four
    mov rcx, rdx
    shr rcx, 3
    and edx, 7
.words:
    rep movsq
    mov ecx, edx
.bytes:
    rep movsb
.fault:
    CLAC
    mov rax, rcx
    ret
.words_fault:
    lea rcx, [rcx * 8 + rdx]
    jmp .bytes
.eight:
    mov rax, [rsi]
.eight_store:
    mov [rdi], rax
    CLAC
    xor eax, eax
    ret
.four:
    mov eax, [rsi]
.four_store:
    mov [rdi], eax
    CLAC
    xor eax, eax
    ret
.one_fault:
    mov rcx, rdx
    jmp .bytes

    fixup .words, .words_fault
    fixup .bytes, .fault
    fixup .eight, .one_fault
    fixup .eight_store, .one_fault
    fixup .four, .one_fault
    fixup .four_store, .one_fault

; size_t uaccess_clear(void *dst, size_t n): returns the bytes not cleared, in whole words.
global uaccess_clear
uaccess_clear:
    STAC
    xor eax, eax
    mov rcx, rsi
    shr rcx, 3
    and esi, 7
.words:
    rep stosq
    mov ecx, esi
.bytes:
    rep stosb
.fault:
    CLAC
    mov rax, rcx
    ret
.words_fault:
    lea rcx, [rcx * 8 + rsi]
    jmp .fault

    fixup .words, .words_fault
    fixup .bytes, .fault

; size_t uaccess_strncpy(char *dst, const char *src, size_t n, bool *fault)
; Copies up to and with the NUL.  Returns the bytes moved, the NUL not counted; n when
; there is no NUL in n bytes.
global uaccess_strncpy
uaccess_strncpy:
    STAC
    xor eax, eax
.next:
    cmp rax, rdx
    je .end
.load:
    mov r8b, [rsi + rax]
    mov [rdi + rax], r8b
    inc rax
    test r8b, r8b
    jnz .next
    dec rax
.end:
    CLAC
    ret
.fault:
    mov byte [rcx], 1
    jmp .end

    fixup .load, .fault

; uint32_t uaccess_cmpxchg(uint32_t *word, uint32_t old, uint32_t new, bool *fault)
; Returns what the word held; it is new now if that was old.
global uaccess_cmpxchg
uaccess_cmpxchg:
    STAC
    mov eax, esi
.exchange:
    lock cmpxchg [rdi], edx
    CLAC
    ret
.fault:
    CLAC
    mov byte [rcx], 1
    ret

    fixup .exchange, .fault

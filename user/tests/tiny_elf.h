/*
 * tiny_elf.h - the smallest ELF program, for tests that start broken ones.
 *
 * One file of one page: header, two program headers, and a few bytes of code that
 * end with exit(42).  A test changes a field and tries to start it.
 */
#pragma once

#include <elf.h>

#include "test.h"

#define TINY_BASE 0x10000000UL

struct tiny {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[2];
    unsigned char code[64];
    unsigned char rest[PAGE - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr) - 64];
};

/* tiny_make - fill in a program that runs this code, read and execute. */
SHARED void
tiny_make(struct tiny *t, const void *code, size_t length)
{
    memset(t, 0, sizeof(*t));
    memcpy(t->eh.e_ident, ELFMAG, SELFMAG);
    t->eh.e_ident[EI_CLASS] = ELFCLASS64;
    t->eh.e_ident[EI_DATA] = ELFDATA2LSB;
    t->eh.e_ident[EI_VERSION] = EV_CURRENT;
    t->eh.e_type = ET_EXEC;
    t->eh.e_machine = EM_X86_64;
    t->eh.e_version = EV_CURRENT;
    t->eh.e_entry = TINY_BASE + offsetof(struct tiny, code);
    t->eh.e_phoff = offsetof(struct tiny, ph);
    t->eh.e_ehsize = sizeof(Elf64_Ehdr);
    t->eh.e_phentsize = sizeof(Elf64_Phdr);
    t->eh.e_phnum = 1;
    t->ph[0] = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_X,
        .p_vaddr = TINY_BASE,
        .p_paddr = TINY_BASE,
        .p_filesz = PAGE,
        .p_memsz = PAGE,
        .p_align = PAGE,
    };
    memcpy(t->code, code, length);
}

/* mov $60,%eax; mov $42,%edi; syscall */
SHARED const unsigned char tiny_exit_42[] = {0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05};

/* tiny_run - write length bytes to "./tiny", start it, return the wait status, or
 * -errno of the exec. */
SHARED int
tiny_run(const struct tiny *t, size_t length)
{
    int answer[2], e = 0;

    unlink("tiny");
    make_file("tiny", t, length);
    MUST(chmod("tiny", 0755));
    MUST(pipe2(answer, O_CLOEXEC));
    pid_t pid = (pid_t)MUST(fork());
    if (pid == 0) {
        char *argv[] = {"tiny", NULL}, *envp[] = {NULL};
        execve("./tiny", argv, envp);
        e = errno;
        MUST(write(answer[1], &e, sizeof(e)));
        _exit(127);
    }
    close(answer[1]);
    ssize_t n = read(answer[0], &e, sizeof(e));
    close(answer[0]);
    int status = reap(pid);
    return n == sizeof(e) ? -e : status;
}

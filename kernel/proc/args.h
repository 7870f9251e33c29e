/*
 * args.h - the strings that a new program gets: collected from the old one,
 * laid out on the new stack.
 */
#pragma once

#include "kernel/lib/types.h"

struct elf_image;

/*
 * Collected strings, back to back with their NULs: arguments, then environment,
 * then the name of the program.
 */
struct args {
    char **pages; /* table of pages that hold them */
    size_t len;   /* bytes in all */
    size_t limit; /* E2BIG beyond, the pointers counted */
    unsigned argc, envc;
};

int args_init(struct args *a, uint64_t stack_limit) MUST_CHECK;
void args_free(struct args *a);

/* Adds one string from the kernel. -E2BIG, -ENOMEM. */
int args_add(struct args *a, const char *s) MUST_CHECK;

/*
 * args_add_user - add the strings of a NULL-terminated user array.
 * @array: user address; 0 counts as empty.  @skip: leave out the first so many.
 * Returns: how many were added, or -EFAULT, -E2BIG, -ENOMEM.
 */
int args_add_user(struct args *a, vaddr_t array, unsigned skip) MUST_CHECK;

/* What goes into the auxiliary vector. */
struct start_info {
    const struct elf_image *program;
    vaddr_t interpreter_base; /* AT_BASE, 0: none */
    vaddr_t stack_top;        /* strings end here */
    const struct cred *cred;  /* in whose name it will act */
    bool secure;              /* AT_SECURE: set-user-ID or set-group-ID */
};

/*
 * args_layout - write strings, auxv, envp, argv and argc to the current space's stack.
 * Source: System V ABI AMD64 3.4.1 "Initial Stack and Register State".
 * @sp: receives the stack pointer, 16-byte aligned.
 * Also sets space->arg_start and the like.
 * Returns: 0, or -ENOMEM: the stack could not be written.
 */
int args_layout(const struct args *a, const struct start_info *info, vaddr_t *sp) MUST_CHECK;

/*
 * elf.h - mapping an ELF program into an address space.
 */
#pragma once

#include "kernel/abi/elf.h"

struct file;

/* What exec must know about a program that was mapped. */
struct elf_image {
    vaddr_t entry;      /* first instruction */
    vaddr_t base;       /* what was added to the addresses in the file */
    vaddr_t start, end; /* lowest and highest address used */
    vaddr_t code_start, code_end;
    vaddr_t phdr; /* where the program headers are in memory, 0: nowhere */
    uint16_t phnum;
    bool exec_stack;
    char *interpreter; /* kmalloc'ed path of PT_INTERP, or NULL */
};

/* Where a position-independent image goes. */
enum elf_place { ELF_PROGRAM, ELF_INTERPRETER };

/*
 * elf_load - map @f into the current thread's space.
 *
 * Nothing is read but the headers: pages come by faults.
 * @pie_base: for ELF_PROGRAM of type ET_DYN.  An interpreter goes among the mappings.
 * @head, @n: the first bytes of the file.
 * Sleeps.  Returns: 0, or -ENOEXEC (not an ELF file for this machine, or a broken one),
 *          -ENOMEM, -EIO; the space may hold a part of it then.
 */
int elf_load(struct file *f, const void *head, size_t n, enum elf_place place, vaddr_t pie_base,
             struct elf_image *img) MUST_CHECK;

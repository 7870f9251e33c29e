/*
 * exec_bad_elf.c - broken programs are refused or die; they never run and never harm.
 *
 * Where Linux notices too late to return an errno it kills the process; a kernel may
 * also say ENOEXEC or ENOMEM in time.  Both count as "refused".  What is checked
 * before the old program is gone must be the same errno.
 */
#include "tiny_elf.h"

static struct tiny t;

static void
refused(const char *what, size_t length)
{
    int r = tiny_run(&t, length);

    if (r < 0)
        say("%s: refused\n", what);
    else if (WIFSIGNALED(r))
        say("%s: refused\n", what);
    else
        show_status(what, r);
    tiny_make(&t, tiny_exit_42, sizeof(tiny_exit_42));
}

static void
exact(const char *what, size_t length)
{
    int r = tiny_run(&t, length);

    if (r < 0)
        say("%s: %s\n", what, errno_name(-r));
    else
        show_status(what, r);
    tiny_make(&t, tiny_exit_42, sizeof(tiny_exit_42));
}

static void
headers(void)
{
    exact("as it should be", sizeof(t));
    exact("empty", 0);
    exact("one byte", 1);
    exact("half a header", 32);
    exact("header alone", sizeof(Elf64_Ehdr));
    t.eh.e_ident[0] = 0;
    exact("bad magic", sizeof(t));
    t.eh.e_machine = EM_AARCH64;
    exact("another machine", sizeof(t));
    t.eh.e_type = ET_REL;
    exact("an object file", sizeof(t));
    t.eh.e_type = ET_CORE;
    exact("a core file", sizeof(t));
    t.eh.e_phnum = 0;
    exact("no program headers", sizeof(t));
    t.eh.e_phnum = 65535;
    exact("65535 program headers", sizeof(t));
    t.eh.e_phentsize = 1;
    exact("program headers of one byte", sizeof(t));
    t.eh.e_phoff = 1UL << 40;
    refused("program headers far behind the end", sizeof(t));
    t.eh.e_phoff = -64UL;
    refused("program headers at a negative offset", sizeof(t));
    t.eh.e_phoff = PAGE - 10;
    refused("program headers over the end", sizeof(t));
}

static void
segments(void)
{
    t.ph[0].p_vaddr = 0xffff800000000000;
    refused("loaded to the kernel half", sizeof(t));
    t.ph[0].p_vaddr = -PAGE;
    refused("loaded to the last page", sizeof(t));
    t.ph[0].p_vaddr = 0x800000000000;
    refused("loaded where no address is", sizeof(t));
    t.ph[0].p_vaddr = 0x7ffffffff000;
    refused("loaded to the top of user space", sizeof(t));
    t.ph[0].p_memsz = -1UL;
    refused("as large as everything", sizeof(t));
    t.ph[0].p_memsz = 1UL << 47;
    refused("as large as user space", sizeof(t));
    t.ph[0].p_memsz = 10;
    refused("larger in the file than in memory", sizeof(t));
    t.ph[0].p_filesz = t.ph[0].p_memsz = -PAGE;
    refused("as large as everything in the file", sizeof(t));
    t.ph[0].p_offset = 8;
    refused("offset and address do not fit", sizeof(t));
    t.ph[0].p_offset = 1UL << 62;
    refused("far behind the end of the file", sizeof(t));
    t.eh.e_entry = 0xffffffff80000000;
    refused("entry in the kernel", sizeof(t));
    t.eh.e_entry = 0xdead00000000beef;
    refused("entry at no address", sizeof(t));
    t.eh.e_entry = 0;
    refused("entry at 0", sizeof(t));
    t.ph[0].p_flags = PF_R;
    refused("code that may not run", sizeof(t));
    t.ph[0].p_flags = 0;
    refused("code without rights", sizeof(t));
}

static void
interpreter(const char *what, const char *name, size_t length)
{
    t.eh.e_phnum = 2;
    t.ph[1] = (Elf64_Phdr){
        .p_type = PT_INTERP,
        .p_offset = offsetof(struct tiny, rest),
        .p_filesz = length,
        .p_memsz = length,
    };
    memcpy(t.rest, name, strlen(name) + 1);
    exact(what, sizeof(t));
}

int
main(void)
{
    tiny_make(&t, tiny_exit_42, sizeof(tiny_exit_42));
    headers();
    segments();
    interpreter("interpreter that is not there", "./nobody", 9);
    interpreter("interpreter that is a directory", "/", 2);
    interpreter("interpreter without a name", "", 0);
    interpreter("interpreter without an end", "aaaaaaaa", 8);
    interpreter("interpreter with a huge name", "a", 1UL << 30);
    static const char text[200] = "#! nothing";
    make_file("text", text, sizeof(text));
    MUST(chmod("text", 0755));
    interpreter("interpreter that is no ELF", "./text", 7);
    exact("and after all that a good one", sizeof(t));
    return finish();
}

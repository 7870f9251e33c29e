"""The classic mistakes, planted one at a time: each ends in the message that docs/debugging.md has for it."""
import re
from pathlib import Path

import pytest
from test_planted import BUGS, SMALL, SWAP, Bug, plant, trees  # noqa: F401  (fixtures)

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "fork_copies_on_write"
GETPID = "int64_t\nsys_getpid(const uint64_t a[6])\n{\n"
LOAD = "    write_cr3(pt != NULL ? pt->root"
FREE_ROOT = "    frame_free(frame_of(pt->root));\n"
HANDLER = "    vaddr_t va = read_cr2();\n"
DIRTY = "    if ((e.bits & PTE_D) && f->owner == FRAME_ANON)\n        f->dirty = true;\n"
SYSCALL = "    swapgs\n    mov [gs:CPU_USER_RSP], rsp\n"
CLEANUP = "    kfree(x->path);\n    file_put(x->file);\n    file_put(x->script);\n    kfree(x);\n"
SPACE_LOCK = "    mutex_lock(&s->lock);\n    enum fault_result result = judge"
DEEP = ("static int64_t\ndeep(int n)\n{\n    volatile char room[256];\n\n    room[n % 256] = 1;\n"
        "    return n > 0 ? deep(n - 1) + room[n % 256] : 0;\n}\n\n")


def in_getpid(first, before=""):
    """A mistake that the first getpid() of a program brings out."""
    return Bug("kernel/sys/process.c", GETPID, f"{before}{GETPID}{first}", PROGRAM, "")


def twice(file, text):
    return Bug(file, text, text + text, PROGRAM, "")


# What the table calls the cause -> the mistake.
MISTAKES = {
    "bad CR3": Bug("mm/pagetable.c", LOAD, LOAD + " + PAGE_SIZE", PROGRAM, ""),
    "unmapped IDT": Bug("kernel/arch/vectors.c", ".base = (uint64_t)idt",
                        ".base = (uint64_t)idt + (1 << 30)", PROGRAM, ""),
    "null handler": Bug("kernel/proc/usertrap.c", "trap_set_handler(TRAP_PF, on_page_fault)",
                        "trap_set_handler(TRAP_PF, true ? NULL : on_page_fault)", PROGRAM, ""),
    "recursive fault": Bug("kernel/proc/usertrap.c", HANDLER,
                           "    volatile int *nothing = (void *)(tf->vector - TRAP_PF + 8);\n\n    *nothing = 1;\n"
                           + HANDLER, PROGRAM, ""),
    "swapgs": Bug("kernel/arch/entry.asm", SYSCALL, SYSCALL.replace("    swapgs\n", ""), PROGRAM, ""),
    "null pointer": in_getpid("    if (*(volatile int *)((uint64_t)current_task()->tid << 4) == 1)\n"
                              "        return 1;\n"),
    "stack overflow": in_getpid("    if (deep(1000) == 1)\n        return 0;\n", DEEP),
    "double free": twice("mm/pagetable.c", FREE_ROOT),
    "use after free": Bug("kernel/proc/exec.c", CLEANUP, "    kfree(x);\n" + CLEANUP.replace("    kfree(x);\n", ""),
                          PROGRAM, "", debug=True),
    "reference count": Bug("mm/clone.c", "            anon_get(to[k]);\n", "", PROGRAM, ""),
    "stale TLB": BUGS["tables"],
    "lost dirty bit": Bug("mm/rmap.c", DIRTY, "", SWAP, "", SMALL, debug=True),
    "deadlock with itself, spin lock": in_getpid("    spin_lock(&proc_lock);\n    spin_lock(&proc_lock);\n"),
    "deadlock with itself, mutex": Bug("mm/fault.c", SPACE_LOCK, "    mutex_lock(&s->lock);\n" + SPACE_LOCK,
                                       PROGRAM, ""),
    "lost wake-up": BUGS["sleepers"],
    "hang": in_getpid('    __asm__ volatile("cli; hlt");\n'),
}


def rows():
    """[(what is said as a pattern, the cause without marks)] of the page's table."""
    page = (ROOT / "docs" / "debugging.md").read_text(encoding="utf-8")
    lines = page[page.index("| what is said |"):].splitlines()[2:]
    cells = [re.match(r"\| `([^`]+)` \| (.+?) \| ", line).groups() for line in lines if line.startswith("|")]
    return [(as_pattern(said), cause.replace("**", "")) for said, cause in cells]


def as_pattern(said):
    """A message, in which ... and numbers may be any."""
    parts = [re.sub(r"(?:0x)?\d+", r"[0-9a-fx]+", re.escape(part)) for part in said.split("...")]
    return ".*?".join(parts)


def test_every_row_is_tried():
    """Each mistake has its row, and the other way round."""
    causes = [cause for _, cause in rows()]
    assert len(causes) == len(MISTAKES)
    for name in MISTAKES:
        assert sum(cause.startswith(name) for cause in causes) == 1, name


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(plant, name):  # noqa: F811  pylint: disable=redefined-outer-name
    """The mistake is said as the table says, and by no other row of it."""
    run = plant(MISTAKES[name], 2 if name in ("stale TLB", "lost wake-up") else 1)
    assert run.status in (124, 126), f"nothing noticed it: status {run.status}\n{run.err}"
    said = run.err + run.log
    fitting = [cause for pattern, cause in rows() if re.search(pattern, said)]
    assert len(fitting) == 1 and fitting[0].startswith(name), f"{fitting}\n{said[-4000:]}"

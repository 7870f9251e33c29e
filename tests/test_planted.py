"""Bugs planted one at a time into a copy of the kernel: each must be noticed by the test or check named beside it.

A bug is a piece of text and what stands there instead; that the text is not found any more is an error.
"""
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("boot", "kernel", "mm", "tools", "linker.ld", "Makefile")
CHECK = {"append": "tlbcheck"}
RANDOM = {"append": "tlbcheck policy=random"}  # the others take few pages that a processor remembers
SMALL = {"mem": "20M", "swap": "64M"}
SWAP = "tlb_swap 24 60000"


@dataclass(frozen=True)
class Bug:
    """In @file, @new instead of @old; @program then says something that fits @sign, on the machine of @options.

    Some show themselves by chance only: under one of the first @seeds seeds, which is always the same.
    """

    file: str
    old: str
    new: str
    program: str
    sign: str
    options: dict = field(default_factory=dict)
    debug: bool = False
    seeds: int = 1


def no_flush(file, before, program, sign, change="b.cpus = 0", seeds=1, **options):
    """The tlb_flush behind @before asks nobody to forget."""
    return Bug(file, before, f"{before}    {change};\n", program, sign, options, seeds=seeds)


NOTICED = "PANIC: tlbcheck: .* while CPU [01] may remember the entry"
USED_AGAIN = "PANIC: tlbcheck: an entry is used again while CPU [01] may remember the entry"
HANDED_OUT = "PANIC: tlbcheck: a frame is handed out again while CPU [01] may remember the entry"

UNMAP = "        region_cut(s, r, from, to, dead);\n        r = next;\n    }\n"
PROTECT = "            reduce_entries(s, r, &b);\n        }\n"
GIVE_UP = "            space_drop_private(s, from, to, &b);\n    }\n"
MOVE = "    rmap_remove_range(s, m->from, m->from + m->old_len, &b);\n"
FORK = "        if (err != 0)\n            break;\n    }\n"
CUT = "            if (f->pins == 0)\n                tlb_batch_free(&b, f);\n        }\n    }\n"
CUT_COPIES = "                space_drop_private(s, r->start + keep, r->end, &b);\n        }\n"
WRITE_BACK = "        frames[n++] = f;\n    }\n"
SETTLE = "    struct departure *d = &departures[t->collecting];\n\n"
TABLES = "        tlb_batch_free(b, f);\n    }\n"

BUGS = {
    # A flush that is missing: what a program sees of it, and what tlbcheck says.
    "munmap": no_flush("mm/space.c", UNMAP, "tlb_munmap", "FAILED  neither thread can read them"),
    "mprotect": no_flush("mm/mmap.c", PROTECT, "tlb_mprotect", "FAILED  neither thread can store to them"),
    "fork": no_flush("mm/clone.c", FORK, "tlb_fork", NOTICED, **CHECK),
    "mremap": no_flush("mm/mremap.c", MOVE, "tlb_mremap", "FAILED  they are gone from the old place"),
    "madvise": no_flush("mm/mmap.c", GIVE_UP, "tlb_madvise", "FAILED  both see what there should be"),
    "truncate": no_flush("mm/object.c", CUT, "tlb_truncate", "FAILED  both get SIGBUS"),
    "truncate-copies": no_flush("mm/space.c", CUT_COPIES, "tlb_truncate", "FAILED  both get SIGBUS"),
    "write-back": no_flush("mm/object.c", WRITE_BACK, "tlb_msync", "FAILED  the last store is kept"),
    "swap-out": no_flush("mm/reclaim.c", SETTLE, SWAP, "FAILED  (this thread|the other one|and it is all)",
                         "t->tlb.cpus = 0", append="policy=random", seeds=32, **SMALL),
    "swap-out-checked": no_flush("mm/reclaim.c", SETTLE, SWAP, NOTICED, "t->tlb.cpus = 0", **SMALL, **RANDOM),
    "tables": no_flush("mm/space.c", TABLES, "tlb_tables", NOTICED, "b->cpus = 0", **CHECK),
    "cow": Bug("mm/rmap.c", "        rmap_remove(s, va, e, b);\n        /*",
               "        rmap_remove(s, va, e, b);\n        b->cpus = 0;\n        /*", "tlb_cow",
               "FAILED  what one stores, the other sees"),
    "cow-late": Bug("mm/rmap.c", "        tlb_flush(b);\n", "", "tlb_cow", USED_AGAIN, CHECK),
    "accessed": Bug("mm/rmap.c", "(void)entry_change(s, va, e, PTE_A, 0, b);",
                    "(void)pte_clear_bits(e, PTE_A), (void)s, (void)va, (void)b;", "tlb_accessed",
                    "FAILED  what is used again is seen to be"),
    "stacks": Bug("mm/tlb.c", "    if (cpu_count == 1)\n        return;\n", "    return;\n", "tlb_stacks",
                  HANDED_OUT, CHECK),
    "here": Bug("mm/tlb.c", "    if (b->cpus & me)\n        forget_batch(b);\n", "", "tlb_munmap", NOTICED,
                {"cpus": 1, **CHECK}),
    "elsewhere": Bug("mm/tlb.c", "    if (b->cpus & ~me) {", "    if (false) {", "tlb_munmap",
                     "FAILED  neither thread can read them"),
    "many-pages": Bug("mm/tlb.c", "        b->all = true;\n        return;\n", "        return;\n", "tlb_munmap",
                      "FAILED  neither thread can read them"),
    "message-ignored": Bug("mm/tlb.c", "        forget_batch(mailbox.batch);\n    else", "        (void)0;\n    else",
                        "tlb_munmap", NOTICED, CHECK),
    # A lock that is missing.
    "vm_lock": Bug("mm/fault.c", "        mutex_lock(&vm_lock);\n        result = demand_page(f);",
                   "        result = demand_page(f);", "tlb_cow", r"PANIC: assertion failed: .*mutex_held\(&vm_lock\)"),
    "run-queue": Bug("kernel/sched/thread.c", "thread_wake(struct thread *t)\n{\n    sched_lock(t);\n",
                     "thread_wake(struct thread *t)\n{\n", "tlb_cow", r"PANIC: assertion failed: spin_held\("),
    "sleepers": Bug("kernel/sched/mutex.c", "unlikely(__atomic_load_n(&m->sleepers, __ATOMIC_SEQ_CST) != 0)",
                    "false", "tlb_stacks", "every processor was idle", {"timeout": 30}, seeds=3),
    "futex-looks-first": Bug(
        "kernel/proc/futex.c", "    spin_lock(&futex_lock);\n    list_push_back(bucket(w.key), &w.link);\n"
        "    spin_unlock(&futex_lock);\n\n    err = copy_from_user(&now, addr, sizeof(now));\n",
        "    err = copy_from_user(&now, addr, sizeof(now));\n    spin_lock(&futex_lock);\n"
        "    list_push_back(bucket(w.key), &w.link);\n    spin_unlock(&futex_lock);\n", "futex_turns 30000",
        "every processor was idle", {"timeout": 30}, seeds=3),
    # A look that is missing, and the time in which it matters.
    "page-that-went": Bug("kernel/fs/ext2_file.c",
                          "    mutex_lock(&ei->map_lock);\n    if (fill != NULL && READ_ONCE(fill->object) == NULL) {",
                          "    for (volatile int k = 0; fill != NULL && k < 100000; k++)\n        ;\n"
                          "    mutex_lock(&ei->map_lock);\n    if (false) {", "threads_truncate",
                          "FAILED  zeros and what was stored", {"cpus": 4, "mem": "64M"}, seeds=3),
    # What the debug kernel watches.
    "order": Bug("mm/fault.c", "        count_kinds(s, 1U << FAULT_REFUSED);",
                 "        mutex_lock(&s->lock);\n        count_kinds(s, 1U << FAULT_REFUSED);\n"
                 "        mutex_unlock(&s->lock);", "tlb_munmap",
                 r'PANIC: lock order: .* while "vm_lock" is held', {}, True),
    "sleep": Bug("kernel/proc/futex.c", "    int done = wake_locked(key, n, bits);\n",
                 "    static struct waitq never = WAITQ_INIT(never);\n    wait_event(&never, key.offset == 0);\n"
                 "    int done = wake_locked(key, n, bits);\n", "threads_meet",
                 'PANIC: lock order: .* while "futex" is held', {}, True),
    "user-access": Bug("kernel/proc/futex.c", "    int done = wake_locked(key, n, bits);\n",
                       "    uint32_t now;\n    n += copy_from_user(&now, addr, sizeof(now));\n"
                       "    int done = wake_locked(key, n, bits);\n", "threads_meet",
                       'PANIC: lock order: .* while "futex" is held', {}, True),
}


class Tree:
    """A copy of the kernel's sources and objects; planted() builds it with a bug, and leaves it without."""

    def __init__(self, folder, build):
        self.folder, self.build = folder, folder / "build"
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, folder / name)
        left_out = shutil.ignore_patterns("runs", "root*", "user", "iso*", "debug", "*.iso")
        shutil.copytree(build, self.build, ignore=left_out)
        for name in ("root.img", "root"):
            (self.build / name).symlink_to(Path(os.environ.get("VITRINE_BUILD") or ROOT / "build") / name)

    def planted(self, bug):
        """Build with the bug in it."""
        source = self.folder / bug.file
        good = source.read_text(encoding="utf-8")
        assert good.count(bug.old) == 1, f"{bug.file} has the text {good.count(bug.old)} times:\n{bug.old}"
        source.write_text(good.replace(bug.old, bug.new), encoding="utf-8")
        try:
            make = ["make", "-s", "-C", str(self.folder), f"B={self.build}", "kernel"]
            make += ["DEBUG=1"] * bug.debug
            done = subprocess.run(make, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        finally:
            source.write_text(good, encoding="utf-8")  # newer than its object: it will be compiled again


@pytest.fixture(scope="session")
def trees(request, built, tmp_path_factory):
    """tree(debug) -> a Tree, made when it is first wanted."""
    made = {}

    def tree(debug):
        if debug not in made:
            build = request.getfixturevalue("debug_built") if debug else built
            made[debug] = Tree(tmp_path_factory.mktemp("planted"), Path(build))
        return made[debug]

    return tree


@pytest.fixture
def plant(trees, vm, monkeypatch):
    """plant(bug, cpus) -> the first run with it that does not end well, or else the last one."""
    def run_with(bug, cpus):
        tree = trees(bug.debug)
        tree.planted(bug)
        monkeypatch.setenv("VITRINE_BUILD", str(tree.build))
        monkeypatch.delenv("DEBUG", raising=False)
        program, *words = bug.program.split()
        for seed in range(1, bug.seeds + 1):
            machine = {"cpus": cpus, "timeout": 120, "seed": seed, "realtime": False, **bug.options}
            run = vm([f"/tests/{program}", *words], **machine)
            if run.status != 0:
                break
        return run

    return run_with


@pytest.mark.parametrize("name", BUGS)
def test_planted(plant, name):
    """The bug is noticed, and not by something else."""
    run = plant(BUGS[name], 2)
    said = run.out + run.err + run.log
    assert run.status != 0, f"nothing noticed it\n{said}"
    assert re.search(BUGS[name].sign, said), f"not what was to be noticed, {BUGS[name].sign}:\n{said[-4000:]}"


def test_late_processors(plant):
    """If none is waited for, each comes while another is started, and all of them are well or halt."""
    hurry = Bug("kernel/arch/ap.c", "clock_now() - since < time;", "clock_now() - since < 0 * time;", "threads_cond",
                sign="", seeds=6)
    run = plant(hurry, 8).ok()
    assert "does not start" in run.log

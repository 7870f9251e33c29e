"""What the lab pgtbl is judged by: every entry of every table, as the processor finds them from CR3.

The tables are walked here, on the host, in the machine's RAM, and held against a model: which pages the program has
touched by then, and with which rights.  labs/pgtbl/programs/pgtbl.c says what happens before each checkpoint.
"""
import struct

from vitrine.memory import ACCESSED, ADDRESS, DIRTY, LARGE, NO_EXECUTE, PAGE, PRESENT, USER, WRITE, BadAddress, pt_span
from vitrine.state import KMALLOC, PAGETABLE

TESTED = range(1 << 39, 121 << 39)  # where the program has nothing but what the test puts there
LEVELS, KERNEL, HALF = 4, 0xFFFF << 48, 256
PROCESSOR = ACCESSED | DIRTY  # what it sets itself


class Tables:
    """All tables below a root, of one half; what is wrong with any of them is noted."""

    def __init__(self, look, space, kernel=False):
        self.look, self.ram, self.kernel = look, space.ram, kernel
        self.used = {}  # {physical address of a table: entries in use}
        self.levels = {}  # {physical address of a table: its level}
        self.entries = {}  # {address: (level, entry)}
        self._below(space.root, LEVELS, KERNEL if kernel else 0)

    def _below(self, table, level, base):
        if not self.look.expect(table not in self.used, f"the frame {table >> 12} is two tables at once"):
            return
        words = struct.unpack("<512Q", self.ram.read(table, PAGE))
        those = range(HALF, 512) if level == LEVELS and self.kernel else range(HALF if level == LEVELS else 512)
        self.levels[table] = level
        self.used[table] = sum(words[i] & PRESENT for i in those)
        for i in those:
            if words[i] & PRESENT:
                self._entry(words[i], level, base + i * pt_span(level))
            else:
                self.look.expect(not words[i], f"garbage in a table of level {level}: entry {i} is {words[i]:#x}")

    def _entry(self, entry, level, va):
        if self.kernel:
            self.look.expect(not entry & USER, f"{va:#x} is the kernel's, but an entry of level {level} is the user's")
        else:
            self.look.expect(entry & USER, f"{va:#x} is a program's, but the entry of level {level} keeps it out")
        if level == 1 or entry & LARGE:
            self.entries[va] = level, entry
            return
        self.look.expect(entry & WRITE and not entry & NO_EXECUTE,
                         f"{va:#x}: the entry of level {level} takes rights from all pages below")
        try:
            self._below(entry & ADDRESS, level - 1, va)
        except BadAddress as error:
            self.look.expect(False, f"{va:#x}: the entry of level {level} leads astray: {error}")


def same_kernel(look, ram, root, state):
    """The kernel's half of a root is the kernel's own."""
    look.expect(ram.read(root + PAGE // 2, PAGE // 2) == ram.read(state.kernel.root + PAGE // 2, PAGE // 2),
                "the kernel's half of a space is not that of the kernel's own table")


def user_tables(look, space):
    """The user half of a space, which must be sound and counted; ({address: entry}, State)."""
    state, tables = look.invariants(), Tables(look, space)
    same_kernel(look, space.ram, space.root, state)
    for table, used in tables.used.items():
        level = tables.levels[table]
        look.expect(state.owner(table >> 12) == PAGETABLE, f"a table of level {level} is in a frame that is no table's")
        counted = state.frames[table >> 12].used
        look.expect(counted == used, f"a table of level {level} has {used} entries in use, {counted} are counted")
        look.expect(used or level == LEVELS, f"an empty table of level {level} is still there")
    known = [s.view.pt.tables for s in state.spaces if s.root == space.root]
    look.expect(known == [len(tables.used)], f"a space has {len(tables.used)} tables, {known} are counted")
    return {va: entry for va, (_, entry) in tables.entries.items()}, state


def tables_in_frames(state):
    """The frames that are tables."""
    return [number for number in state.frames if state.owner(number) == PAGETABLE]


# --- before any program runs -----------------------------------------------------------------------------

def kernel(look):
    """The kernel's own table, when it has just been built."""
    own = look.at_kernel("apic_init")
    state = look.state(early=True)
    symbols, tables = state.kernel.symbols, Tables(look, own, kernel=True)
    look.expect(not any(own.ram.read(own.root, PAGE // 2)), "the kernel's table maps something in the user half")
    ends = [symbols[name] for name in ("kernel_start", "kernel_text_end", "kernel_rodata_end", "kernel_end")]
    for va in range(ends[0], ends[3], PAGE):
        level, entry = tables.entries.get(va, (1, 0))
        if va == symbols["boot_stack_guard"]:
            look.expect(not entry, "the guard page of the boot stack is mapped")
            continue
        rights = 0 if va < ends[1] else NO_EXECUTE if va < ends[2] else NO_EXECUTE | WRITE
        look.expect(level == 1 and entry & ADDRESS == va - state.kernel.image and
                    entry & (WRITE | NO_EXECUTE) == rights, f"the kernel's image is not where it belongs: {va:#x}")
    for pa in range(0, own.ram.size, 2 << 20):
        level, entry = tables.entries.get(state.kernel.direct + pa, (0, 0))
        look.expect(level == 2 and entry & ADDRESS == pa, f"the direct map does not have {pa:#x} at its place")
    both = [va for va, (_, entry) in tables.entries.items() if entry & WRITE and not entry & NO_EXECUTE]
    look.expect(not both, f"{len(both)} pages of the kernel may be written and executed")


def space(look):
    """The table of the first space, before anything is mapped in it."""
    ram = look.at_kernel("aslr_draw").ram
    state = look.state(early=True)
    if not look.expect(len(state.spaces) == 1, f"there are {len(state.spaces)} spaces, not one"):
        return
    made = state.spaces[0]
    look.expect(not any(ram.read(made.root, PAGE // 2)), "a new space is not empty")
    same_kernel(look, ram, made.root, state)
    look.expect(state.owner(made.root >> 12) == PAGETABLE, "the root is in a frame that is no table's")
    look.expect(made.view.pt.tables == 1, f"a new space has 1 table, {made.view.pt.tables} are counted")
    look.expect(made.root != state.kernel.root, "a new space has the kernel's own table")


def first_fork(look):
    """All that must hold when a process has a child for the first time: there may be no program later."""
    user_tables(look, look.at_kernel("process_enter_family"))


def first(look):
    """The first process, before its first instruction: what exec() put on its stack."""
    entries, state = user_tables(look, look.at_kernel("trap_return_to_user"))
    look.expect(entries, "nothing is mapped for the first process")
    look.expect(all(state.owner((entry & ADDRESS) >> 12) != KMALLOC for entry in entries.values()),
                "the first process is shown the kernel's memory")


# --- a program -------------------------------------------------------------------------------------------

def model(look, stop, there, seed=0):
    """The tested part of a space has these of its places mapped, with their bytes, and nothing else; the entries."""
    start, count = stop.args[0:2]
    places = stop.words(start, count)
    entries, state = user_tables(look, stop)
    found = {va: entry for va, entry in entries.items() if va in TESTED}
    wanted = {places[k]: k for k in range(count) if there(k)}
    look.expect_pages([k for va, k in wanted.items() if va not in found], count, "pages are not mapped")
    strange = [va for va in found if va not in wanted]
    look.expect(not strange, f"{len(strange)} pages are mapped that should not be" +
                (f", the first at {strange[0]:#x}" if strange else ""))
    byte = (look.seed + seed) * 2654435761
    wrong = [k for va, k in wanted.items() if va in found and
             stop.read(va, PAGE) != bytes([(byte + k * 40503 & 0xFFFFFFFF) >> 9 & 0xFF | 1]) * PAGE]
    look.expect_pages(wrong, count, "pages hold other bytes than were stored")
    unlike = [k for va, k in wanted.items() if va in found and
              found[va] & ~ADDRESS != PRESENT | WRITE | USER | PROCESSOR | NO_EXECUTE]
    look.expect_pages(unlike, count, "pages have other bits than they should")
    return found, state


def nothing(_k):
    return False


def everything(_k):
    return True


def come_and_go(look):
    """Places far apart are mapped, unmapped one by one and all at once, and mapped again."""
    first_fork(look)
    before = model(look, look.at(1), nothing)[1]
    full, state = model(look, look.at(2), everything)
    look.expect(len(tables_in_frames(state)) > len(tables_in_frames(before)) + 20, "the places share tables")
    left, _ = model(look, look.at(3), lambda k: not look.chosen(k))
    look.expect(all(full.get(va) == entry for va, entry in left.items()), "neighbours of what went have changed")
    _, after = model(look, look.at(4), nothing)
    freed(look, before, after, "when all was unmapped")
    model(look, look.at(5), everything, 1)


def freed(look, before, after, when):
    """There are as many tables as there were."""
    more = len(tables_in_frames(after)) - len(tables_in_frames(before))
    look.expect(not more, f"{when} there are {more} tables more than before")


def protect(look):
    """Rights are taken and given; all else of an entry stays, and the neighbours stay whole."""
    first_fork(look)
    before = look.at(1)
    start, pages = before.args[0:2]
    old = before.entries(start, pages)
    chosen = [k for k in range(pages) if look.chosen(k)]
    look.expect_pages([k for k in range(pages) if old[k] & (PROCESSOR | WRITE) != PROCESSOR | WRITE], pages,
                      "pages that were stored to are not writable, accessed and dirty")
    new = look.at(2).entries(start, pages)
    changes(look, old, new, {k: old[k] & ~WRITE for k in chosen}, "mprotect(PROT_READ)")
    look.invariants()
    stop = look.at(3)
    new = stop.entries(start, pages)
    changes(look, old, new, {}, "mprotect(PROT_READ | PROT_WRITE) and a store")
    seed = look.seed + 1
    wrong = look.not_filled(stop, start, chosen, lambda k: (seed * 2654435761 + k * 40503 & 0xFFFFFFFF) >> 9 & 0xFF | 1)
    look.expect_pages(wrong, pages, "a store after mprotect() was lost")
    new = look.at(4).entries(start, pages)
    others = {k: old[k] & ~WRITE & ~NO_EXECUTE for k in range(pages) if k not in chosen}
    changes(look, old, new, others, "mprotect(PROT_READ | PROT_EXEC)")
    user_tables(look, look.stops[-1])


def changes(look, old, new, wanted, what):
    """These entries have become what is wanted; all others are as before."""
    for k, entry in wanted.items():
        lost = entry & ~new[k]
        look.expect(not new[k] & ~entry & WRITE, f"after {what} a page may still be written")
        look.expect(not lost & PROCESSOR, f"after {what} an entry has lost its A or D bit")
        look.expect(not (new[k] ^ entry) & NO_EXECUTE, f"after {what} an entry has a wrong NX bit")
        look.expect(new[k] & ADDRESS == entry & ADDRESS, f"after {what} an entry has another frame")
    unlike = [k for k in range(len(old)) if new[k] != wanted.get(k, old[k])]
    look.expect_pages(unlike, len(old), f"after {what} entries are not what they should be")


def children(look):
    """Spaces come and go, and their tables with them."""
    first_fork(look)
    before = model(look, look.at(1), nothing)[1]
    for n in range(2, 6):
        model(look, look.at(n), everything, n)
    after = model(look, look.at(6), nothing)[1]
    freed(look, before, after, "when the children had ended")


# --- the picture -----------------------------------------------------------------------------------------

def picture(look):
    """The tables of a space, as a tree of their entries in use, before and after most is unmapped."""
    def tree(stop):
        tables = Tables(look, stop)
        counts = [[tables.used[t] for t in tables.used if tables.levels[t] == level] for level in (4, 3, 2, 1)]
        return [f"  level {level}: {len(row):3} tables, with {' '.join(map(str, row))} entries"
                for level, row in zip((4, 3, 2, 1), counts)]
    lines = []
    for number, when in ((1, "before"), (2, "24 pages, far apart"), (3, "a third unmapped"), (4, "all unmapped")):
        lines += [f"{when}:", *tree(look.at(number))]
    return lines

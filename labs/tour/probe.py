"""What the lab tour is judged by: the student's answers, held against a machine that was booted by their number.

It is the boot that the student has looked at, of the same disk and seed, so its frames and tables are the same, too.
What is right comes from the page tables, and the kernel's structures and trace; no answer stands in the tree.
"""
import tomllib
from dataclasses import dataclass, field

from vitrine import glass, memory as ram, trace
from vitrine.lab import grade
from vitrine.lab.look import Over
from vitrine.memory import ADDRESS, PAGE
from vitrine.state import ZERO

ANSWERS = "labs/tour/answers.toml"
EIGHT = 8
KIB, ZEROS = "four times as many", "with the pages of zeros among them"
NO_OFFSET, NO_BITS, REVERSED = "the beginning of its page", "without the bits of an entry", "the other way round"
FRAME_AT = "an address, not the number of a frame"


@dataclass
class Answer:
    """What is right, and common mistakes: (what one answers then, what it is)."""

    right: object
    slips: list = field(default_factory=list)

    def told(self, given):
        """What was answered, and what it was mistaken for if that can be told."""
        slip = next((f", {what}" for wrong, what in self.slips if given == wrong), "")
        return (hex(given) if isinstance(given, int) and given > 0xfff else repr(given)) + slip


def judge(look, step, name, truth):
    """Hold the answers of a step against what truth() finds in the run: {key: Answer}."""
    try:
        answers = tomllib.loads(look.files[ANSWERS])
    except tomllib.TOMLDecodeError as error:
        raise Over(f"{ANSWERS} cannot be read: {error}") from error
    mine, number = answers.get(name), answers.get("number")
    if number != grade.number_of(look.files):
        raise Over(f"{ANSWERS} cannot be read: number is {number!r}, which is not one of up to nine digits")
    if not number or not isinstance(mine, dict) or not any(mine.values()):
        look.not_yet(step)
        return
    for key, answer in truth(look).items():
        look.expect(key in mine and mine[key] == answer.right,
                    f"[{name}] in {ANSWERS}: {key} is not {answer.told(mine.get(key))}")


def stops(look, last):
    """The stops up to @last, the first at index 1."""
    return [None, *(look.at(number) for number in range(1, last + 1))]


def space_of(look, stop):
    """The kernel's structures at a stop, and the address space there."""
    state = look.state()
    return state, next(space for space in state.spaces if space.root == stop.root & ADDRESS)


# --- step 1: what a program has --------------------------------------------------------------------------

def memory_there(look):
    stop = look.at(1)
    state, space = space_of(look, stop)
    region = space.region_at(stop.args[0])
    there = [state.owner((entry & ADDRESS) >> 12) for _, entry, _ in space.pages_of(region) if entry]
    size, zeros = (region.end - region.start) // PAGE, there.count(ZERO)
    own = len(there) - zeros
    counts = dict(zip(glass.fault_names(state), space.view.faults.kind))
    return {"start": Answer(region.start), "pages": Answer(size, [(4 * size, KIB)]),
            "resident": Answer(own, [(4 * own, KIB), (len(there), ZEROS)]),
            "zero": Answer(counts["zero"]), "new": Answer(counts["new"])}


def memory(look):
    """Region, pages and faults at the first stop."""
    judge(look, 1, "memory", memory_there)


# --- step 2: a page fault --------------------------------------------------------------------------------

def fault_there(look):
    address = stops(look, 3)[2].args[0]
    found = trace.read(look.state().kernel)
    last = [event for event in found.events if event.kind == "fault" and event.fields["address"] == address][-1]
    error = last.fields["error"]
    (kind,) = found.schema.names("fault", last.fields["kinds"])
    return {"address": Answer(address, [(address & -PAGE, NO_OFFSET)]), "error": Answer(error),
            "function": Answer("store" if error & 2 else "load"), "kind": Answer(kind)}


def fault(look):
    """The fault between the second stop and the third, by the kernel's trace."""
    judge(look, 2, "fault", fault_there)


# --- step 3: from an address to its frame ----------------------------------------------------------------

def walk_there(look):
    stop = stops(look, 3)[3]
    address = stop.args[0]
    levels = ram.walk(stop.ram, stop.root & ADDRESS, address)
    indices, entries = [index for _, index, _ in levels], [entry for _, _, entry in levels]
    physical = (entries[-1] & ADDRESS) + address % PAGE
    return {"root": Answer(stop.root & ADDRESS), "indices": Answer(indices, [(indices[::-1], REVERSED)]),
            "entries": Answer(entries, [(entries[::-1], REVERSED),
                                        ([entry & ADDRESS for entry in entries], NO_BITS)]),
            "physical": Answer(physical, [(physical & -PAGE, NO_OFFSET)]), "value": Answer(stop.words(address, 1)[0])}


def walk(look):
    """The walk of an address at the third stop."""
    judge(look, 3, "walk", walk_there)


# --- step 4: before and after a store --------------------------------------------------------------------

def from_1(pages):
    return [page + 1 for page in pages], "counted from 1"


def store_there(look):
    before = stops(look, 4)[4]
    eight = before.args[0]
    state, entries = look.state(), before.entries(eight, EIGHT)
    owners = [state.owner((entry & ADDRESS) >> 12) if entry else None for entry in entries]
    none = [page for page, entry in enumerate(entries) if not entry]
    zeros = [page for page, owner in enumerate(owners) if owner == ZERO]
    own = [page for page in range(EIGHT) if page not in none + zeros]
    after = look.at(5).entries(eight, EIGHT)
    changed = next(page for page in range(EIGHT) if after[page] != entries[page])
    return {"none": Answer(none, [from_1(none)]), "zeros": Answer(zeros, [from_1(zeros)]),
            "own": Answer(own, [(sorted(own + zeros), ZEROS), from_1(own)]), "changed": Answer(changed),
            "entry": Answer(after[changed], [(after[changed] & ADDRESS, NO_BITS)])}


def store(look):
    """Eight entries at the fourth stop and at the fifth."""
    judge(look, 4, "store", store_there)


# --- step 5: two processes, one frame --------------------------------------------------------------------

def fork_there(look):
    *_, parent, child = stops(look, 6)
    ours, theirs = (stop.frames(parent.args[0], EIGHT) for stop in (parent, child))
    copied = [page for page in range(EIGHT) if ours[page] != theirs[page]]
    shared = [page for page in range(EIGHT) if page not in copied]
    first = copied[0]
    return {"copied": Answer(copied, [(shared, "those that are shared"), from_1(copied)]),
            "parent": Answer(ours[first], [(ours[first] << 12, FRAME_AT)]),
            "child": Answer(theirs[first], [(theirs[first] << 12, FRAME_AT)])}


def fork(look):
    """The frames of a child and its parent at the sixth stop."""
    judge(look, 5, "fork", fork_there)


# --- the picture -----------------------------------------------------------------------------------------

def way(who, stop, address):
    """A walk in a line: the tables with the places in them, the frame, and w where a store is allowed."""
    line, table = f"{who:<20}", stop.root & ADDRESS
    for _, index, entry in ram.walk(stop.ram, table, address):
        line += f"{table:#9x} [{index:>3}] ->"
        table = entry & ADDRESS
    return f"{line} frame {table >> 12}{' w' if stop.writable(address & -PAGE, 1) else ''}"


def picture(look):
    """The way to a page of the stack, which nobody is asked for, in a parent and its child."""
    before = stops(look, 5)[5]
    _, space = space_of(look, before)
    stack = next(region for region in space.regions if space.label(region) == "[stack]")
    address = next(va for va in space.entries if va >= stack.start)
    lines = [f"address {address:#x}", way("before fork", before, address)]
    child = look.at(6)
    return [*lines, way("parent, after fork", before, address), way("child, after fork", child, address)]

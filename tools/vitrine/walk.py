"""One address of a program: the walk that the processor does, and what an access there would come to.

The sentences follow demand.c, cow.c and stack.c: what a fault does is known from the regions, the private pages and
the objects alone, for the page table is only a cache.
"""
from . import memory
from .memory import ADDRESS, LARGE, NO_EXECUTE, PAGE, PRESENT
from .state import EXEC, READ, WRITE, region_rights

GUARD_GAP = 256 * PAGE
BITS = ((memory.WRITE, "writable", "read-only"), (memory.USER, "user", "kernel"),
        (NO_EXECUTE, "no-execute", "executable"), (memory.ACCESSED, "accessed", ""), (memory.DIRTY, "dirty", ""),
        (LARGE, "large", ""), (memory.LOCKED, "locked", ""))
NAMES = {4: "PML4E", 3: "PDPTE", 2: "PDE", 1: "PTE"}


def decode(entry, level):
    """The bits of an entry in words."""
    if not entry & PRESENT:
        return ["not present"]
    last = level == 1 or entry & LARGE
    return [word for bit, yes, no in BITS if (word := yes if entry & bit else no)
            and (last or bit not in (memory.DIRTY, LARGE))]


def levels(kernel, root, va):
    """The walk as a list of dicts, the root's level first."""
    return [{"level": level, "name": NAMES[level], "index": index, "entry": entry, "bits": decode(entry, level),
             "address": entry & ADDRESS & -memory.pt_span(level) if level == 1 or entry & LARGE else entry & ADDRESS}
            for level, index, entry in memory.walk(kernel.ram, root, va)]


class Place:
    """An address in a space, with all that decides what an access means."""

    def __init__(self, state, space, va):
        self.state, self.space, self.va = state, space, va
        self.region = space.region_at(va)
        self.entry = space.entries.get(va & -PAGE, 0)
        self.index = self.region.offset + (va - self.region.start) // PAGE if self.region else 0
        self.anon = self._anon()

    def _anon(self):
        """(refs, slot, frame) of the page, whoever names it; None: it has none."""
        address = self.space.private.get(self.va >> 12)
        region = self.region
        if region is not None and region.object is not None and not address and self.is_memory(region.object):
            address = dict(self.state.kernel.radix(region.object.pages)).get(self.index)
        return self.state.anon(address) if address else None

    def is_memory(self, view):
        """True for shared memory, whose pages are anons; False for a file."""
        return view.kind == self.state.kernel.enums["object_kind"]["OBJECT_SHM"]

    def where(self):
        """Where the page's bytes are."""
        if self.entry:
            number = (self.entry & ADDRESS) >> 12
            owner = (self.state.owner(number) or "no frame").replace("FRAME_", "").lower()
            return f"frame {number} ({owner})"
        if self.anon and self.anon.frame:
            return f"frame {self.state.number(self.anon.frame)}, not mapped here at the moment"
        if self.anon:
            return f"swap: {self.state.slot_name(self.anon.slot)}"
        return "nowhere yet" if self.region else "nowhere"

    def outcome(self, access):
        """A sentence: what an access (READ, WRITE, EXEC) would come to."""
        if self.va >= memory.USER_TOP:
            return "SIGSEGV: no program may use that address"
        if self.region is None:
            return self._beside(access)
        if not self.region.prot & access and not (access == READ and self.region.prot):
            return f"SIGSEGV: the region does not allow it ({region_rights(self.region)})"
        if self.entry and not (access == WRITE and not self.entry & memory.WRITE
                               or access == EXEC and self.entry & NO_EXECUTE):
            return f"no fault: goes to frame {(self.entry & ADDRESS) >> 12}"
        return "a fault: " + (self._shared(access) if self.region.shared else self._private(access))

    def _beside(self, access):
        """Outside of every region: a stack above may grow."""
        above = next((r for r in self.space.regions if r.end > self.va), None)
        below = [r for r in self.space.regions if r.end <= self.va]
        start = self.va & -PAGE
        if above is None or not above.grows_down or above.end - start > self.space.view.stack_limit:
            return "SIGSEGV: nothing is mapped there"
        if below and below[-1].prot and start - below[-1].end < GUARD_GAP:
            return "SIGSEGV: the stack may not grow into the gap that guards it"
        if not above.prot & access:
            return f"SIGSEGV: the stack would grow down to it, and does not allow it ({region_rights(above)})"
        return "a fault: the stack grows down to it, and its new page is zeros"

    def _private(self, access):
        if self.anon is None:
            return self._source(access)
        refs = self.anon.refs
        first = "" if self.anon.frame else f"the page is read from {self.state.slot_name(self.anon.slot)}, then "
        if access != WRITE:
            return (first + "its entry is made" if first else "the page is in memory, only its entry is missing")
        if refs > 1:
            return f"{first}the page is copied, for {refs} spaces share it (copy-on-write)"
        return first + ("it may be written at once" if first else
                        "nobody shares the page (any more): it gets its write right, and is not copied")

    def _source(self, access):
        """A private page without bytes of its own: a file's, or zeros."""
        view = self.region.object
        if view is None:
            return ("it gets a new frame of zeros" if access == WRITE else
                    "the frame of zeros is mapped, read-only, until somebody writes")
        found = self._object_page(view)
        if found.startswith("SIGBUS") or access != WRITE:
            return found
        return f"{found}, and copied: the file does not change"

    def _shared(self, access):
        found = self._object_page(self.region.object)
        if access == WRITE and not self.is_memory(self.region.object) and not found.startswith("SIGBUS"):
            return f"{found}, for writing, and the page is dirty from then on"
        return found

    def _object_page(self, view):
        name = self.state.object_name(view)
        if self.index >= (view.size + PAGE - 1) // PAGE:
            return f"SIGBUS: page {self.index} is beyond the end of {name}"
        if self.is_memory(view):
            if self.anon is None:
                return "shared memory gets a new frame of zeros there"
            if not self.anon.frame:
                return f"the page is read from {self.state.slot_name(self.anon.slot)}"
            return f"frame {self.state.number(self.anon.frame)} of the shared memory is mapped"
        frame = dict(self.state.kernel.radix(view.pages)).get(self.index)
        if frame is None:
            return f"page {self.index} of {name} is read from the disk"
        return f"frame {self.state.number(frame)}, page {self.index} of {name}, is mapped"


def explain_kernel(state, root, va, by_kernel):
    """The same of an address in the kernel's half; `by_kernel`: the kernel itself wants to go there."""
    found = levels(state.kernel, root, va)
    pa, entries = memory.translate(state.kernel.ram, root, va), [level["entry"] for level in found]
    writable, executable = all(e & memory.WRITE for e in entries), not any(e & NO_EXECUTE for e in entries)
    sentences = {"read": True, "write": writable, "fetch": executable}
    for verb, allowed in sentences.items():
        if not by_kernel:
            sentences[verb] = "SIGSEGV: only the kernel may use that address"
        elif pa is None:
            sentences[verb] = "a panic: nothing is mapped there"
        else:
            sentences[verb] = "no fault" if allowed else "a panic: its entry does not allow it"
    where = "nowhere" if pa is None else f"physical address {pa:#x}, frame {pa >> 12}"
    return {"address": va, "root": root, "levels": found, "where": where, "region": None, **sentences}


def explain(state, space, va):
    """All about an address, as `vm walk` shows it."""
    place = Place(state, space, va)
    region = place.region
    return {"address": va, "root": space.root, "levels": levels(state.kernel, space.root, va), "where": place.where(),
            "region": region and {"start": region.start, "end": region.end, "rights": region_rights(region),
                                  "name": space.label(region)},
            "read": place.outcome(READ), "write": place.outcome(WRITE), "fetch": place.outcome(EXEC)}

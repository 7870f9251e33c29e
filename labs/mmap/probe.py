"""What the lab mmap is judged by: regions against a model, page tables against regions, the disk's own bytes.

Every function goes through one run of a program; labs/mmap/programs/ says what happens before each checkpoint.
"""
import contextlib
import mmap
import os
import struct
from collections import namedtuple

from vitrine.lab.look import Over
from vitrine.memory import PAGE
from vitrine.state import OBJECT, WRITE, ZERO

BOTTOM, TOP = 0x10000, (1 << 47) - PAGE  # where a program may have memory
GAP = 256 * PAGE  # below a stack
FIXED, LOW = 0x10, 0x40  # flags of mmap(): MAP_FIXED, MAP_32BIT
GROWS_DOWN = 0x100
NOTHING, ANON, FILE_PRIVATE, FILE_SHARED = range(4)

Page = namedtuple("Page", "kind prot marked byte index")  # struct page of window.h


def space_of(look, stop):
    """The kernel's structures of the address space at a stop."""
    return next(space for space in look.invariants().spaces if space.root == stop.root)


def remembers(look):
    """The processors have forgotten what changed (the boot option tlbcheck counts)."""
    state = look.state()
    count = state.kernel.variable("mm/tlbcheck.c:nrecords")
    look.expect(not count, f"the processor still remembers {count} entries as they were before the call")


# --- placement -------------------------------------------------------------------------------------------

def highest(regions, length, low, high):
    """The highest address in [low, high) that has room; 0: none.  `regions`: (start, end, grows down)."""
    found, free = 0, 0
    for start, end, grows_down in sorted(regions) + [(TOP, TOP, False)]:
        to = min(start - GAP if grows_down else start, high)
        if to - max(free, low) >= length:
            found = to - length
        free = end
    return found


def wanted(regions, call, base):
    """Where a mapping has to go."""
    _, length, address, flags = call
    if flags & FIXED:
        return address
    wish = address & -PAGE
    if BOTTOM <= wish <= TOP - length and highest(regions, length, wish, wish + length) == wish:
        return wish
    return highest(regions, length, BOTTOM, 1 << 31 if flags & LOW else base)


def why(regions, call, got, want):
    """What is wrong with an address, in words; a diagnosis goes by them."""
    _, length, address, flags = call
    if got >= 1 << 63:
        return "was refused"
    if any(start < got + length and got < end for start, end, _ in regions):
        return "was put over what was there"
    if any(down and start - GAP < got + length and got < start for start, _, down in regions):
        return "is too close to a stack"
    if want == address & -PAGE:
        return "is not where the program wished, which is free"
    if flags & LOW and got + length > 1 << 31:
        return "is above 2 GiB, despite MAP_32BIT"
    return "is too low" if got < want else "is too high"


def place(look):
    """Each mapping is where the rules want it, given those before."""
    space = space_of(look, look.at(1))
    base = space.view.mmap_base
    regions = [(r.start, r.end, r.grows_down) for r in space.regions]
    stop = look.at(2)
    start, count, _ = stop.args
    words = stop.words(start, 4 * count)
    for call in zip(words[0::4], words[1::4], words[2::4], words[3::4]):
        got, length, address, flags = call
        if not flags:
            regions = [r for r in regions if r[0] != address]
            continue
        want = wanted(regions, call, base)
        look.expect(got == want, f"a mapping of {length // PAGE} pages{f', wished at {address:#x},' * bool(address)} "
                                 f"{why(regions, call, got, want)}: it is at {got:#x}, not at {want:#x}")
        regions.append((got, got + length, bool(flags & GROWS_DOWN)))
    covered = {page for r in space_of(look, stop).regions for page in range(r.start, r.end, PAGE)}
    model = {page for start, end, _ in regions for page in range(start, end, PAGE) if end < TOP}
    look.expect(covered == model, f"{len(covered ^ model)} pages are mapped that should not be, or the other way round")


# --- the window ------------------------------------------------------------------------------------------

def model_of(stop):
    """What each page of the window should be."""
    data = stop.read(stop.args[2], 64 * 8)
    return [Page(*fields) for fields in struct.iter_unpack("<BBBBI", data)]


def as_told(look, stop, when, merged=True):
    """Regions, entries and bytes of the window are what the model says; the Space."""
    space, start, pages = space_of(look, stop), stop.args[0], model_of(stop)
    found = [space.region_at(start + k * PAGE) for k in range(len(pages))]

    def expect(sentence, wrong):
        look.expect_pages([k for k, page in enumerate(pages) if wrong(k, page, found[k])], len(pages),
                          f"{when}: {sentence}")

    expect("a page has no region, and should have one", lambda k, page, r: page.kind != NOTHING and r is None)
    expect("a page is still in a region", lambda k, page, r: page.kind == NOTHING and r is not None)
    expect("a region has other rights", lambda k, page, r: page.kind and r and r.prot != page.prot)
    expect("a region is marked, or not, as its page should not be",
           lambda k, page, r: page.kind and r and r.view.dont_dump != page.marked)
    expect("a region is of another kind", lambda k, page, r: page.kind and r and
           (r.shared, r.object is not None) != (page.kind == FILE_SHARED, page.kind != ANON))
    expect("a region shows another page of the file", lambda k, page, r: page.kind > ANON and r and
           r.object and r.offset + (start + k * PAGE - r.start) // PAGE != page.index)
    if merged:
        neighbours(look, space, start, len(pages), when)
    entries_fit(look, stop, space, pages, when)
    return space


def alike(low, high):
    """Two neighbours that one region could describe."""
    same = all(getattr(low, name) == getattr(high, name) for name in ("prot", "shared", "grows_down", "heap", "locked"))
    marks = all(getattr(low.view, name) == getattr(high.view, name) for name in
                ("max_prot", "dont_dump", "dont_fork", "wipe_on_fork", "promise"))
    return (low.end == high.start and same and marks and low.object == high.object and
            (low.object is None or low.offset + (low.end - low.start) // PAGE == high.offset))


def neighbours(look, space, start, pages, when):
    """No two neighbours of the window could be one."""
    inside = [r for r in space.regions if start <= r.start < start + pages * PAGE]
    apart = [low for low, high in zip(inside, inside[1:]) if alike(low, high)]
    look.expect(not apart, f"{when}: neighbours that are alike are still two regions: {len(apart)} times")


def entries_fit(look, stop, space, pages, when):
    """The page table allows no more than the regions, and leads to the right bytes."""
    start, state = stop.args[0], space.state
    frames, writable = stop.frames(start, len(pages)), set(stop.writable(start, len(pages)))
    mapped = [k for k, frame in enumerate(frames) if frame is not None]

    def expect(sentence, bad):
        look.expect_pages(bad, len(pages), f"{when}: {sentence}")

    expect("a page that is unmapped still has an entry", [k for k in mapped if pages[k].kind == NOTHING])
    expect("a page of PROT_NONE has an entry", [k for k in mapped if pages[k].kind and not pages[k].prot])
    expect("an entry allows to write, and the region does not",
           [k for k in mapped if k in writable and not pages[k].prot & WRITE and pages[k].prot])
    expect("an entry allows to write to the frame of zeros", [k for k in writable if state.owner(frames[k]) == ZERO])
    expect("it is another page of the file", [k for k in mapped if pages[k].kind > ANON and
                                              state.owner(frames[k]) == OBJECT and
                                              state.frames[frames[k]].index != pages[k].index])
    expect("a page has other bytes", [k for k in mapped if pages[k].kind and pages[k].prot and
                                      stop.read(start + k * PAGE, PAGE) != bytes([pages[k].byte]) * PAGE])
    kept = [k for k, page in enumerate(pages) if page.kind == NOTHING and start // PAGE + k in space.private]
    expect("a private page that was unmapped is kept", kept)


def references(space):
    """How often the window's file is counted, and how many regions show it."""
    view = next(r.object for r in space.regions if r.object and r.start >> 44 == 2)
    return view.refs, sum(r.object == view for r in space.regions)


def split(look):
    """A region that is cut describes the same pages."""
    refs, regions = references(as_told(look, look.at(1), "before", False))
    after = references(as_told(look, look.at(2), "after the cuts", False))
    look.expect(after[0] - after[1] == refs - regions,
                f"{after[1] - regions} regions more show the file, and it is counted {after[0] - refs} times more")
    as_told(look, look.at(3), "when every page was read", False)


def merge(look):
    """What is alike is one, what is not is not."""
    for number, when in enumerate(("pieces of memory", "pieces of a file", "unlike pieces", "after advice",
                                   "when the advice was taken back"), 1):
        space = as_told(look, look.at(number), when)
        refs, regions = (references(space) if number > 1 else (0, 0))
        before = refs - regions if number < 3 else before
        look.expect(refs - regions == before, f"{when}: the file is counted {refs - regions - before:+} times more "
                                              "than regions show it")


def unmap(look):
    """Regions, pages and tables are gone where they should be, and nowhere else."""
    for number, when in ((1, "before"), (2, "after munmap()"), (3, "when what is left was read"),
                         (4, "after mappings over others")):
        space = as_told(look, look.at(number), when, False)
        remembers(look)
    tables = len(space.tables)
    left = len(space_of(look, look.at(5)).tables) - tables
    look.expect(left <= 0, f"pages far apart were unmapped, and {left} tables more than before are still there")
    as_told(look, look.at(6), "when new memory was used", False)


def protect(look):
    """Rights are taken at once, given with care, and for all of a range or none."""
    for number, when in ((1, "before"), (2, "with fewer rights"), (3, "with the rights back"), (4, "after stores")):
        as_told(look, look.at(number), when, False)
        remembers(look)
    refusals(look, 5, "mprotect() of a range with a hole, or with pages that may never be written to")


def refusals(look, number, what):
    """Calls that have to fail have failed, and changed nothing."""
    stop = look.at(number)
    wrong = stop.args[1]
    look.expect(not wrong, f"{what}: {wrong} calls were not answered as they should be")
    as_told(look, stop, "after calls that are refused", False)


def limit(look):
    """At the limit of regions nothing is done by halves."""
    as_told(look, look.at(1), "before", False)
    refusals(look, 2, "at the limit of regions")


def chance(look):
    """Any calls in any order."""
    for number in range(1, 13):
        as_told(look, look.at(number), f"after {12 * number} calls by chance")


# --- shared files ----------------------------------------------------------------------------------------

def byte(look, plus, k):
    """byte_of(seed + plus, k) of labs/lab.h."""
    return ((look.seed + plus) * 2654435761 + k * 40503 & 0xFFFFFFFF) >> 9 & 0xFF | 1


def one_frame(look, frames, others, what):
    bad = [k for k, (one, other) in enumerate(zip(frames, others)) if None not in (one, other) and one != other]
    look.expect_pages(bad, len(frames), f"{what} has other frames")


def dirty(look, state, frames, expected):
    """Of the file's frames those are dirty that were stored to: that is what will be written."""
    marked = [bool(state.frames[frame].dirty) if frame in state.frames else None for frame in frames]
    look.expect_pages([k for k in expected if not marked[k]], len(frames),
                      "a page of the file was stored to, and is not marked dirty")
    look.expect_pages([k for k, mark in enumerate(marked) if mark and k not in expected], len(frames),
                      "a page of the file that nobody stored to is marked dirty")


def share(look):
    """Processes that map a file shared have its frames; private stores have their own."""
    parent = look.at(1)
    start, count, _ = parent.args
    frames, mine = parent.frames(start, count), [k for k in range(count) if look.chosen(k)]
    state = look.invariants()
    look.expect_pages([k for k in mine if state.owner(frames[k]) != OBJECT], count,
                      "a shared store went into a page of the process's own, not into the file's")
    dirty(look, state, frames, mine)
    look.expect_pages([k for k in parent.writable(start, count) if k not in mine], count,
                      "a page of the file that was only read may be written to, before anything notes it")
    child = look.at(2)
    shared, skip, own = child.args
    one_frame(look, frames[skip:], child.frames(shared, count - skip), "the child, which maps the same file,")
    stored = [k for k in range(count) if k in mine or k >= skip]
    dirty(look, look.invariants(), frames, stored)

    def holds(k):
        return byte(look, 1 if k in mine else 2 if k >= skip else 0, k)

    look.expect_pages(look.not_filled(parent, start, range(count), holds), count,
                      "the parent does not see what the child stored")
    child = look.at(3)
    look.expect_pages([k for k, frame in enumerate(child.frames(own, count - skip)) if frame in frames], count - skip,
                      "a private store went into the file's page")
    look.expect_pages(look.not_filled(child, own, range(count - skip), lambda k: byte(look, 3, k)), count - skip,
                      "a private page does not hold what was stored")
    look.expect_pages(look.not_filled(parent, start, range(count), holds), count, "a private store is seen by others")
    one_frame(look, frames, look.at(4).frames(start, count), "the parent, when the child has ended,")
    look.invariants()
    no_file(look)


def no_file(look):
    """Shared memory without a file."""
    child = look.at(5)
    start, count, _ = child.args
    frames = child.frames(start, count)
    last = look.at(6)
    mine = [k for k in range(count) if look.chosen(k)]
    bad = look.not_filled(last, start, range(count), lambda k: byte(look, 1 if k in mine else 2, k))
    look.expect_pages([k for k in bad if last.entry(start + k * PAGE)], count,
                      "shared memory without a file does not hold what parent and child stored")
    one_frame(look, frames, last.frames(start, count), "the parent of a child with which it shares memory")


# --- the disk --------------------------------------------------------------------------------------------

FILE_PAGES, SKIP, COUNT = 40, 4, 36
FROM, TO, RUN, RUN_END = 6, 30, 10, 16  # as in mmap_write.c
POISON = b"nobody should have written here " * (PAGE // 32)


@contextlib.contextmanager
def root_disk(look):
    """The machine's disk, as it is on the host: to be read, and to be written to behind the machine's back."""
    with open(os.path.join(look.folder, "root.img"), "r+b") as file:
        with mmap.mmap(file.fileno(), 0) as data:
            yield data


def bytes_of(look, k, turn):
    """write_page() of the program."""
    head = struct.pack("<3I", look.seed & 0xFFFFFFFF, k, turn)
    return head + bytes([byte(look, turn, k)]) * (PAGE - len(head))


def on_disk(look, where, pages, turn):
    """The pages of the mapping that are on the disk as they were after `turn`."""
    with root_disk(look) as disk:
        return [k for k in pages if disk[where[k]:where[k] + PAGE] == bytes_of(look, SKIP + k, turn)]


def poisoned(look, where, pages):
    with root_disk(look) as disk:
        return [k for k in pages if disk[where[k]:where[k] + PAGE] == POISON]


def poison(look, where, pages):
    """What the machine writes there is seen, whatever it writes."""
    with root_disk(look) as disk:
        for k in pages:
            disk[where[k]:where[k] + PAGE] = POISON


def runs(where, pages):
    """How many pieces the pages are: they follow one another in the file and on the disk."""
    return sum(k - 1 not in pages or where[k] != where[k - 1] + PAGE for k in pages)


def missing(look, where, pages, turn, what):
    written = on_disk(look, where, pages, turn)
    look.expect_pages([k for k in pages if k not in written], COUNT, what)


def write(look):
    """Dirty pages come to the disk, in as few requests as may be, and no others do."""
    first = look.at(1)
    start = first.args[0]
    with root_disk(look) as disk:
        where = [disk.find(bytes_of(look, SKIP + k, 0)) for k in range(COUNT)]
    look.expect(min(where) > 0 and not any(at % PAGE for at in where), "the file is not on the disk after fsync()")
    look.at(2)
    stored = [k for k in range(COUNT) if look.chosen(k) or RUN <= k < RUN_END or k in (FROM - 1, TO)]
    clean, inside = [k for k in range(COUNT) if k not in stored], [k for k in stored if FROM <= k < TO]
    poison(look, where, clean)
    before = look.disks()
    stop = look.at(3)
    after = look.disks()
    size, requests = (after[key] - before[key] for key in ("wr_bytes", "wr_operations"))
    missing(look, where, inside, 1, "after msync(): a page of the range is not on the disk as it was stored")
    outside = [k for k in stored if k not in inside]
    look.expect_pages([k for k in outside if k not in on_disk(look, where, [k], 0)], COUNT,
                      "after msync(): a page outside of the range was written")
    untouched(look, where, clean, "after msync()")
    look.expect(size <= len(inside) * PAGE, f"after msync(): {len(inside)} pages of the range were dirty, and "
                                            f"{size // PAGE} were written")
    most = runs(where, inside)
    look.expect(requests <= most, f"after msync(): {most} runs of dirty pages were written in {requests} requests")
    look.expect_pages([k for k in stop.writable(start, COUNT) if k not in outside], COUNT,
                      "after msync(): a clean page may be written to, and nobody would know")
    look.invariants()
    remembers(look)
    look.at(4)
    again = [k for k in stored if RUN <= k < RUN_END]
    missing(look, where, again, 2, "stored to again, and synced: a page is not on the disk as it was stored")
    missing(look, where, [k for k in stored if k not in again], 1, "synced as a whole: a page is not on the disk")
    untouched(look, where, clean, "after a second msync()")
    look.at(5)
    missing(look, where, list(range(COUNT)), 3, "unmapped, then fsync(): a page is not on the disk as it was stored")
    look.expect(look.at(6).args[1] > 0, "a store into a hole of a file was let through, and the page has no place on "
                                        "the disk")
    with root_disk(look) as disk:
        look.expect(disk.find(bytes_of(look, SKIP + FROM, 4)) >= 0, "a page stored into a hole of a file is not on the "
                                                                    "disk after msync()")
        private = [k for k in range(COUNT) if disk.find(bytes_of(look, SKIP + k, 5)) >= 0]
    look.expect_pages(private, COUNT, "a private store came to the disk")


def untouched(look, where, clean, when):
    """Pages that nobody stored to were not written."""
    still = poisoned(look, where, clean)
    look.expect_pages([k for k in clean if k not in still], COUNT, f"{when}: a page that nobody stored to was written")


# --- the picture -----------------------------------------------------------------------------------------

def row(look, stop):
    """The pages of the window, a character each."""
    start, space = stop.args[0], space_of(look, stop)
    found = [space.region_at(start + k * PAGE) for k in range(64)]
    entries = stop.entries(start, 64)
    return "".join((" !" if r is None else "|" if r.start == start + k * PAGE else ".#")[-1 if entries[k] else 0]
                   for k, r in enumerate(found)).rstrip()


def picture(look):
    """The window's regions, and what the page table has of them."""
    names = {1: "before", 2: "after munmap()", 4: "after mmap()", 6: "after stores"}
    lines = []
    try:
        for number in range(1, 7):
            stop = look.at(number)
            if number in names:
                lines.append(f"{names[number]:<18}{row(look, stop)}")
    except Over as over:
        lines.append(str(over))
    return lines

"""What the lab fault is judged by: which pages are mapped, to which frames, with which rights, and what was counted.

Every function goes through one run of a program; labs/fault/programs/ says what happens before each checkpoint.
"""
from vitrine.lab.look import Over
from vitrine.memory import ADDRESS, PAGE
from vitrine.state import OBJECT, ZERO

KINDS = "zero new file read swap copy reuse stack entry refused".split()  # enum fault_kind of mm/fault.h
AROUND = 16  # AROUND_PAGES of mm/demand.c
SEGV, BUS, MAPERR, ACCERR, ADRERR = 11, 7, 1, 2, 2
EFAULT = -14


def counts(state, stop):
    """{kind of fault: how many} of the space of a checkpoint, "all" are those that were answered."""
    faults = next(space.view.faults for space in state.spaces if space.root == stop.root)
    return {**dict(zip(KINDS, faults.kind)), "all": faults.minor + faults.major}


def counted(look, before, after, when, **expected):
    """So many faults of each kind, and no more in all."""
    for kind, number in {**expected, "all": sum(expected.values())}.items():
        seen = after[kind] - before[kind]
        look.expect(seen == number, f"{when}: {seen} faults{'' if kind == 'all' else f' of the kind {kind}'} "
                                    f"were counted, there should be {number}")


def untouched(look, stop, start, pages, when):
    """None of these pages, given by their numbers, has an entry."""
    bad = [k for k in pages if stop.entry(start + k * PAGE)]
    look.expect_pages(bad, len(pages), f"{when}: a page that nobody touched is mapped")


# --- zeros -----------------------------------------------------------------------------------------------

def zeros(look, stop, start, read):
    """The pages that were only read are the frame of zeros, which nobody may write to."""
    state = look.invariants()
    frames = [stop.frames(start + k * PAGE, 1)[0] for k in read]
    missing = [k for k, frame in zip(read, frames) if frame is None]
    look.expect_pages(missing, len(read), "a page that was read is not mapped")
    other = [k for k, frame in zip(read, frames) if frame is not None and state.owner(frame) != ZERO]
    look.expect_pages(other, len(read), "a page that was only read has a frame of its own")
    writable = [k for k, frame in zip(read, frames) if stop.writable(start + k * PAGE, 1) and k not in other]
    look.expect_pages(writable, len(read), "the frame of zeros may be written to")
    wrong = look.not_filled(stop, start, read, lambda k: 0)
    look.expect_pages(wrong, len(read), "a page that nobody wrote is not zeros")
    return state


def zero(look):
    """Read: the frame of zeros. Stored to: a frame of its own. Else: nothing."""
    for number in (1, 2, 3, 4):
        look.at(number)
    first = look.at(5)
    start, pages = first.args[0:2]
    read = [k for k in range(pages) if look.chosen(k)]
    stored = list(range(0, pages, 2))
    untouched(look, first, start, range(pages), "after mmap()")
    before = counts(look.invariants(), first)
    stop = look.at(6)
    untouched(look, stop, start, sorted(set(range(pages)) - set(read)), "after some reads")
    after = counts(zeros(look, stop, start, read), stop)
    counted(look, before, after, f"{len(read)} pages were read", zero=len(read))

    before, stop = after, after_stores(look, 7)
    untouched(look, stop, start, sorted(set(range(pages)) - set(read) - set(stored)), "after some stores")
    state = zeros(look, stop, start, sorted(set(read) - set(stored)))
    own_frames(look, stop, state, start, stored)
    after = counts(state, stop)
    counted(look, before, after, f"{len(stored)} pages were stored to", new=len(stored))

    before, stop = after, look.at(8)
    again = sorted(set(range(pages)) - set(read) - set(stored))
    counted(look, before, counts(look.invariants(), stop), f"{len(again)} further pages were read", zero=len(again))


def after_stores(look, number):
    try:
        return look.at(number)
    except Over as over:
        raise Over(f"a store to a page that nobody wrote: {over}") from over


def own_frames(look, stop, state, start, stored):
    """Each page that was stored to has a frame of its own, with its bytes, and may be stored to again."""
    frames = [stop.frames(start + k * PAGE, 1)[0] for k in stored]
    bad = [k for k, frame in zip(stored, frames) if frame is None or state.owner(frame) == ZERO]
    look.expect_pages(bad, len(stored), "a page that was stored to has no frame of its own")
    look.expect(len(set(frames)) == len(frames), "two pages that were stored to are in one frame")
    readonly = [k for k in stored if not stop.writable(start + k * PAGE, 1)]
    look.expect_pages(readonly, len(stored), "a page that was stored to may not be stored to again")
    wrong = look.not_filled(stop, start, stored, lambda k: byte(look, k, 0))
    look.expect_pages(wrong, len(stored), "a page does not hold what was stored")


def byte(look, plus, k):
    """byte_of(seed + plus, k) of labs/lab.h."""
    return ((look.seed + plus) * 2654435761 + k * 40503 & 0xFFFFFFFF) >> 9 & 0xFF | 1


# --- files -----------------------------------------------------------------------------------------------

def cached(look, stop, start, pages, skip, who):
    """Every page is the file's own frame, page `skip` the first; what was read from it is right."""
    state = look.invariants()
    frames = stop.frames(start, pages)
    missing = [k for k in range(pages) if frames[k] is None]
    look.expect_pages(missing, pages, f"{who}: a page that was read is not mapped")
    copies = [k for k in range(pages) if frames[k] is not None and state.owner(frames[k]) != OBJECT]
    look.expect_pages(copies, pages, f"{who}: a page that was only read is a copy of the file's")
    look.expect_pages([k for k in range(pages) if frames[k] is not None and k not in copies
                       and state.frames[frames[k]].index != k + skip], pages, f"{who}: it is another page of the file")
    bad = look.not_filled(stop, start, range(pages), lambda k: look.byte(k + skip))
    look.expect_pages(bad, pages, f"{who}: a page has not the file's bytes")
    look.expect_pages(stop.writable(start, pages), pages, f"{who}: a page that was only read may be written to")
    return frames


def file(look):
    """One frame for each page of a file, read from the disk once; a private store makes a copy."""
    first = look.at(1)
    own, shared, skip = first.args
    read = look.disk_reads()
    stop = look.at(2)
    pages = stop.args[1]
    frames = cached(look, stop, own, pages, skip, "the private mapping")
    untouched(look, stop, shared, range(pages), "the shared mapping")
    stop = look.at(3)
    whole = stop.args[1]
    look.expect(cached(look, stop, shared, whole, 0, "the shared mapping")[skip:skip + pages] == frames,
                "the two mappings of the file have not the same frames")
    spent = look.disk_reads() - read
    look.expect(spent <= (whole + 4) * PAGE, f"a file of {whole * PAGE:,} bytes was read, and {spent:,} bytes came "
                                             "from the disk: something was read twice")
    stop = look.at(4)
    state = look.invariants()
    stored = [k for k in range(pages) if look.chosen(k)]
    through = [k for k in stored if state.owner(stop.frames(own, pages)[k]) == OBJECT]
    look.expect_pages(through, pages, "a private store went into the file's own page")
    look.expect_pages(look.not_filled(stop, own, stored, lambda k: byte(look, 1, k)), pages,
                      "a private page does not hold what was stored")
    moved = [k for k in range(pages) if k not in stored and stop.frames(own, pages)[k] != frames[k]]
    look.expect_pages(moved, pages, "a private page that was only read has moved")
    cached(look, look.at(5), shared, whole, 0, "the shared mapping after private stores")
    stop = look.at(6)
    cached(look, stop, stop.args[0], stop.args[1], 0, "a private mapping of a page that differs from the disk")


def around(look):
    """A read maps the cached pages of its window, and nothing else."""
    first = look.at(1)
    start, pages, whole = first.args
    untouched(look, first, start, range(pages), "after fork()")
    stop = look.at(2)
    touched = stop.args[1]
    window = (start // PAGE + touched) // AROUND
    expected = [k for k in range(whole) if (start // PAGE + k) // AROUND == window and not look.chosen(k)]
    mapped = [k for k, frame in enumerate(stop.frames(start, pages)) if frame is not None]
    stored = [k for k in mapped if k < whole and look.chosen(k)]
    look.expect_pages(stored, pages, "the file's page is mapped where there is a private one")
    look.expect_pages([k for k in mapped if k not in stored and k not in expected], pages,
                      "a page outside of the window, or behind the end of the file, is mapped")
    look.expect_pages([k for k in expected if k not in mapped], pages,
                      "a page of the window that is in memory is not mapped along")
    state = look.invariants()
    before = counts(state, stop)
    wrong = [k for k in mapped if k in expected and state.frames[stop.frames(start, pages)[k]].index != k]
    look.expect_pages(wrong, pages, "another page of the file is mapped along")
    look.expect_pages(stop.writable(start, pages), pages, "a page that was mapped along may be written to")
    stop = look.at(3)
    bad = look.not_filled(stop, start, range(whole), lambda k: byte(look, int(look.chosen(k)), k))
    look.expect_pages(bad, whole, "the child does not find what its parent has")
    windows = {(start // PAGE + k) // AROUND for k in range(whole) if not look.chosen(k)}
    counted(look, before, counts(look.invariants(), stop), "all pages of the file were read", file=len(windows) - 1,
            entry=sum(look.chosen(k) for k in range(whole)))


def tail(look):
    """Zeros behind the end of a file, and its own bytes before it."""
    first = look.at(1)
    start, pages, size = first.args
    untouched(look, first, start, range(pages), "after mmap()")
    stop = look.at(2)
    whole = b"".join(bytes([look.byte(k)]) * PAGE for k in range(pages))
    data = stop.read(start, pages * PAGE)
    if look.expect(data is not None, "a page that was read is not mapped"):
        look.expect(data[:size] == whole[:size], "the file's own bytes are wrong")
        left = len(data[size:]) - data[size:].count(0)
        look.expect(not left, f"behind the end of the file there is what the disk had: {left} bytes that are not 0")
    look.invariants()


# --- what is not possible --------------------------------------------------------------------------------

SIGNALS = (
    ("a read from nothing, close to address 0", SEGV, MAPERR),
    ("a store to what was unmapped", SEGV, MAPERR),
    ("a store to a page that may only be read", SEGV, ACCERR),
    ("a read from PROT_NONE", SEGV, ACCERR),
    ("a store to PROT_NONE", SEGV, ACCERR),
    ("a jump into data that may not be run", SEGV, ACCERR),
    ("a read behind the end of a file", BUS, ADRERR),
)


def signals(look):
    """Each bad access is told by its signal, code and address."""
    look.at(1)
    for number, (what, signal, code) in enumerate(SIGNALS):
        try:
            stop = look.at(number + 2)
        except Over as over:
            raise Over(f"{what}: {over}") from over
        told = stop.words(stop.args[0] + 32 * number, 4)
        if look.expect(told[0], f"{what}: no signal came"):
            look.expect((told[0], told[1]) == (signal, code),
                        f"{what}: signal {told[0]} with the code {told[1]}, not {signal} with {code}")
            look.expect(told[2] == told[3], f"{what}: the signal told the address {told[2]:#x}, it was {told[3]:#x}")
    none, fixed = stop.args[1:3]
    look.expect(not stop.entry(none), "a page of PROT_NONE is mapped")
    look.expect(not stop.writable(fixed, 1) and stop.read(fixed, PAGE) == b"\1" * PAGE,
                "a page that may only be read was changed, or can be")
    look.invariants()


def efault(look):
    """Good pointers of system calls are served, bad ones are EFAULT."""
    first = look.at(1)
    start = first.args[1]
    untouched(look, first, start, range(3), "before the system calls")
    try:
        stop = look.at(2)
    except Over as over:
        raise Over(f"a system call with good pointers to pages that were not touched: {over}") from over
    look.expect(stop.words(stop.args[0], 2) == [64, 64], "a system call with good pointers failed")
    state = look.invariants()
    from_, to, rest = stop.frames(start, 3)
    look.expect(from_ is not None and state.owner(from_) == ZERO, "what write() only read is not the frame of zeros")
    look.expect(to is not None and state.owner(to) != ZERO, "what read() wrote to has no frame of its own")
    look.expect(rest is None, "a page that no call used is mapped")
    try:
        stop = look.at(3)
    except Over as over:
        raise Over(f"a system call with a bad pointer: {over}") from over
    told = [word - (word >> 63 << 64) for word in stop.words(stop.args[0] + 16, 6)]
    for result, what in zip(told, ("write() from what was unmapped", "write() from PROT_NONE",
                                   "read() into a page that may only be read", "read() into the kernel's half",
                                   "write() from behind the end of a file", "open() of a name that is not there")):
        look.expect(result == EFAULT, f"{what} returned {result}, not EFAULT ({EFAULT})")
    file_page = stop.args[2]
    look.expect(stop.read(file_page, PAGE) in (None, bytes([look.byte(0)]) * PAGE), "read() changed a file's page")
    look.invariants()


# --- the picture -----------------------------------------------------------------------------------------

def picture(look):
    """The first twelve pages: none, the frame of zeros, or a frame and whether it may be written to."""
    for number in (1, 2, 3, 4):
        look.at(number)
    lines = []
    for number, when in ((5, "after mmap()"), (6, "after some reads"), (7, "every second stored to"), (8, "all read")):
        stop = look.at(number)
        start, state = stop.args[0], look.state()
        cells = []
        for entry in stop.entries(start, 12):
            frame = (entry & ADDRESS) >> 12
            name = "." if not entry else "zero" if state.owner(frame) == ZERO else str(frame)
            cells.append(f"{name:>6}{'w' if entry & 2 else ' '}")
        lines.append(f"{when:<24}" + "".join(cells).rstrip())
    return lines

"""What the lab stack is judged by: where the stack begins, which of its pages are mapped, what is promised.

Every function goes through one run of a program; labs/stack/programs/ says what happens before each checkpoint.
"""
from vitrine.lab.look import Over
from vitrine.memory import PAGE

GAP = 256 * PAGE


def space_of(look, stop):
    """The kernel's structures of the address space at a stop, when the account of promises was looked at."""
    state = look.invariants()
    made = state.kernel.enums["promise"]["PROMISE_MADE"]
    pages = sum((r.end - r.start) // PAGE for space in state.spaces for r in space.regions if r.view.promise == made)
    promised = state.kernel.variable("mm/commit.c:promised")
    look.expect(promised == pages, f"{promised} pages are promised, but the regions have {pages} that have to be")
    return next(space for space in state.spaces if space.root == stop.root)


def stack_at(look, stop, last, start, what):
    """The region that holds `last` has to begin at `start`; the Space."""
    space = space_of(look, stop)
    region = space.region_at(last)
    if look.expect(region is not None, f"no region is where the stack was {what}"):
        off = (region.start - start) // PAGE
        much = f"{abs(off)} page{'s' * (abs(off) != 1)} too {'high' if off > 0 else 'low'}"
        look.expect(not off, f"the stack begins {much} {what}")
    return space


def only(look, stop, start, pages, wanted, what):  # pylint: disable=too-many-arguments
    """Of the pages of a window just those wanted are mapped."""
    mapped = {k for k, frame in enumerate(stop.frames(start, pages)) if frame is not None}
    look.expect_pages(sorted(set(wanted) - mapped), pages, f"{what} are not mapped")
    look.expect_pages(sorted(mapped - set(wanted)), pages, "pages that nobody touched are mapped")


def grow(look):
    """The edge moves to the page of the fault, and that page alone is mapped."""
    before = look.at(1)
    window, pages, first = before.args
    end = window + pages * PAGE
    stack_at(look, before, end, end, "before anything was touched")
    only(look, before, window, pages, [], "")
    one = look.at(2)
    look.expect(not one.args[1], "a store below the stack was refused with SIGSEGV")
    stack_at(look, one, end, window + first * PAGE, "after one page was stored to")
    only(look, one, window, pages, [first], "pages that were stored to")
    some = look.at(3)
    stored = sorted({k for k in range(pages) if look.chosen(k)} | {first})
    look.expect(not some.args[1], f"{some.args[1]} stores below the stack were refused with SIGSEGV")
    stack_at(look, some, end, window + stored[0] * PAGE, "after some pages were stored to")
    only(look, some, window, pages, stored, "pages that were stored to")
    look.expect_pages(look.not_filled(some, window, stored), pages, "the stack does not hold what was stored")
    other = look.at(4)
    start, refused, low = other.args
    look.expect(not refused, "a store below another mapping that grows down (MAP_GROWSDOWN) was refused")
    stack_at(look, other, start, low, "(it is a mapping with MAP_GROWSDOWN)")


def kernel(look):
    """What a system call writes makes the stack grow as well."""
    before = look.at(1)
    window, pages, _ = before.args
    end = window + pages * PAGE
    after = look.at(2)
    stored = [k for k in range(pages) if look.chosen(k)]
    look.expect(not after.args[1], f"{after.args[1]} of {len(stored)} calls of read() into new stack failed")
    stack_at(look, after, end, window + stored[0] * PAGE, "after read()")
    only(look, after, window, pages, stored, "pages that were read into")
    look.expect_pages(look.not_filled(after, window, stored), pages, "the stack does not hold what was read")


def at_edge(look, number, what):
    """edge() was tried: the stack begins at the lowest page allowed; (the stop, its space)."""
    stop = look.at(number)
    low, refused, _ = stop.args
    look.expect(refused & 1, f"{what}: a first store right below the lowest page allowed was let through")
    look.expect(not refused & 2, f"{what}: a store to the lowest page allowed was refused")
    look.expect(refused & 4, f"{what}: a store right below the full stack was let through")
    space = stack_at(look, stop, low, low, f"({what})")
    only(look, stop, low - PAGE, 2, [1], f"{what}: pages that were stored to")
    return stop, space


def limit(look):
    """Each limit is kept to the page."""
    at_edge(look, 1, "RLIMIT_STACK of whole pages")
    at_edge(look, 2, "RLIMIT_STACK that ends inside a page")
    at_edge(look, 3, "RLIMIT_AS")


def gap(look):
    """Nothing is ever mapped in the gap, and the stack grows over nobody."""
    stop, space = at_edge(look, 1, "the gap")
    low, _, wall = stop.args
    look.expect(low - GAP == wall + 2 * PAGE, "the test is wrong: the wall is not a gap below")
    inside = [r for r in space.regions if r.start < low and r.end > low - GAP]
    look.expect(not inside, f"regions that reach into the gap: {len(inside)}")
    only(look, stop, low - GAP, GAP // PAGE, [], "")
    regions = len(space.regions)
    closed = look.at(2)
    look.expect(not closed.args[1], "a wall that nobody may use (PROT_NONE) is kept a distance from")
    stack_at(look, closed, closed.args[0], closed.args[0], "(above a wall with PROT_NONE)")
    last = look.at(3)
    look.expect(last.args[1] == 4,
                f"{4 - last.args[1]} of 4 stores to the hole below a mapping that does not grow were let through")
    space = stack_at(look, last, last.args[0], last.args[0], "after stores below the wall")
    look.expect(len(space.regions) == regions, f"{len(space.regions)} regions are there, {regions} were before")
    only(look, last, wall - 8 * PAGE, 8, [], "")
    look.expect_pages(look.not_filled(last, wall, [0, 1]), 2, "the wall does not hold its bytes")
    lowest = look.at(4)
    look.expect(lowest.args[1], "a store below USER_BOTTOM was let through, where no program may have memory")
    stack_at(look, lowest, lowest.args[0], lowest.args[0], "(the lowest address of all)")


def promise(look):
    """A page that cannot be promised is not added."""
    full = look.at(1)
    start, refused, _ = full.args
    look.expect(refused, "the stack grew when no memory was left to promise")
    stack_at(look, full, start, start, "when nothing was left to promise")
    at_edge(look, 2, "the last promise")


def handler(look):
    """The stack is full to the page, and the handler's frame lies on the alternate stack."""
    for number in (1, 3):
        stop = look.at(number)
        fault, local, own = stop.args
        look.expect(own <= local < own + 6 * PAGE, "the handler does not run on the alternate stack")
        look.expect(stop.entry(local), "the handler's page is not mapped")
        edge = (fault & -PAGE) + PAGE
        space = stack_at(look, stop, edge, edge, "when it is full")
        region = space.region_at(edge)
        size = region.end - region.start if region else 0
        most = space.view.stack_limit
        look.expect(size == most, f"the full stack has {size} bytes, RLIMIT_STACK is {most}")
        look.expect(not stop.entry(fault), "the page that the stack had no room for is mapped")
        inner = look.at(number + 1).args[0]
        if not own <= inner < local:
            raise Over("a second signal's frame was put over the first one's")  # and it cannot go on
    local = look.at(5).args[0]
    region = space_of(look, look.stops[-1]).region_at(local)
    look.expect(region is not None and region.grows_down,
                "a handler that did not ask for the alternate stack does not run on the program's")


def picture(look):
    """The window's upper pages, and the lowest two of the stack as it was before."""
    window, pages, _ = look.at(1).args
    shown = range(pages * 2 // 5, pages + 2)

    def row(who):
        region = space_of(look, look.stops[-1]).region_at(window + pages * PAGE)
        mapped = look.stops[-1].frames(window, pages + 2)
        return f"{who:<18}" + "".join("#" if mapped[k] is not None else " ."[window + k * PAGE >= region.start]
                                      for k in shown).rstrip()
    lines = [row("before")]
    look.at(2)
    lines.append(row("after one store"))
    look.at(3)
    return [*lines, row("after some more")]

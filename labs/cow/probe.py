"""What the lab cow is judged by: where the pages are, who may write to them, what they hold, who is counted.

Every function goes through one run of a program; labs/cow/programs/ says what happens before each checkpoint.
"""
from vitrine.memory import PAGE
from vitrine.state import ANON


def shared(look, before, other, start, pages, who):
    """`other` has the frames that `before` had, and may write to none of them; False if that is not so."""
    old, new = before, other.frames(start, pages)
    moved = [k for k in range(pages) if new[k] is not None and new[k] != old[k]]
    same = look.expect_pages(moved, pages, f"{who} has other frames than the parent had before fork")
    return look.expect_pages(other.writable(start, pages), pages, f"{who} may still write to shared pages") and same


def references(look, frames, count, when):
    """Each frame holds a page of `count` references, which is the number of spaces that name it."""
    state, wrong = look.invariants(), []
    for frame in frames:
        known = state.frames.get(frame)
        if known is None or state.owner(frame) != ANON or state.anon(known.anon).refs != count:
            wrong.append(frame)
    look.expect(not wrong, f"{when} a page has not {count} reference{'s' * (count != 1)}: {len(wrong)} of "
                           f"{len(frames)} pages" + (f", the first is in frame {wrong[0]}" if wrong else ""))


def first_fork(look):
    """Everything must hold right after the first fork of all, the first process's own; the State then.

    If it does not, the program may never be reached.
    """
    look.at_kernel("process_enter_family")
    return look.invariants()


def share(look):
    """Nothing is copied by fork, and nobody may write."""
    first_fork(look)
    before = look.at(1)
    words = before.words(before.args[0], 2 * before.args[1])
    pieces = list(zip(("the mapping", "the heap", "the program's data", "the stack"), words[0::2], words[1::2]))
    frames = {name: before.frames(start, pages) for name, start, pages in pieces}
    parent = look.at(2)
    for name, start, pages in pieces:
        if name == "the stack":
            pages -= 1  # the last may hold what the program's functions use
        shared(look, frames[name], parent, start, pages, f"{name}: the parent after fork")
    child = look.at(3)
    look.expect(child.root != before.root, "the child runs in the parent's page table")
    for name, start, pages in pieces[:3]:
        shared(look, frames[name], child, start, pages, f"{name}: the child")
        look.expect_pages(look.not_filled(child, start, range(pages)), pages, f"{name}: the child has other bytes")
        references(look, frames[name], 2, f"{name}: while two share it")
    parent = look.at(4)
    for name, start, pages in pieces[:3]:
        look.expect(parent.frames(start, pages) == frames[name], f"{name}: the parent has other frames than before")
        references(look, frames[name], 1, f"{name}: when the child has ended")


def begin(look, number, first=True):
    """The parent before fork: (where, how many, in which frames)."""
    if number == 1 and first:
        first_fork(look)
    before = look.at(number)
    start, pages = before.args[0:2]
    return start, pages, before.frames(start, pages)


def copies(look, space, start, pages, frames, stored, who):  # pylint: disable=too-many-arguments
    """`space` has pages of its own where it stored, and nowhere else."""
    new = space.frames(start, pages)
    still = [k for k in stored if new[k] in frames]
    look.expect_pages(still, pages, f"{who} stored into a frame that is shared")
    more = [k for k in range(pages) if k not in stored and new[k] is not None and new[k] != frames[k]]
    look.expect_pages(more, pages, f"{who} has copies of pages that it did not store to")
    own = [new[k] for k in stored]
    look.expect(len(set(own)) == len(own), f"{who} has one frame for two pages")
    unwritable = [k for k in stored if k not in space.writable(start, pages)]
    look.expect_pages(unwritable, pages, f"{who} stored to pages that it may not write to")


def next_byte(look, more):
    """byte_of(seed + more, k), as a function of k."""
    return lambda k: ((look.seed + more) * 2654435761 + k * 40503 & 0xFFFFFFFF) >> 9 & 0xFF | 1


def break_(look):
    """A child's store ends the sharing of that page alone."""
    start, pages, frames = begin(look, 1)
    stored = [k for k in range(pages) if look.chosen(k)]
    kept = [k for k in range(pages) if k not in stored]
    shared(look, frames, look.at(2), start, pages, "the child")
    child = look.at(3)
    copies(look, child, start, pages, frames, stored, "the child")
    look.expect_pages(look.not_filled(child, start, stored, next_byte(look, 1)), pages,
                      "the child does not find what it stored")
    look.expect_pages(look.not_filled(child, start, kept), pages, "a page that the child did not store to has changed")
    references(look, [frames[k] for k in kept], 2, "while two share it")
    references(look, [frames[k] for k in stored], 1, "when the other one has its copy")
    parent = look.at(4)
    look.expect(parent.frames(start, pages) == frames, "the parent's pages moved when the child stored")
    look.expect_pages(look.not_filled(parent, start, range(pages)), pages, "the child's stores are seen by the parent")
    look.at(5)
    references(look, frames, 1, "when the child has ended")


def parent(look):
    """The parent stores first, while the processor may remember its old rights."""
    state = first_fork(look)
    remembered = state.kernel.variable("mm/tlbcheck.c:nrecords")
    look.expect(not remembered, f"after fork the processor remembers {remembered} entries as they were before")
    start, pages, frames = begin(look, 1, False)
    stored = [k for k in range(pages) if look.chosen(k)]
    copies(look, look.at(2), start, pages, frames, stored, "the parent")
    child = look.at(3)
    look.expect(child.frames(start, pages) == frames, "the child has other frames than the parent had before fork")
    look.expect_pages(look.not_filled(child, start, range(pages)), pages, "the parent's stores are seen by the child")
    look.invariants()


def not_copied(look, owner, part, stored, who):
    """The last owner, at its Stop, stored to the frames that it had; `part` is what begin() gave."""
    start, pages, frames = part
    copied = [k for k, frame in enumerate(owner.frames(start, pages)) if frame != frames[k]]
    look.expect_pages(copied, pages, f"{who} copied pages that nobody shared any more")
    look.expect_pages(look.not_filled(owner, start, range(pages), stored), pages, f"{who} does not find what it stored")


def reuse(look):
    """The last owner does not copy."""
    part = start, pages, frames = begin(look, 1)
    left = look.at(2)
    not_copied(look, left, part, next_byte(look, 1), "the parent")
    references(look, left.frames(start, pages), 1, "when the first child has ended")
    part = start, pages, frames = begin(look, 3)
    child = look.at(4)
    look.expect(child.frames(start, pages) == frames, "the second child has other frames than the parent had")
    alone = look.at(5)
    not_copied(look, alone, part, next_byte(look, 2), "the child")
    references(look, alone.frames(start, pages), 1, "when the parent has given its pages up")


def chain(look):
    """Three share; each store leaves one less, and the last owner keeps the first frame."""
    start, pages, frames = begin(look, 1)
    youngest = look.at(2)
    shared(look, frames, youngest, start, pages, "the grandchild")
    references(look, frames, 3, "while three share it")
    stores = {generation: [k for k in range(pages) if k % 4 > 2 - generation] for generation in range(3)}
    for number, generation, who in ((3, 2, "the grandchild"), (4, 1, "the child")):
        stop = look.at(number)
        copies(look, stop, start, pages, frames, stores[generation], who)
        references(look, [frames[k] for k in stores[generation] if generation == 2 or k in stores[1]], generation,
                   f"when {who} has its copy")
    last = look.at(5)
    look.expect(last.frames(start, pages) == frames, "the parent copied a page that nobody shared any more")
    for stop, generation in ((youngest, 2), (look.stops[3], 1), (last, 0)):
        bad = look.not_filled(stop, start, stores[generation], next_byte(look, 1 + generation))
        look.expect_pages(bad, pages, "somebody's store is seen by another, or was lost")
    look.at(6)
    references(look, frames, 1, "when child and grandchild have ended")


def kernel(look):
    """A write by the kernel is a store."""
    start, pages, frames = begin(look, 1)
    stored = [k for k in range(pages) if look.chosen(k)]
    shared(look, frames, look.at(2), start, pages, "the child")
    child = look.at(3)
    copies(look, child, start, pages, frames, stored, "the child, by read(),")
    look.expect_pages(look.not_filled(child, start, stored, next_byte(look, 1)), pages,
                      "the child does not find what it read")
    after = look.at(4)
    look.expect_pages(look.not_filled(after, start, range(pages)), pages, "the child's read() is seen by the parent")
    references(look, frames, 1, "when the child has ended")


def swap(look):
    """Sharing in swap; no store is lost by the change of an entry."""
    first_fork(look)
    before = look.at(1)
    start, pages, again = before.args
    frames = before.frames(start, again)
    state = look.invariants()
    look.expect(any(area.used for area in state.areas), "nothing is in swap: the test proves nothing")
    after = look.at(2)
    moved = [k for k, frame in enumerate(after.frames(start, again)) if frame not in (None, frames[k])]
    look.expect_pages(moved, again, "the parent after fork has other frames than it had before fork")
    state = look.invariants()
    private = next(space.private for space in state.spaces if space.root == after.root)
    anons = [private.get(start // PAGE + k) for k in range(pages)]
    alone = [k for k, anon in enumerate(anons) if not anon or state.anon(anon).refs != 2]
    look.expect_pages(alone, pages, "after fork a page, in memory or in swap, has not 2 references")
    child = look.at(3)
    look.invariants()
    wrong = [k for k in range(pages) if child.entry(start + k * PAGE)
             and look.not_filled(child, start, [k], own_byte(look, again))]
    look.expect_pages(wrong, pages, "the child has lost bytes")


def own_byte(look, again):
    """What page k holds in the child of cow_swap."""
    return lambda k: next_byte(look, 2 if look.chosen(k) else 1 if k < again else 0)(k)


def picture(look):
    """The first eight pages: the frame of each, and who may write."""
    before = look.at(1)
    start = before.args[0]

    def row(who, space):
        return f"{who:<34}" + "".join(f"{frame or '-':>6}{'w' if k in space.writable(start, 8) else ' '}"
                                      for k, frame in enumerate(space.frames(start, 8))).rstrip()
    lines = [row("parent, before fork", before)]
    child = look.at(2)
    lines += [row("parent, after fork", before), row("child, after fork", child)]
    look.at(3)
    return [*lines, row("child, after its stores", child), row("parent meanwhile", before)]

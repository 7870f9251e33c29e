"""What the lab swap is judged by: where each page is, what its slot holds on the disk, what went to the disk and back.

Every function goes through one run of a program; labs/swap/programs/ says what happens before each checkpoint.
"""
from vitrine.memory import ACCESSED, DIRTY, PAGE

LEAST = 500  # pages in swap, or a test of them proves nothing
ROUNDS = 3  # of swap_clock
TOGETHER = 8  # pages to a request, in the mean; up to 32 can be


def next_byte(look, more):
    """byte_of(seed + more, k), as a function of k."""
    return lambda k: ((look.seed + more) * 2654435761 + k * 40503 & 0xFFFFFFFF) >> 9 & 0xFF | 1


def changed(look):
    """What page k holds when the chosen ones were stored to."""
    return lambda k: next_byte(look, look.chosen(k))(k)


class Pages:
    """A program's pages at a stop: where they are, by its table of private pages and the anons in it."""

    def __init__(self, look, stop, start, count):
        self.look, self.state, self.start, self.count = look, look.invariants(), start, count
        self.space = next(space for space in self.state.spaces if space.root == stop.root)
        self.private = self.space.private
        self.anons = {k: self.state.anon(anon) for k in range(count)
                      if (anon := self.private.get(start // PAGE + k))}

    def slots(self):
        """{page: slot} of those that have one."""
        return {k: anon.slot for k, anon in self.anons.items() if anon.slot}

    def away(self):
        """The pages that are in swap alone."""
        return [k for k, anon in self.anons.items() if not anon.frame]

    def hold(self, byte, who):
        """Each page has its bytes, wherever it is."""
        wrong_there, wrong_here = [], []
        away = set(self.away())
        for k in range(self.count):
            data = self.space.read(self.start + k * PAGE, PAGE)
            if data != bytes([byte(k)]) * PAGE:
                (wrong_there if k in away else wrong_here).append(k)
        self.look.expect_pages(wrong_there, self.count, f"{who}: what is in the slot of a page is not the page's")
        self.look.expect_pages(wrong_here, self.count, f"{who}: what is in memory is not what the page was given")


def pages_at(look, number):
    """The program's pages at a checkpoint, of which enough must be in swap."""
    stop = look.at(number)
    pages = Pages(look, stop, *stop.args[:2])
    look.expect(len(pages.slots()) >= LEAST, f"of {pages.count} pages {len(pages.slots())} have a slot: nothing leaves "
                "memory")
    return pages


def traffic(look, before=None):
    """(pages read, pages written, requests to read, requests to write) of the swap disk, since `before`."""
    stats = look.disks("swap")
    now = (stats["rd_bytes"] // PAGE, stats["wr_bytes"] // PAGE, stats["rd_operations"], stats["wr_operations"])
    return tuple(a - b for a, b in zip(now, before or (0,) * 4))


def out(look):
    """Each page is in memory or in its slot, and they went together."""
    pages = pages_at(look, 1)
    pages.hold(look.byte, "after filling")
    _, written, _, requests = traffic(look)
    look.expect(written >= TOGETHER * requests, f"{written} pages were written with {requests} requests: pages that "
                "leave together are to lie together")


def back(look):
    """They come back, many at once where slots follow each other."""
    pages = pages_at(look, 1)
    before, away = traffic(look), len(pages.away())
    pages = pages_at(look, 2)
    pages.hold(look.byte, "after reading in turn")
    read, _, requests, _ = traffic(look, before)
    look.expect(read >= away, f"{read} pages were read from swap, where {away} were away")
    look.expect(read >= TOGETHER * requests, f"{read} pages were read with {requests} requests: neighbours are to come "
                "along where their slots follow")
    look.expect(read <= 1.2 * pages.count, f"{read} pages were read from swap for {pages.count} uses")
    pages_at(look, 3).hold(look.byte, "after reading by chance")


def clean(look):
    """No page is written twice, and each keeps its slot."""
    first = pages_at(look, 1)
    first.hold(look.byte, "after reading once")
    bare = [k for k, anon in first.anons.items() if not anon.slot]
    look.expect(len(bare) <= first.count // 20, f"{len(bare)} of {first.count} pages came back, and have no slot")
    before = traffic(look)
    second = pages_at(look, 2)
    second.hold(look.byte, "after reading again")
    read, written, _, _ = traffic(look, before)
    look.expect(read >= LEAST, "no page came from swap: the test proves nothing")
    look.expect(written <= read // 20, f"{written} pages were written while {read} were only read")
    slots = second.slots()
    lost = [k for k, slot in first.slots().items() if slots.get(k) != slot]
    look.expect(len(lost) <= first.count // 20, f"{len(lost)} of {first.count} pages, which were only read, have "
                "another slot than before, or none")


def dirty(look):
    """What was stored is there, though the page had a slot with what it was before."""
    pages_at(look, 1).hold(changed(look), "after the stores")
    pages_at(look, 2).hold(changed(look), "when all were away again")


def fork(look):
    """One slot for two; each page is counted; at the end none is left."""
    alone = pages_at(look, 1)
    child = pages_at(look, 2)
    child.hold(look.byte, "the child")
    short = [k for k, anon in child.anons.items() if anon.refs != 2]
    look.expect_pages(short, child.count, "while two share it a page has not 2 references")
    look.expect(len(child.anons) == len(alone.anons), "the child names other pages than the parent had")
    pages_at(look, 3).hold(look.byte, "the parent, when the child has ended")
    look.at(4)
    state = look.invariants()
    used, others = sum(area.used for area in state.areas), sum(
        1 for anon in state.anon_names if state.anon(anon).slot)
    look.expect(used <= others, f"all was given up, and {used - others} slots are still taken")


def full(look):
    """Nothing is lost when there is no place left, nor when a process had to go."""
    before = look.at(1)
    start, count = before.args[:2]
    child = look.at(2)
    pages = Pages(look, child, *child.args[:2])
    look.expect(all(area.used == area.usable for area in pages.state.areas), "slots are free that are said to be taken")
    pages.hold(next_byte(look, 1), "the child, when no slot is free")
    after = look.at(3)
    Pages(look, after, start, count).hold(look.byte, "the parent, when the child was ended")


def clock(look):
    """A bit that was cleared is set again by the next use; what is used all the time stays."""
    stop = look.at(1)
    start, count = stop.args[:2]

    def used():
        return [k for k, entry in enumerate(stop.entries(start, count)) if entry & ACCESSED]
    look.at(2)
    look.expect_pages(used(), count, "it was to be forgotten that a page was used, and its A bit is set")
    look.at(3)
    wrong = [k for k in range(count) if look.chosen(k) and k not in used()]
    look.expect_pages(wrong, count, "a page was used, and its A bit is clear: the processor remembers the entry")
    stop = look.at(4)
    _, stream, hot = stop.args
    look.invariants()
    before = traffic(look)
    look.at(5)
    look.invariants()
    again = traffic(look, before)[0] - ROUNDS * stream
    look.expect(again >= 0, "pages that go by were not read from swap: the test proves nothing")
    look.expect(again <= 1.5 * hot, f"{hot} pages that are used all the time were read from swap {again} times, while "
                f"{stream} others went by")


def picture(look):
    """Ten pages at the two checkpoints of the test dirty: frame, slot, and what is changed."""
    lines = []
    for number, when in ((1, "every third or so stored to"), (2, "all read since")):
        pages = pages_at(look, number)
        shown = range(pages.count - 10, pages.count)
        entries = {k: pages.space.entries.get(pages.start + k * PAGE, 0) for k in shown}
        frames = {k: pages.state.number(anon.frame) for k, anon in pages.anons.items() if anon.frame and k in entries}
        changed_now = {k for k, frame in frames.items() if entries[k] & DIRTY or pages.state.frames[frame].dirty}

        def row(what, word, shown=shown):
            return f"{what:<30}" + "".join(f"{word(k):>6}" for k in shown)
        lines += [row(when + ":", lambda k: f"[{k}]"), row("  frame", lambda k, frames=frames: frames.get(k, "-")),
                  row("  slot", lambda k, slots=pages.slots(): slots.get(k, "-")),
                  row("  changed", lambda k, changed_now=changed_now: "yes" if k in changed_now else "")]
    return [line.rstrip() for line in lines]

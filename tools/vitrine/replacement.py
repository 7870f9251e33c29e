"""Page replacement without a machine: how often a string of references misses, by policy and size of memory.

Pages are numbers from 0; dense() makes them so.  A miss is a reference to a page that is not in memory, the first one
to each page included.  Sizes are in pages.  Memory is filled only by what is referenced, a page at a time.
"""
import collections
import heapq
import random as dice

SEEDS = (1, 2, 3)


def dense(pages):
    """(the string with pages numbered from 0 in the order in which they come, how many there are)."""
    numbers = {}
    return [numbers.setdefault(page, len(numbers)) for page in pages], len(numbers)


def fifo(refs, pages, size):
    """First in, first out."""
    inside, queue, misses = bytearray(pages), collections.deque(), 0
    for page in refs:
        if inside[page]:
            continue
        misses += 1
        if len(queue) == size:
            inside[queue.popleft()] = 0
        queue.append(page)
        inside[page] = 1
    return misses


def clock(refs, pages, size):
    """Second chance: FIFO, but a page that was used since the hand came by stays.  One that comes in is used."""
    state, queue, misses = bytearray(pages), collections.deque(), 0  # 0: outside, 1: inside, 2: and used
    for page in refs:
        if state[page]:
            state[page] = 2
            continue
        misses += 1
        if len(queue) == size:
            while state[queue[0]] == 2:
                state[queue[0]] = 1
                queue.rotate(-1)
            state[queue.popleft()] = 0
        queue.append(page)
        state[page] = 2
    return misses


def random_once(refs, pages, size, seed):
    """Any page goes."""
    inside, held, misses, draw = bytearray(pages), [], 0, dice.Random(seed).random
    for page in refs:
        if inside[page]:
            continue
        misses += 1
        if len(held) == size:
            victim = int(draw() * size)
            inside[held[victim]] = 0
            held[victim] = page
        else:
            held.append(page)
        inside[page] = 1
    return misses


def random(refs, pages, size):
    """Any page goes: the mean of several runs of luck."""
    return sum(random_once(refs, pages, size, seed) for seed in SEEDS) / len(SEEDS)


def next_uses(refs, pages):
    """For each reference the place of the next one to its page; beyond the end, each its own, where there is none."""
    following, after = [0] * len(refs), [0] * pages
    for at in range(len(refs) - 1, -1, -1):
        page = refs[at]
        following[at] = after[page] or len(refs) + at
        after[page] = at
    return following


def opt(refs, pages, size, following=None):
    """Belady's optimum (MIN): that page goes which is not needed for longest.

    The heap holds for each page in memory the place of its next use, the farthest first.  What is left there of uses
    that have passed lies nearer than any to come, and never comes to the top.
    """
    following = following or next_uses(refs, pages)
    inside, heap, count, misses = bytearray(pages), [], 0, 0
    push, pop, end = heapq.heappush, heapq.heappop, len(refs)
    for page, then in zip(refs, following):
        if not inside[page]:
            misses += 1
            if count == size:
                farthest = -pop(heap)
                inside[refs[farthest if farthest < end else farthest - end]] = 0
            else:
                count += 1
            inside[page] = 1
        push(heap, -then)
    return misses


def stack_distances(refs, pages):
    """hits[d]: how many references find their page at depth d of the LRU stack, 1 being the page touched last.

    LRU keeps the top of that stack, so a memory of n pages serves all down to depth n (R. L. Mattson, J. Gecsei,
    D. R. Slutz and I. L. Traiger, "Evaluation techniques for storage hierarchies", IBM Systems Journal 9, 1970).
    The depth is one more than the pages touched since: a Fenwick tree counts them, with a mark at each page's last
    touch.  When its places are used up the marks move together.
    """
    places = 2 * pages + 1
    hits, last, tree, marks, here = [0] * (pages + 1), [0] * pages, [0] * (places + 1), 0, 0
    for page in refs:
        before = last[page]
        if before:
            depth, at = marks + 1, before
            while at:
                depth -= tree[at]
                at &= at - 1
            hits[depth] += 1
            at = before
            while at <= places:
                tree[at] -= 1
                at += at & -at
        else:
            marks += 1
        if here == places:
            last[page] = 0
            here = close_up(last, tree)
        here += 1
        last[page] = at = here
        while at <= places:
            tree[at] += 1
            at += at & -at
    return hits


def close_up(last, tree):
    """Gives the marks the first places, in their order; how many there are."""
    order = sorted((page for page in range(len(last)) if last[page]), key=last.__getitem__)
    for place, page in enumerate(order, 1):
        last[page] = place
    for at in range(1, len(tree)):  # the marks in the last (at & -at) places up to here
        tree[at] = max(0, min(at, len(order)) - (at & at - 1))
    return len(order)


def curves(refs, pages, sizes):
    """{policy: [misses at each of the sizes]}"""
    hits, following = stack_distances(refs, pages), next_uses(refs, pages)
    return {"opt": [opt(refs, pages, size, following) for size in sizes],
            "lru": [len(refs) - sum(hits[:size + 1]) for size in sizes],
            "clock": [clock(refs, pages, size) for size in sizes],
            "fifo": [fifo(refs, pages, size) for size in sizes],
            "random": [random(refs, pages, size) for size in sizes]}

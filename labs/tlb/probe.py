"""What the lab tlb is judged by: what threads got where the page tables say what there is; who may remember a table;
how many messages each CPU was sent.

Every function goes through one run of a program; labs/tlb/programs/ says what happens before each checkpoint.
"""
from vitrine.memory import ADDRESS, PAGE, WRITE

CREW, MOST, APART = 4, 40, 64  # of labs/tlb/crew.h: threads, pages of a report, bytes between two threads' places
FAULT = -11 & (1 << 64) - 1  # minus SIGSEGV, as the report has it
STEPS = ("unmapped", "replaced", "made read-only", "closed by PROT_NONE", "given up (MADV_DONTNEED)", "shared by fork")


def messages(look):
    """How many messages each CPU has been sent to forget something."""
    kernel = look.state().kernel
    count = kernel.variable("cpu_count")
    return [cpu.tlb_messages for cpu in kernel.variable("cpus")[:count]]


def names(cpus):
    return " and ".join(f"CPU {cpu}" for cpu in sorted(cpus)) or "no CPU"


def truth(stop, at, stored, got):
    """What a thread must have got at an address by the page tables of now."""
    entry = stop.entry(at)
    if stored:
        kept = stop.read(at, 1) == bytes([got & 0xFF])
        return (got if kept else -1) if entry & WRITE else FAULT
    return stop.read(at, 1)[0] if entry else FAULT


def held_against(look, stop, what, members=None):
    """What the threads report is what the page tables say."""
    stored, start, pages, crew, *got = stop.words(stop.args[0], 4 + CREW * MOST)
    for me in members or range(crew):
        wrong = [k for k in range(pages) if got[me * MOST + k] !=
                 truth(stop, start + k * PAGE + me * APART, stored, got[me * MOST + k])]
        does = "stores to" if stored else "reads"
        look.expect_pages(wrong, pages, f"{what}: thread {me} {does} what the page tables do not have")


def stale(look):
    """After each downgrade nobody uses what was there before, also while others ask, sleep and take frames."""
    number = 0
    for size in ("a few", "many"):
        for what in STEPS:
            number += 1
            stop = look.at(number)
            if number == 1:
                quiet = {cpu for cpu, sent in enumerate(messages(look)) if cpu and not sent}
                look.expect(not quiet, f"{names(quiet)} was never sent a message")
            held_against(look, stop, f"{size} pages were {what}")
            look.expect(not stop.args[1], f"{size} pages were {what}: what a thread stored is seen by the child, "
                                          f"in {stop.args[1]} pages")
    stop = look.at(number + 1)
    _, old, alien = stop.args
    look.expect(not old, f"storm: {old} times a thread found the bytes of a page that had been replaced")
    look.expect(not alien, f"storm: {alien} times a thread found the bytes of another process: a frame had a new owner")
    look.invariants()


def held_tables(look, when):
    """A table's bits name the CPUs that have it loaded; {root: those CPUs, by their CR3}."""
    state, cpus, by = look.state(), look.processors(), {}
    for number, cpu in enumerate(cpus):
        by.setdefault(cpu["cr3"] & ADDRESS, set()).add(number)
    for space in state.spaces:
        told = {cpu for cpu in range(32) if space.view.pt.cpus >> cpu & 1}
        for cpu in by.get(space.root, set()) - told:
            look.expect(False, f"{when}: CPU {cpu} " + ("idles with a table loaded that does not name it"
                                                        if cpus[cpu]["halted"] else
                                                        "has a table loaded that says nothing of it"))
        # Between two tables, with interrupts off, a CPU is named by both.
        gone = {cpu for cpu in told - by.get(space.root, set()) if cpus[cpu]["interrupts"]}
        look.expect(not gone, f"{when}: a table names {names(gone)}, which has another loaded")
    return by


def users(look):
    """pagetable->cpus, against what each processor has in CR3."""
    for function, when in (("process_enter_family", "at the first fork"), ("aslr_draw", "when the child executes")):
        look.at_kernel(function)
        held_tables(look, when)
    stop = look.at(1)
    by = held_tables(look, "while one sleeps")
    look.expect(by[stop.root] == {0, 1}, "the test proves nothing: CPUs 0 and 1 are not in one space, alone")
    for number in (2, 3, 4):
        look.at(number)
    stop = look.at(5)
    by = held_tables(look, "when it is awake")
    look.expect(by[stop.root] == {0, 1, 3}, "the test proves nothing: CPUs 0, 1 and 3 are not in one space")


def bound(look):
    """One message for each munmap(), to CPU 1 alone."""
    look.at(1)
    before = messages(look)
    for number in (2, 3, 4):
        stop = look.at(number)
        _, calls, pages = stop.args
        after = messages(look)
        sent = [new - old for old, new in zip(before, after)]
        look.expect(sent[1] <= calls + calls // 50, f"{calls} times {pages} page{'s' * (pages > 1)}: CPU 1 was sent "
                                                    f"{sent[1]} messages, {calls} are enough")
        look.expect(sent[1], "CPU 1 uses the space, and was never sent a message")
        for cpu, who in ((0, "asks itself"), (2, "is in another space"), (3, "idles")):
            look.expect(not sent[cpu], f"CPU {cpu}, which {who}, was sent {sent[cpu]} messages")
        before = after
    look.at(5)


def back(look):
    """Who idled while pages were replaced was not asked, and must not remember them."""
    for number in (1, 2, 3, 4):
        look.at(number)
    stop = look.at(5)
    held_against(look, stop, "pages were replaced while it slept", [3])
    look.invariants()


def cross(look):
    """Everybody asks everybody."""
    look.at(1)
    before = messages(look)
    rounds = look.stops[0].args[1]
    look.at(2)
    after = messages(look)
    few = {cpu for cpu in range(4) if after[cpu] - before[cpu] < rounds}
    look.expect(not few, f"{names(few)} was sent too few messages: each of the others asked {rounds} times")


def picture(look):
    """What each CPU has loaded, and the messages it was sent."""
    def row(what, cells, more=""):
        return f"{what:<32}" + "".join(f"{cell:>7}" for cell in cells) + f"     {more}".rstrip()

    def tables(what, stop):
        roots = [cpu["cr3"] & ADDRESS for cpu in look.processors()]
        space = next(space for space in look.state().spaces if space.root == stop.root)
        named = [cpu for cpu in range(32) if space.view.pt.cpus >> cpu & 1]
        others = {space.root for space in look.state().spaces}
        letters = ["A" if root == stop.root else "B" if root in others else "-" for root in roots]
        return row(what, letters, f"A names {names(named)}")

    lines = [row("", [f"CPU {cpu}" for cpu in range(4)]), tables("loaded, while one sleeps", look.at(1))]
    before = messages(look)
    for number in (2, 3, 4):
        _, calls, pages = look.at(number).args
        after = messages(look)
        lines.append(row(f"messages: {calls} munmap of {pages}", [new - old for old, new in zip(before, after)]))
        before = after
    return [*lines, tables("loaded, when it is awake", look.at(5))]

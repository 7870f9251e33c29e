"""When the kernel dies: a page that says where, in the source, what memory looked like, why that may be, what to type.

The registers come from the kernel's log after a panic, whose printing is the machine's last act, and from QEMU when the
machine stands still after a triple fault or hangs.  All else comes from the memory that the run left.
"""
import os
import re

from . import check, export, glass, machine, memory, runs, trace, verdict, walk
from .machine import HostError
from .memory import KERNEL_HALF
from .state import PAGETABLE, State

EVENTS, CALLERS, VIOLATIONS = 16, 12, 3

DEATHS = "kernel panic|triple fault|the guest reset|hang|the kernel's check of memory|the kernel broke"

# The first that fits the message decides.
CAUSES = [
    (r"GS holds", "each way in from user mode has one swapgs, and so has each way out (kernel/arch/entry.asm): not so "
     "the way in that the calls above began with, or the way out before it"),
    (r"nobody to handle it", "no function was set for this trap: trap_set_handler() was not called, or with NULL"),
    (r"in the handler of page faults", "the handler uses what may not be mapped, and nobody can handle that: here at "
     "{cr2:#x}"),
    (r"a dirty bit was lost", "somebody cleared or replaced an entry without looking at its dirty bit (take_bits() in "
     "mm/rmap.c), or the processor remembered the entry as dirty already: a flush is missing"),
    (r"(in the kernel at|user address) (0x)?[0-9a-f]{1,3}\b", "a pointer is NULL, or nearly: a field behind it, at "
     "{cr2:#x}, was used"),
    (r"outside of uaccess", "the kernel used a pointer that a program gave it: only uaccess may do that"),
    (r"page fault in the kernel", "a pointer is wild or outlived what it pointed to (use after free), or a kernel "
     "mapping was taken away too early"),
    (r"general protection.* in the kernel", "an address that no pointer can be: overwritten memory, or freed memory "
     "used as a pointer; or a register was loaded with what it does not take"),
    (r"kernel stack overflow", "a recursion without an end, or a large local variable: the four pages are used up"),
    (r"taken twice by CPU", "a function that holds the lock calls one that takes it: a deadlock with itself"),
    (r"has been held by CPU", "the holder never lets go of it: it waits for something itself (a deadlock), or a way "
     "out of the function forgets to unlock"),
    (r"lock order:", "two ways through the kernel take these locks in different orders, which deadlocks one day"),
    (r"TLB shootdown: CPU", "that CPU runs with interrupts off: it hangs, or waits for a lock that the asker holds"),
    (r"tlbcheck:", "an entry was downgraded and its flush is missing, or comes too late"),
    (r"rmap: the frame", "the entry was changed, or its link dropped, by other code than rmap.c"),
    (r"frame_free\(\)", "a frame was freed twice, or while somebody still mapped or used it"),
    (r"assertion failed", "what the condition says must always hold did not: whoever broke it came before this line"),
    (r"init ended", "the first program was killed or ended: its last messages are in kernel.log"),
    (r"no memory|out of memory|too little memory", "the kernel itself found no frame: give the machine more (--mem), "
     "or look with ./vm mem for whom has them all"),
    (r"PANIC: .* in user mode", "an exception that no program can cause by itself: its state was restored wrongly"),
    (r"hang: halted with interrupts off", "the processor waits (hlt) and no interrupt can wake it: a cli without sti, "
     "or a sleep with interrupts off"),
    (r"hang:", "a loop whose end never comes, with interrupts off: a lock that nobody lets go, or a broken list"),
    (r"check of memory failed", "an invariant was broken while the program ran; ./vm check names the structures"),
]


class Death:
    """A dead machine: its folder, what was said about its end, its registers, and its memory if that can be read."""

    def __init__(self, folder, message, kernel):
        self.folder, self.message, self.kernel = folder, message, kernel
        self.registers = self._registers()
        self.state = State(kernel, folder)

    def _registers(self):
        """Of the CPU that died: the one that panicked, or the first."""
        try:
            with open(os.path.join(self.folder, "registers"), encoding="ascii") as file:
                words = re.sub(r"^CPU#0|CPU#1.*", "", file.read(), flags=re.S)
        except FileNotFoundError:
            words = re.sub(r"\b([a-z]+[0-9]*) +(?=[0-9a-f]{16}\b)", lambda m: m[1].upper() + "=", self.message)
        return {name: int(value, 16) for name, value in re.findall(r"\b([A-Z]+\d*)\s*=\s*([0-9a-f]+)", words)}

    # --- where -------------------------------------------------------------------------------------------

    def addresses(self):
        """Where it was, and who called: addresses of instructions, return addresses less one."""
        printed = re.search(r"backtrace:\n((?: +[0-9a-f]{16}.*\n?)+)", self.message)
        if printed:
            found = [int(word, 16) for word in re.findall(r"^ +([0-9a-f]{16})", printed[1], re.M)]
            return [address - (address != self.registers.get("RIP")) for address in found]
        return [self.registers["RIP"], *self.callers()] if "RIP" in self.registers else []

    def callers(self):
        """Return addresses less one, by the chain of frame pointers."""
        at, found = self.registers.get("RBP", 0), []
        while at >= KERNEL_HALF and at % 8 == 0 and len(found) < CALLERS:
            try:
                above, address = (int.from_bytes(self.kernel.read(at + n, 8), "little") for n in (0, 8))
            except HostError:
                break
            if not self.kernel.image <= address < self.kernel.end or above <= at:
                break
            found.append(address - 1)
            at = above
        return found

    def places(self):
        """[(function, file, line)] of where it was, and of the callers; inlined functions apart."""
        return self.kernel.lines_of(self.addresses()[:CALLERS])

    def where(self):
        places = [place for place in self.places() if place[0] not in ("panic", "panic_trap")]
        if not places:
            rip = self.registers.get("RIP", 0)
            return [f"at {rip:#x}, which is no code of the kernel"] * bool(rip)
        (function, file, line), callers = places[0], places[1:]
        lines = [f"in {function}(), {file}:{line}"] + source(file, line)
        return lines + [f"called from {name}(), {place}:{number}" for name, place, number in callers]

    # --- what memory says --------------------------------------------------------------------------------

    def unmapped(self):
        """What the processor needs to deliver an exception, and cannot reach: why a fault became a triple fault."""
        root, found = self.registers.get("CR3", 0) & memory.ADDRESS, []
        roots = {space.root for space in self.state.spaces if self.state.owner(space.root >> 12) == PAGETABLE}
        if root not in roots | {self.kernel.root}:
            return [f"CR3 holds {root:#x}, which is the root of no page table"]
        for name, what in (("RIP", "the code itself"), ("RSP", "the stack"), ("IDT", "the table of exceptions (IDT)"),
                           ("GDT", "the table of segments (GDT)"), ("TR", "the task segment (TSS)")):
            address = self.base(name)
            if address is None or self.reaches(root, address):
                continue
            found.append(f"{what}, at {address:#x}, is not mapped")
        return found

    def base(self, name):
        """The address in a register; of TR, IDT and GDT the base of what they describe."""
        if name not in ("TR", "IDT", "GDT"):
            return self.registers.get(name)
        with open(os.path.join(self.folder, "registers"), encoding="ascii") as file:
            found = re.search(rf"{name}\s*=\s*(?:[0-9a-f]{{4}} )?([0-9a-f]{{16}})", file.read())
        return int(found[1], 16) if found else None

    def reaches(self, root, address):
        try:
            return memory.translate(self.kernel.ram, root, address) is not None
        except HostError:
            return False

    def walk(self):
        """The page walk of the address that faulted, where the kernel has not printed it."""
        if "page walk of" in self.message or not self.registers.get("CR2") or "triple fault" not in self.message:
            return []
        root, address = self.registers.get("CR3", 0) & memory.ADDRESS, self.registers["CR2"]
        try:
            data = walk.explain_kernel(self.state, root, address, True)
        except HostError as error:
            return [f"the walk of {address:#x} ends at once: {error}"]
        return glass.show_walk(data)[:-3]

    def locks(self):
        """Spin locks and vm_lock, if somebody holds them."""
        found = []
        for name, (_, kind) in self.kernel.variables.items():
            if kind == ["struct", "spinlock"] and ":" in name and (lock := self.kernel.variable(name)).held:
                found.append(f"spin lock \"{self.kernel.string(lock.name)}\" is held by CPU {lock.held - 1}"
                             + "".join(f", taken in {name}(), {file}:{line}"
                                       for name, file, line in self.kernel.lines_of([lock.where - 1])[:1]))
        owner = self.kernel.variable("vm_lock").owner
        return found + ([f"vm_lock is held by thread \"{owner.name}\""] if owner else [])

    def invariants(self):
        if self.kernel.variable("init_process") is None:
            return ["the kernel was still booting"]
        found = check.Check(self.state).run()
        lines = [sentence for _, sentence in found.violations[:VIOLATIONS]]
        if found.count > VIOLATIONS:
            lines.append(f"... and {found.count - VIOLATIONS} more (./vm check)")
        if lines and runs.locks_held(self.kernel):
            lines.append("(with a lock held: some of that may be work that was going on)")
        return lines or ["all invariants of memory hold"]

    def events(self):
        recorded = trace.read(self.kernel)
        return export.tail(recorded, EVENTS).splitlines()

    def cause(self):
        """The likely cause, in a sentence."""
        if "triple fault" in self.message:
            found = self.unmapped()
            return found or ["the exception's own handler faulted, or its gate, segment or stack is wrong"]
        for pattern, sentence in CAUSES:
            if re.search(pattern, self.message):
                return [sentence.format(cr2=self.registers.get("CR2", 0))]
        return ["nothing that is known: the lines above are all there is"]


def source(file, line):
    """The line of the source, with its neighbours."""
    try:
        with open(os.path.join(machine.ROOT, file), encoding="utf-8") as text:
            lines = text.read().split("\n")
    except OSError:
        return []
    return [f"{'>' if n == line else ' '} {n:4} | {lines[n - 1]}".rstrip()
            for n in range(max(1, line - 2), min(len(lines), line + 1) + 1)]


def section(title, lines):
    return [f"{title if n == 0 else '':8}{line}" for n, line in enumerate(lines)]


def advice(folder):
    """What to type next."""
    name = os.path.relpath(folder)
    return [f"./vm last                  this page again; the run's folder is {name}",
            "./vm check, ps, mem        its memory, as it was then (docs/glass.md)",
            "./vm trace --tail 100      what the kernel did before",
            f"tar -cSzf crash.tgz {name}    for a report of the bug; ./vm --run FOLDER opens it elsewhere"]


def page(folder, message):
    """The lines that follow the message about how the kernel died; [] when its memory cannot be read."""
    try:
        kernel = runs.kernel_of(folder, early=True)
    except HostError:
        return []
    try:
        death = Death(folder, message, kernel)
        lines = []
        for title, part in (("where", death.where), ("walk", death.walk), ("locks", death.locks),
                            ("memory", death.invariants), ("before", death.events), ("cause", death.cause)):
            try:
                lines += section(title, part())
            except Exception as error:  # pylint: disable=broad-exception-caught  # such memory may hold anything
                lines += section(title, [f"cannot be told: {error}"])
        return lines + section("next", advice(folder))
    finally:
        kernel.ram.close()


def tell(folder, end):
    """Write the page of a run that ended by the kernel's death into its folder; its text, "" for other ends."""
    if end.status != verdict.KERNEL or not re.match(DEATHS, end.message):
        return ""
    text = "".join(line + "\n" for line in page(folder, end.message))
    if text:
        with open(os.path.join(folder, "crash.txt"), "w", encoding="utf-8") as note:
            note.write(text)
    return text

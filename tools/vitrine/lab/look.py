"""One graded run: a trusted program in the guest, and the machine's state wherever it calls checkpoint().

A probe is a function that gets a Look and goes from checkpoint to checkpoint:

    def sharing(look):
        before = look.at(1)                       the machine runs to the first checkpoint, and stands there
        start, pages = before.args[0:2]
        child = look.at(2)
        look.expect(child.frames(start, pages) == before.frames(start, pages), "the child has other frames")

Where a page is comes from the processor's own page-table root and the tables in the RAM file, not from anything that
the kernel says; what the kernel's structures say is held against that by state() and invariants().  A checkpoint
counts only if the code that is mapped there is the program's own, byte for byte: a program that was changed or
exchanged reaches none.
"""
import contextlib
import os
import re
import subprocess
import time

from elftools.elf.elffile import ELFFile

from .. import check, machine, memory, runs, verdict
from ..kernel import Kernel
from ..machine import HostError
from ..memory import ADDRESS, DIRTY, PAGE, PRESENT, WRITE, BadAddress, Ram
from ..state import State
from . import gdbstub

SHOWN = 4  # sentences of one kind that are kept
LOOK_EVERY = 2.0  # seconds between two looks at a machine that does not come to a checkpoint
LOOKS_IDLE = 30  # looks after which a machine that only idles will do so for ever: its clock leaps over every pause
SANDBOX = "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


class Over(Exception):
    """There is nothing more to judge in this run; str() is what was seen."""


class Program:
    """The trusted program: what is mapped of it must be this."""

    def __init__(self, path):
        with open(path, "rb") as file:
            elf = ELFFile(file)
            symbols = elf.get_section_by_name(".symtab")
            found = symbols.get_symbol_by_name("checkpoint_here") if symbols else None
            if not found:
                raise HostError(f"{path} has no checkpoint() in it (labs/lab.h)")
            self.here = found[0]["st_value"]
            self.constant = [(s["p_vaddr"], s.data()) for s in elf.iter_segments()
                             if s["p_type"] == "PT_LOAD" and not s["p_flags"] & 2]

    def pages(self):
        """(address, bytes) of each page that never changes; the ends of a segment are as far as they are its own."""
        for start, data in self.constant:
            for va in range(start & -PAGE, start + len(data), PAGE):
                low, high = max(va, start), min(va + PAGE, start + len(data))
                yield low, data[low - start:high - start]


class Space:
    """An address space as the processor has it: the page-table root, in the machine's RAM of now."""

    def __init__(self, ram, root):
        self.ram, self.root = ram, root & ADDRESS

    def entry(self, va):
        """The last entry on the way to an address; 0 where nothing is mapped."""
        level, _, entry = memory.walk(self.ram, self.root, va)[-1]
        return entry if entry & PRESENT and level == 1 else 0

    def entries(self, start, pages):
        return [self.entry(start + k * PAGE) for k in range(pages)]

    def frames(self, start, pages):
        """The number of the frame of each page, None where none is mapped."""
        return [(entry & ADDRESS) >> 12 if entry else None for entry in self.entries(start, pages)]

    def writable(self, start, pages):
        """The pages that may be written to, counted from 0."""
        return [k for k, entry in enumerate(self.entries(start, pages)) if entry & WRITE]

    def dirty(self, start, pages):
        return [k for k, entry in enumerate(self.entries(start, pages)) if entry & DIRTY]

    def read(self, va, size):
        """Bytes at an address, None if they are not all mapped."""
        data = b""
        while len(data) < size:
            at = va + len(data)
            entry = self.entry(at)
            if not entry:
                return None
            data += self.ram.read((entry & ADDRESS) + at % PAGE, min(size - len(data), PAGE - at % PAGE))
        return data

    def words(self, va, count):
        """Numbers of eight bytes at an address."""
        data = self.read(va, 8 * count) or bytes(8 * count)
        return [int.from_bytes(data[at:at + 8], "little") for at in range(0, 8 * count, 8)]


class Stop(Space):
    """The machine at a checkpoint: its number, its further arguments, and the time in instructions."""

    def __init__(self, ram, root, number, args, clock):  # pylint: disable=too-many-arguments
        super().__init__(ram, root)
        self.number, self.args, self.clock = number, args, clock


class Look:  # pylint: disable=too-many-instance-attributes
    """A run that goes on.  `seen` gathers what is not as it should be; `files` has the student's, {path: text}."""

    def __init__(self, command, env, program, user):
        self.program, self.seed, self.budget, self.files = program, 0, 0, {}
        self.seen, self.stops, self.open_steps = [], [], set()
        self._files = [open(env["VITRINE_BUILD"] + f"/{name}", "w+b") for name in ("out", "err")]
        self.vm = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=self._files[0],
                                   stderr=self._files[1], preexec_fn=machine.die_with_parent, **user)
        self._runs = os.path.join(env["VITRINE_BUILD"], "runs")
        self.folder = self._stub = self._ram = self._kernel = self.message = None

    # --- for probes --------------------------------------------------------------------------------------

    def at(self, number):
        """Run to the next checkpoint, which must be this one; the Stop."""
        stop = self._next()
        if stop is None:
            self._finish()
            raise Over(f"the run ended before checkpoint {number}: {self._how()}")
        if stop.number != number:
            raise Over(f"checkpoint {stop.number} came where {number} should: a process went another way")
        self.stops.append(stop)
        return stop

    def at_kernel(self, function):
        """Run until the kernel comes to a function, which a file of ours must define; the Space that it is in."""
        if self._stub is None:
            self._connect()
        with open(os.path.join(self.folder, "vitrine.elf"), "rb") as file:
            found = ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name(function)
        if not found:
            raise gdbstub.Trouble(f"the kernel has no function {function}")
        here = found[0]["st_value"]
        try:
            self._stub.stop_at(here)
            self._go()
            at = self._stub.register(gdbstub.RIP)
            if at == here:
                self._stub.leave(here)
                return Space(self._ram, self._stub.register(gdbstub.CR3))
            if at == self.program.here:
                raise Over(f"the program came to a checkpoint before the kernel came to {function}()")
        except gdbstub.Gone:
            pass
        self._finish()
        raise Over(f"the run ended before the kernel came to {function}(): {self._how()}")

    def expect(self, holds, sentence):
        """Note what is wrong unless it holds; True if it does."""
        if not holds and sentence not in self.seen:
            self.seen.append(sentence)
        return bool(holds)

    def not_yet(self, step):
        """A step that is done by hand is not yet: nothing is expected of it."""
        self.open_steps.add(step)
        self.expect(False, f"step {step} is not yet done")

    def expect_pages(self, bad, pages, sentence):
        """None of the pages may be in `bad`, a list of their numbers."""
        what = f"{len(bad)} of {pages} pages" + (f", the first is page {bad[0]}" if bad else "")
        return self.expect(not bad, f"{sentence}: {what}")

    def byte(self, k):
        """What page k is filled with in this run: byte_of() of labs/lab.h."""
        return (self.seed * 2654435761 + k * 40503 & 0xFFFFFFFF) >> 9 & 0xFF | 1

    def chosen(self, k):
        """Whether page k is stored to in this run: chosen() of labs/lab.h."""
        return ((self.seed * 40503 + k * 2654435761 & 0xFFFFFFFF) >> 13) % 3 == 0

    def not_filled(self, space, start, pages, byte=None):
        """The pages whose bytes are not all what they were filled with."""
        return [k for k in pages if space.read(start + k * PAGE, PAGE) != bytes([(byte or self.byte)(k)]) * PAGE]

    def state(self, early=False):
        """The kernel's structures of now, as vitrine.state reads them; `early`: also before the first process."""
        return State(Kernel(self._ram, os.path.join(self.folder, "vitrine.elf"), early), self.folder)

    def invariants(self):
        """Note every invariant of memory that is broken now; docs/invariants.md has them."""
        state = self.state()
        if not set(runs.locks_held(state.kernel)) - {"processes"}:  # which guards no memory
            for number, sentence in check.Check(state).run().violations[:SHOWN]:
                self.expect(False, f"invariant {number}: {sentence}")
        return state

    def _disks(self, *counts):
        """The sums over the machine's disks of what QEMU counts."""
        with contextlib.closing(runs.Monitor(self.folder)) as monitor:
            disks = monitor.command("query-blockstats")
        return [sum(disk["stats"][count] for disk in disks) for count in counts]

    def disk_reads(self):
        """How many bytes the machine has read from its disks."""
        return self._disks("rd_bytes")[0]

    def disk_writes(self):
        """How many bytes the machine has written to its disks, and by how many requests."""
        return self._disks("wr_bytes", "wr_operations")

    def processors(self):
        """What each processor has in its registers, the first one first: machine.parse_registers() says what."""
        with contextlib.closing(runs.Monitor(self.folder)) as monitor:
            text = monitor.command("human-monitor-command", **{"command-line": "info registers -a"})
        return machine.parse_registers(text)

    # --- the machine -------------------------------------------------------------------------------------

    def _connect(self):
        """The run's folder and the debugger's port, as soon as they are there."""
        while self.folder is None or not os.path.exists(os.path.join(self.folder, "gdb.sock")):
            if self.vm.poll() is not None:
                self._finish()
                raise gdbstub.Trouble(f"the machine did not start: {self.message}")
            names = os.listdir(self._runs) if os.path.isdir(self._runs) else []
            found = [name for name in names if name.endswith(f"-{self.vm.pid:x}")]
            self.folder = os.path.join(self._runs, found[0]) if found else None
            time.sleep(0.02)
        runs.Monitor(self.folder).close()  # it answers when QEMU has made everything
        self._stub = gdbstub.Stub(self.folder)
        self._ram = Ram(os.path.join(self.folder, "ram"))
        self._stub.stop_at(self.program.here)

    def _next(self):
        """The next checkpoint of the trusted program, None when the machine has ended."""
        try:
            if self._stub is None:
                self._connect()
            while True:
                self._go()
                if self._stub.register(gdbstub.RIP) != self.program.here:
                    return None  # it is the machine that stopped, in a reset; vm run will say so
                root = self._stub.register(gdbstub.CR3)
                if self._is_ours(Space(self._ram, root)):
                    break
                self._stub.pass_by(self.program.here)
            number, *args = (self._stub.register(r) for r in (gdbstub.RDI, gdbstub.RSI, gdbstub.RDX, gdbstub.RCX))
            clock = self._stub.register(gdbstub.RAX)
            self._stub.set_register(gdbstub.RIP, self.program.here + 1)
            return Stop(self._ram, root, number, args, clock)
        except gdbstub.Gone:
            return None

    def _go(self):
        """Let the machine run until it stops; one that never will is Over."""
        watch, idle = verdict.Watch(), 0
        self._stub.go()
        while not self._stub.stopped(LOOK_EVERY):
            if self.vm.poll() is not None:
                raise gdbstub.Gone
            cpus = []
            with contextlib.suppress(HostError, OSError):  # QEMU may end just now, which the other port will tell
                cpus = self.processors()
            end = watch.look(cpus)
            if end is not None:
                raise Over(end.message)
            self._hold_budget()
            idle = idle + 1 if cpus and all(cpu["halted"] for cpu in cpus) else 0
            if idle == LOOKS_IDLE:
                raise Over("hang: every processor is idle: somebody waits for what does not come")

    def _hold_budget(self):
        """Over when far more instructions than allowed were run: a loop, in a program or in the kernel."""
        with contextlib.suppress(HostError, BadAddress):  # the machine may not have come far yet
            self._kernel = self._kernel or Kernel(self._ram, os.path.join(self.folder, "vitrine.elf"))
            due = [at for at in self._kernel.variable("kernel/arch/clock.c:alarms") if at < 1 << 63]
            spent = max(due, default=0) - self._since()
            if spent > self.budget:
                raise Over(f"it goes on and on: {spent:,} instructions without the next checkpoint, "
                           f"{self.budget:,} are allowed")

    def _since(self):
        """Nanoseconds of the kernel's clock at the first checkpoint: one is an instruction."""
        return self.stops[0].clock - self._kernel.variable("kernel/arch/clock.c:tsc_start") if self.stops else 0

    def _is_ours(self, space):
        """Whether the code here is the trusted program's; Over if only some of it is."""
        try:
            here = {va: space.read(va, len(data)) == data for va, data in self.program.pages()
                    if space.entry(va) or va & -PAGE == self.program.here & -PAGE}
        except BadAddress:
            return False
        at = max(va for va in here if va <= self.program.here)
        if here[at] and not all(here.values()):
            raise Over("the program in memory is not the one that was given out: its code or constants were changed")
        return here[at]

    def end(self):
        """Run to the end, which must be a good one; no further checkpoint may come."""
        stop = self._next()
        if stop is not None:
            raise Over(f"checkpoint {stop.number} came where the program should have ended")
        self._finish()
        if self.vm.returncode:
            raise Over(self._how())

    def _finish(self):
        self.vm.wait()
        self.message = self._text(1)

    def _how(self):
        """How the run ended, and what the kernel and the program had to say about it."""
        first, *more = [line for line in self.message.splitlines() if line.startswith(("vm: ", " "))
                        and not line.startswith(("vm: see ", "vm: waiting "))] or [""]
        if "check of memory failed" in first:
            more = [line for line in more if re.search("init:|vm_check", line)]
        said = [line for line in self.output().splitlines() if line.startswith(("FAILED", "GAVE UP"))]
        ended = first.removeprefix("vm: ") or f"the program ended with status {self.vm.returncode}"
        return "\n".join([ended, *more[:SHOWN * 2], *said[:SHOWN]])

    def _text(self, which):
        self._files[which].seek(0)
        return self._files[which].read().decode("utf-8", "replace")

    def output(self):
        """What the program printed."""
        return self._text(0)

    def log(self):
        """The kernel's log."""
        try:
            with open(os.path.join(self.folder or "", "kernel.log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def reached(self, lab):
        """The steps of a lab that the kernel came to and found not yet written."""
        said = re.findall(rf"^lab: {lab}/(\d+) is not yet written", self.log(), re.M)
        return self.open_steps | set(map(int, said))

    def instructions(self):
        """From the first checkpoint to the last."""
        return self.stops[-1].clock - self.stops[0].clock if self.stops else 0

    def close(self):
        """End the machine, if it goes on."""
        if self.vm.poll() is None:
            self.vm.terminate()
        self.vm.wait()
        for thing in (self._stub, self._ram, *self._files):
            if thing is not None:
                thing.close()

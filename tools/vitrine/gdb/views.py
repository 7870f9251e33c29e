"""vm ps, maps, walk, frame, mem, swap, faults, check, trace, fault: the verbs of ./vm inside gdb.

Each means the machine as it stands at this stop.  Where ./vm wants a process, none is the one that runs on this
processor; where it wants an address or a frame, any expression of gdb's will do.
"""
import argparse

import gdb

from vitrine import export, glass, options, trace
from vitrine.gdb import guest
from vitrine.gdb.guest import Command
from vitrine.machine import HostError

FETCH, USER, WRITE, PRESENT = 16, 4, 2, 1  # of a page fault's error code
PAGE_FAULT = 14
EVENTS = 16  # that vm trace shows


def vm(_argument):
    """vm VERB - the machine's memory at this stop, the programs in it.

    vm ps, mem, swap, faults, check      as ./vm prints them
    vm maps [PID]                        regions of a process, or of the one that runs here
    vm walk [PID] ADDRESS                what page tables make of an address, and what an access does
    vm frame N|POINTER                   whose a frame is: by number, or that a pointer of the kernel's leads to
    vm fault                             the page fault that is being answered, or the last one, in words
    vm trace [N]                         the last N things that the kernel did with memory
    vm use [PID], vm at PID COMMAND      symbols of a process; a command of gdb's, seen from it
    vm list HEAD TYPE LINK               the structures in a list of the kernel's

ADDRESS, N and POINTER are expressions. See also: help break-user."""
    gdb.execute("help vm")


def tell(verb, **words):
    """What a verb of ./vm prints."""
    get, show = glass.VERBS[verb]
    print("\n".join(show(get(guest.state(), argparse.Namespace(**words)))))


def simple(verb):
    def command(_argument):
        tell(verb)
    command.__doc__ = f"vm {verb} - {options.GLASS[verb]}."
    return command


def maps(argument):
    """vm maps [PID] - the regions of a process: resident, swapped out, shared, and what the next store copies."""
    tell("maps", pid=guest.find(argument).pid)


def walk(argument):
    """vm walk [PID] ADDRESS - the way through the page table, and what a read, a write and a fetch there would do.

    vm walk page             an address of the process that runs here
    vm walk 3 &counter
    vm walk $rip             the kernel's addresses are the same in all processes"""
    words = gdb.string_to_argv(argument)
    if not words:
        raise HostError("vm walk [PID] ADDRESS, such as: vm walk $sp")
    first = words[0] if len(words) > 1 and words[0].isdigit() else ""
    address = guest.number(" ".join(words[1:] if first else words))
    kernel_only = not first and guest.process() is None and address >= guest.KERNEL_HALF
    tell("walk", pid="kernel" if kernel_only else guest.find(first).pid, address=address)


def frame(argument):
    """vm frame N|POINTER - a frame: whose it is, who maps it.

    vm frame 843             by its number
    vm frame anon->frame     by its struct frame
    vm frame page            by an address, of the kernel's or of the process that runs here"""
    if not argument:
        raise HostError("vm frame N|POINTER, such as: vm frame 843")
    tell("frame", frame=frame_number(gdb.parse_and_eval(argument)))


def frame_number(value):
    """The number of the frame that a value of gdb's means."""
    state, number = guest.state(), int(value) & 0xFFFFFFFFFFFFFFFF
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR and kind.target().unqualified().strip_typedefs().tag == "frame":
        return state.number(number)
    if kind.code != gdb.TYPE_CODE_PTR or number >= guest.KERNEL_HALF:
        return number
    entry = state.space_of(guest.find("")).entries.get(number & -4096)
    if not entry:
        raise HostError(f"{number:#x} is not mapped now, so no frame is there: vm walk {number:#x} tells more")
    return (entry & glass.ADDRESS) >> 12


# --- the trace, the fault -------------------------------------------------------------------------------------------

def recorded():
    """The trace of the run up to this stop."""
    found = trace.read(guest.state().kernel)
    if not found.rings:
        raise HostError("this run records no events: start it without --trace off")
    return found


def last_events(argument):
    """vm trace [N] - the last N things (16) that the kernel did with memory, as sentences."""
    if not (argument or "1").isdigit() or argument == "0":
        raise HostError("vm trace [N], such as: vm trace 40")
    print(export.tail(recorded(), int(argument or EVENTS)), end="")


def fault(_argument):
    """vm fault - the page fault that the kernel is answering on this processor, or else the last one, in words."""
    frame = answering()
    if frame is None:
        last = next((event for event in reversed(recorded().events) if event.kind == "fault"), None)
        if last is None:
            raise HostError("no page fault is being answered on this processor, and the trace has none either")
        print(f"none is being answered here; the last one: {recorded().say(last)}, by {recorded().name(last.tid)}")
        return
    task, address = guest.task(), guest.register("cr2")
    what = "fetched an instruction from" if frame.error & FETCH else "wrote to" if frame.error & WRITE else "read from"
    how = "the entry does not allow it" if frame.error & PRESENT else "there is no entry"
    print(f"process {task.process.pid} ({task.thread.name}) {what} {address:#x}, and {how}")
    print(f"  at      {source_line(frame.rip)}")
    print(f"  answer  {meaning(address, frame)}")


def answering():
    """The struct trapframe of a page fault from user mode that the selected processor is at work on, else None."""
    task = guest.task() if guest.is_live() and guest.register("rip") >= guest.KERNEL_HALF else None
    if task is None:
        return None
    kernel = guest.state().kernel
    found = kernel.view("trapframe", guest.cpu().kernel_stack - (kernel.size("trapframe") + 15 & ~15))
    return found if found.vector == PAGE_FAULT else None


def meaning(address, frame):
    """What the kernel will do about it."""
    from vitrine import walk as walker  # pylint: disable=import-outside-toplevel  # its name is a command here
    space = guest.state().space_of(guest.process())
    access = "fetch" if frame.error & FETCH else "write" if frame.error & WRITE else "read"
    return walker.explain(guest.state(), space, address)[access].removeprefix("a fault: ")


def source_line(address):
    """An address of a program as function and line, as far as symbols are there."""
    line = gdb.find_pc_line(address)
    function = gdb.execute(f"info symbol {address:#x}", to_string=True).split(" in section")[0].strip()
    name = f"{address:#x}" + (f" {function}" if not function.startswith("No symbol") else "")
    return name + (f", {line.symtab.filename}:{line.line}" if line.symtab else "")


Command("vm", vm, prefix=True)
for name in ("ps", "mem", "swap", "faults", "check"):
    Command(f"vm {name}", simple(name))
for name, function in (("maps", maps), ("walk", walk), ("frame", frame), ("trace", last_events),
                       ("fault", fault)):
    Command(f"vm {name}", function, gdb.COMPLETE_EXPRESSION)

"""User programs in gdb: their symbols where they really are, breakpoints before they start, and who called whom.

A program that is position-independent lies somewhere else each time, and its libraries too.  Where, the guest's
regions tell; the files come out of the run's disk, and for programs of this tree out of build/, with what gdb needs.
"""
import os

import gdb

from vitrine import core, image, postmortem
from vitrine.gdb import guest
from vitrine.gdb.guest import Command
from vitrine.machine import HostError
from vitrine.memory import PAGE

ROOT = os.path.join(guest.FOLDER, "gdb")  # files of the guest, by their paths there
_loaded = {}  # {file on the host: where in memory what is 0 in the file lies}


# --- which files, and where ------------------------------------------------------------------------------

def host_file(path):
    """A file of the guest's disk, on the host, unstripped if it is one of ours; None when it is not there."""
    if not os.path.exists(ROOT + path):
        os.makedirs(os.path.dirname(ROOT + path), exist_ok=True)
        try:
            image.get(os.path.join(guest.FOLDER, "root.img"), path, ROOT + path)
        except image.ImageError:
            return None
    return core.unstripped(ROOT + path, path)


def first_segment(file):
    """The address in the file of the page that its first segment to be loaded begins in; None: no program."""
    try:
        table = core.program_headers(file)
    except HostError:
        return None
    return next((entry[3] & -PAGE for entry in table if entry[0] == core.PT_LOAD), None)


def images(process):
    """{path in the guest: (lowest address, end, where what is 0 in the file lies)} of the programs mapped there."""
    state = guest.state()
    space = state.space_of(process)
    found = {}
    for region in space.regions if space else ():
        name = space.label(region)
        if region.object is None or not name.startswith("/"):
            continue
        if name in found:
            found[name] = (found[name][0], region.end, found[name][2])
        elif region.offset == 0:
            file = host_file(name)
            first = first_segment(file) if file else None
            if first is not None:
                found[name] = (region.start, region.end, region.start - first)
    return found


# --- symbols ---------------------------------------------------------------------------------------------

def unload(file):
    if _loaded.pop(file, None) is not None:
        gdb.execute(f"remove-symbol-file {file}", to_string=True)


def show(wanted):
    """Have these symbols and no others of programs: {file: where what is 0 in the file lies}."""
    confirm = gdb.parameter("confirm")
    gdb.execute("set confirm off")
    try:
        for file in [file for file, base in _loaded.items() if wanted.get(file) != base]:
            unload(file)
        for file, base in wanted.items():
            if file not in _loaded:
                gdb.execute(f"add-symbol-file {file} -o {base:#x}", to_string=True)
                _loaded[file] = base
    finally:
        gdb.execute(f"set confirm {'on' if confirm else 'off'}")


def load(process):
    """Have the symbols of a process's program and libraries."""
    show({host_file(path): where[2] for path, where in images(process).items()})


def use(argument):
    """vm use [PID] - symbols of a process's program and libraries, where they are in its memory.

Without PID it is the process that runs on this processor. Breakpoints, names and backtraces then mean its program;
those of the kernel stay. What else it has to show while another process runs: help vm at."""
    process = guest.find(argument)
    state = guest.state()
    paths = images(process)
    if not paths:
        raise HostError(f"process {process.pid} has no program any more")
    load(process)
    print(f"process {process.pid} ({state.name_of(process)}):")
    for path, (start, end, _) in paths.items():
        print(f"  {start:#x}-{end:#x}  {path}")
    if guest.is_live() and guest.process() != process:
        print(f"It does not run on this processor now: `vm at {process.pid} backtrace` shows where it is.")


# --- another process's registers and memory --------------------------------------------------------------

def resting_registers(thread):
    """The registers and the page table that a thread which does not run will have when it does."""
    found = postmortem.resting_registers(guest.state().kernel, thread)
    return dict(found, cr3=thread.pagetable.root) if thread.pagetable else found


def set_registers(values):
    for name, value in values.items():
        gdb.execute(f"set variable ${name} = (unsigned long){value:#x}", to_string=True)


def at(argument):
    """vm at PID COMMAND - a command of gdb's, seen from a process that does not run now.

    vm at 3 backtrace        where it sleeps, from the kernel up to its main()
    vm at 3 print counter    a variable in its memory
    vm at 3 frame function main -- info locals

For the length of COMMAND the processor is given the registers and the page table that the process has put away."""
    word, _, command = argument.strip().partition(" ")
    if not command:
        raise HostError("vm at PID COMMAND, such as: vm at 3 backtrace")
    guest.need_machine()
    process = guest.find(word)
    tasks = guest.state().tasks(process)
    if not tasks:
        raise HostError(f"process {process.pid} is a zombie: nothing of it is left but its exit status")
    thread = tasks[0].thread
    for here in guest.state().kernel.variable("cpus"):
        if here and here.current == thread:
            raise HostError(f"process {process.pid} runs now: `thread {here.apic_id + 1}` is its processor, "
                            "and every command means it there")
    there, symbols = resting_registers(thread), dict(_loaded)
    here, processor = {name: guest.register(name) for name in there}, gdb.selected_thread()
    load(process)
    try:
        set_registers(there)
        for part in filter(str.strip, command.split(" -- ")):
            if part.split()[0].rstrip("0123456789") in MOVING:
                raise HostError(f"{part.split()[0]} lets the machine run, and this processor is not the process's own")
            gdb.execute(part)
    finally:
        processor.switch()  # COMMAND may have chosen another
        set_registers(here)
        show(symbols)


MOVING = ("c", "continue", "s", "step", "si", "stepi", "n", "next", "ni", "nexti", "finish", "fin", "until", "u",
          "advance", "jump", "j", "call", "detach", "kill", "quit", "q")


# --- breakpoints in programs -----------------------------------------------------------------------------

class UserBreakpoint(gdb.Breakpoint):
    """At an address in programs of one file; other programs may have other things there."""

    def __init__(self, wish, address, inode):
        super().__init__(f"*{address:#x}")
        self.wish, self.inode = wish, inode

    def stop(self):
        guest.forget()
        process = guest.process()
        if not process or not process.exe or process.exe.inode.address != self.inode:
            return False
        load(process)
        return True


class ExecBreakpoint(gdb.Breakpoint):
    """Where the kernel has laid out a new program and gives the old one up: sets what users wish for in it."""

    def __init__(self):
        super().__init__(function="commit", internal=True)  # of exec.c
        self.silent = True
        self.wishes = []

    def stop(self):
        guest.forget()
        process = guest.process()
        found = images(process) if process else {}
        program = next(iter(found), None)  # the lowest: the kernel puts programs below libraries
        wanted = [wish for wish in self.wishes if wish.means(program)]
        if not wanted:
            return False
        load(process)
        space = guest.state().space_of(process)
        inode = space.region_at(found[program][0]).object.address  # a file's object is the first part of its inode
        return any([not wish.set_in(found[program], inode) for wish in wanted])


class Wish:
    """PROGRAM:LOCATION, which becomes breakpoints each time that PROGRAM is started."""

    def __init__(self, program, location):
        self.program, self.location, self.breakpoints = program, location, []

    def means(self, path):
        return path is not None and self.program in (path, os.path.basename(path))

    def set_in(self, where, inode):
        """Set it in the program that lies there; False, and a word about it, when there is no such location."""
        live = [space.address for space in guest.state().spaces]
        for old in [b for b in self.breakpoints if b.is_valid() and b.space not in live]:
            old.delete()
        low, high, _ = where
        places = [pc for pc in addresses(self.location) if low <= pc < high]
        if not places:
            print(f"break-user: {self.program} has started, and has no place {self.location}")
            return False
        for place in places:
            new = UserBreakpoint(self, place, inode)
            new.space = guest.state().space_of(guest.process()).address
            self.breakpoints.append(new)
        return True


def addresses(location):
    """The addresses that a location means to gdb now, in whatever file; [] for none."""
    try:
        return [line.pc for line in gdb.decode_line(location)[1] or ()]
    except gdb.error:
        return []


_hook = []


def break_user(argument):
    """break-user PROGRAM:LOCATION - a breakpoint in a user program, set when the program is started.

    break-user hog:main
    break-user /tests/cow_seen:cow_seen.c:40

PROGRAM is a file's path in the guest, or its last part. LOCATION is a function or FILE:LINE. A program that is
position-independent lies elsewhere each time: the breakpoint follows it, and stops no other program."""
    program, colon, location = argument.strip().partition(":")
    if not (program and colon and location):
        raise HostError("break-user PROGRAM:LOCATION, such as: break-user hog:main")
    guest.need_machine()
    if not _hook:
        _hook.append(ExecBreakpoint())
    _hook[0].wishes.append(Wish(program, location))
    print(f"{program}: will stop at {location} when it is started; continue")


Command("vm use", use)
Command("vm at", at, gdb.COMPLETE_COMMAND)
Command("break-user", break_user)

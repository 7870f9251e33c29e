"""The stopped machine: its memory through the host library, and who runs on the processor that gdb looks at.

The library reads the guest's RAM from its file, which costs nothing; gdb's own connection is used for registers only.
What was read holds until the machine goes on.
"""
import os

import gdb

from vitrine import postmortem, runs
from vitrine.machine import HostError
from vitrine.memory import KERNEL_HALF  # noqa: F401  (for the commands)
from vitrine.state import State

FOLDER = os.environ.get("VITRINE_RUN") or runs.find()
_known = {}


def forget(_event=None):
    """The machine moves: nothing that was read of it holds any more."""
    _known.clear()


for happening in (gdb.events.cont, gdb.events.stop, gdb.events.register_changed, gdb.events.memory_changed):
    happening.connect(forget)


def state():
    """The State of the machine at this stop."""
    if "state" not in _known:
        kernel = runs.kernel_of(FOLDER)
        kernel.disturbed = runs.locks_held(kernel)  # gdb stops where it will: some verbs must know
        _known["state"] = State(kernel, FOLDER)
    return _known["state"]


def register(name):
    """A register of the selected processor; the stub's view of it, whatever frame is selected."""
    return int(gdb.newest_frame().read_register(name)) & 0xFFFFFFFFFFFFFFFF


def is_live():
    """True when gdb is connected to a machine, not to what one has left."""
    return isinstance(gdb.selected_inferior().connection, gdb.RemoteTargetConnection)


def open_core():
    """Have gdb read the memory that a machine has left, and show the threads that slept in it."""
    core = postmortem.write_core(state(), os.path.join(FOLDER, "kernel.core"))
    gdb.execute(f"core-file {core}", to_string=True)


def need_machine():
    """Refuse what takes a machine that can go on."""
    if not is_live():
        raise HostError("the machine of this run is over; this takes one that runs: ./vm run --gdb -- PROGRAM")


def not_started():
    """True when the processors wait for their first instruction."""
    monitor = runs.Monitor(FOLDER)
    try:
        return monitor.command("query-status")["status"] == "prelaunch"
    finally:
        monitor.close()


def cpu():
    """struct cpu of the processor that gdb has selected, None before there is one."""
    if not is_live():
        return None
    number = gdb.selected_thread().num - 1  # QEMU's processors are gdb's threads, by APIC number
    kernel = state().kernel
    return next((c for c in kernel.variable("cpus")[:kernel.variable("cpu_count")] if c.apic_id == number), None)


def task():
    """struct task of the thread that runs on the selected processor, None when it is one of the kernel's own."""
    here = cpu()
    return here.current.task if here and here.current else None


def process():
    """struct process that runs on the selected processor, or None."""
    running = task()
    return running.process if running else None


def find(word):
    """The struct process that a word means: a pid, or "" for the one that runs here."""
    if not word:
        found = process()
        if found is None:
            raise HostError("no process runs on this processor now: give a PID (vm ps lists them)")
        return found
    pid = number(word)
    if pid not in state().processes:
        raise HostError(f"there is no process {pid} (vm ps lists them)")
    return state().processes[pid]


def number(expression):
    """The value of an expression of gdb's, as a number."""
    try:
        return int(gdb.parse_and_eval(expression)) & 0xFFFFFFFFFFFFFFFF
    except gdb.error as error:
        raise HostError(f"{expression}: {error}") from error


class Command(gdb.Command):
    """A command: its name, what it does with its words, and its help, which is the function's docstring."""

    def __init__(self, name, function, completer=gdb.COMPLETE_NONE, prefix=False):
        self.__doc__ = function.__doc__
        super().__init__(name, gdb.COMMAND_DATA, completer, prefix)
        self.function = function

    def invoke(self, argument, _from_tty):
        try:
            self.function(argument)
        except (HostError, gdb.error) as error:
            raise gdb.GdbError(str(error)) from None

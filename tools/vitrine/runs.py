"""A run's folder, looked at from outside: which one is meant, is it going on, and making it hold still.

A folder that can be looked into holds `ram`, the guest's memory, and `vitrine.elf`, its kernel.  While the machine
runs its `lock` is held, and `qmp.sock` is a monitor: a machine that is read is stopped first and goes on after, and
the file `stopped` says by whom.  A crash folder is the same without a machine.
"""
import contextlib
import fcntl
import json
import os
import re
import socket
import time

from . import machine
from .kernel import Kernel
from .machine import HostError
from .memory import Ram

PATIENCE = 10.0  # seconds to wait for another tool, or for QEMU's answer
SETTLE, STEP = 3.0, 0.005  # how long to look for a moment when no lock is held, and how far apart


def find(word=None):
    """The folder of a run: a path, a run's number, or None for the latest."""
    if word is None:
        path = os.path.join(machine.RUNS, "latest")
        if not os.path.isdir(path):
            raise HostError("there is no run yet: ./vm run -- PROGRAM, or ./vm boot")
        return os.path.realpath(path)
    if os.path.isdir(word):
        return os.path.realpath(word)
    if re.fullmatch(r"\d{1,3}", word) and os.path.isdir(machine.RUNS):
        for name in os.listdir(machine.RUNS):
            if name.startswith(f"{int(word):03}-"):
                return os.path.join(machine.RUNS, name)
    raise HostError(f"--run {word}: no such folder, and no such run in {os.path.relpath(machine.RUNS)}")


def goes_on(folder):
    """True while the run's ./vm holds its lock."""
    try:
        with open(os.path.join(folder, "lock"), encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


class Monitor:
    """A connection to the QMP socket of a running machine."""

    def __init__(self, folder):
        self._socket, self._pending, self._sent = socket.socket(socket.AF_UNIX), b"", 0
        self._socket.settimeout(PATIENCE)
        place = os.open(folder, os.O_PATH)  # the path itself may be longer than a socket's may be
        try:
            self._socket.connect(f"/proc/self/fd/{place}/qmp.sock")
            self._answer("QMP")
        except OSError as error:
            self._socket.close()
            raise HostError(f"the machine of {os.path.relpath(folder)} does not answer ({error}); is another program "
                            "connected to its qmp.sock?") from error
        finally:
            os.close(place)
        self.command("qmp_capabilities")

    def _answer(self, key, value=None):
        """The next message that has such a key, or this value there."""
        while True:
            *lines, self._pending = self._pending.split(b"\n")
            for at, line in enumerate(lines):
                message = json.loads(line)
                if key in message and value in (None, message[key]):
                    self._pending = b"\n".join([*lines[at + 1:], self._pending])
                    return message
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the monitor is closed")
            self._pending += data

    def command(self, name, **arguments):
        """The answer to a command of QMP.  An earlier one may never have had its answer read (Ctrl-C)."""
        self._sent += 1
        words = {"execute": name, "arguments": arguments, "id": self._sent}
        try:
            self._socket.sendall(json.dumps(words).encode() + b"\n")
            message = self._answer("id", self._sent)
        except OSError as error:
            raise HostError(f"the machine does not answer any more ({error}): has it just ended?") from error
        if "error" in message:
            raise HostError(f"QEMU refuses {name}: {message['error'].get('desc')}")
        return message["return"]

    def debugged(self):
        """True while a gdb is connected."""
        doors = {door["label"]: door["filename"] for door in self.command("query-chardev")}
        return not doors.get("gdb", "disconnected:").startswith("disconnected:")

    def close(self):
        self._socket.close()


@contextlib.contextmanager
def turn(folder):
    """It is this tool's turn to stop the machine; yields the open file, which names one that died on the way."""
    with open(os.path.join(folder, "stopped"), "a+", encoding="utf-8") as note:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                note.seek(0)
                if time.monotonic() > end:
                    raise HostError(f"{note.read().strip() or 'another tool'} has the machine stopped: wait until "
                                    "it is done") from None
                time.sleep(STEP)
        note.seek(0)
        yield note


class Pause:
    """Holds a machine still; one that stood already (a debugger, a crash) is left standing.

    One that gdb has let run is not touched: gdb would take the stop for its own, and what follows for no stop at all.
    """

    def __init__(self, monitor, left_standing):
        self.monitor = monitor
        running, debugged = monitor.command("query-status")["running"], monitor.debugged()
        if running and debugged:
            raise HostError("gdb has let this machine run: stop it there (Ctrl-C), and look again")
        self.ours = running or left_standing and not debugged

    def stop(self):
        if self.ours:
            self.monitor.command("stop")

    def go(self):
        if self.ours and not self.monitor.debugged():  # gdb has come meanwhile, and takes it to stand
            self.monitor.command("cont")

    def step(self):
        """Let the machine run a little, to a better moment; False when it is not ours to move."""
        self.go()
        time.sleep(STEP)
        self.stop()
        return self.ours


@contextlib.contextmanager
def stopped(folder, who="vm"):
    """The machine of the folder holds still inside; yields its Pause, or None when there is no machine (any more)."""
    if not goes_on(folder) or not os.path.exists(os.path.join(folder, "qmp.sock")):
        yield None
        return
    with turn(folder) as note:
        monitor = Monitor(folder)
        try:
            pause = Pause(monitor, bool(note.read()))
            note.truncate(0)
            note.write(f"{who} (process {os.getpid()})\n" * pause.ours)
            note.flush()
            try:
                pause.stop()
                yield pause
            finally:
                with contextlib.suppress(HostError):
                    pause.go()
                    note.truncate(0)  # the next one does it otherwise
        finally:
            monitor.close()


def elf_of(folder):
    """The ELF file of the kernel that a run had."""
    kept = os.path.join(folder, "vitrine.elf")
    return kept if os.path.exists(kept) else machine.KERNEL


def kernel_of(folder, early=False):
    """The Kernel in a folder's memory; `early`: also one that has not started its first program yet."""
    ram = os.path.join(folder, "ram")
    if not os.path.exists(ram):
        raise HostError(f"{os.path.relpath(folder)} has no memory to look at: of runs that end well the newest "
                        f"{machine.KEPT_RAMS} keep theirs (--keep keeps it for good)")
    return Kernel(Ram(ram), elf_of(folder), early)


def locks_held(kernel):
    """The names of the locks of memory management that somebody holds: what they guard may be half changed."""
    held = [kernel.string(lock.name) for lock in map(kernel.variable, (
        "mm/frame.c:frame_lock", "mm/kmalloc.c:kmalloc_lock", "proc_lock")) if lock.held]
    owner = kernel.variable("vm_lock").owner
    return held + ([f"vm_lock of {owner.name}"] if owner else [])


@contextlib.contextmanager
def look(folder, who="vm"):
    """The Kernel of a run, still while it is looked at, at a moment when no lock is held if such a one comes soon."""
    with stopped(folder, who) as pause:
        kernel = kernel_of(folder)
        end = time.monotonic() + SETTLE
        while pause is not None and locks_held(kernel) and time.monotonic() < end and pause.step():
            pass
        kernel.disturbed = locks_held(kernel)
        try:
            yield kernel
        finally:
            kernel.ram.close()

"""The verb `vm gdb`: gdb on the machine of a run, with the commands of vitrine/gdb.

A machine that was started with --gdb has not run one instruction yet: gdb lets it run to kmain, or where --at says,
since before that neither the kernel's addresses nor 64-bit code exist.  Any other machine that goes on gets its gdb
server now and stops where it is.  Of a machine that is over, its memory can still be asked.
"""
import os
import shutil
import signal
import time

from . import machine, runs
from .machine import HostError

COMMANDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gdb", "start.py")
SOCKET_PATH_MAX = 100  # the system's own limit is 107


def socket_of(folder):
    """The path of a live machine's gdb socket, which is opened if it is not; short enough for a socket."""
    while runs.goes_on(folder) and not os.path.exists(os.path.join(folder, "qmp.sock")):
        time.sleep(0.05)  # QEMU is about to start
    if not runs.goes_on(folder):
        return ""
    monitor = runs.Monitor(folder)  # answers when QEMU has made its sockets
    try:
        if not os.path.exists(os.path.join(folder, "gdb.sock")):
            monitor.command("human-monitor-command",
                            **{"command-line": "gdbserver unix:gdb.sock,server=on,wait=off"})
    finally:
        monitor.close()
    short = min(os.path.join(folder, "gdb.sock"), os.path.relpath(os.path.join(folder, "gdb.sock")), key=len)
    if len(short) > SOCKET_PATH_MAX:  # gdb inherits the folder's descriptor
        place = os.open(folder, os.O_PATH)
        os.set_inheritable(place, True)
        short = f"/proc/self/fd/{place}/gdb.sock"
    return short


def main(opts):
    """Hand over to gdb, which takes this process's place."""
    if shutil.which("gdb") is None:
        raise HostError("gdb is not installed (make setup)")
    folder = runs.find(opts.folder)
    os.environ["VITRINE_RUN"] = folder
    os.environ["VITRINE_SOCKET"] = socket_of(folder)
    os.environ["VITRINE_AT"] = opts.at
    for number in (signal.SIGPIPE, signal.SIGTTOU):
        signal.signal(number, signal.SIG_DFL)  # what we ignore gdb would too
    os.execvp("gdb", ["gdb", "-q", "-iex", "set debuginfod enabled off", "-iex", f"directory {machine.ROOT}",
                      runs.elf_of(folder), "-x", COMMANDS, *opts.program])

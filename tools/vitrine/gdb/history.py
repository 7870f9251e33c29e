"""lastwrite, rewind: the run that gdb looks at, done again by ./vm."""
import os
import subprocess

import gdb

from vitrine import machine
from vitrine.gdb import guest
from vitrine.gdb.guest import Command
from vitrine.machine import HostError


def again(*words):
    """What a verb of ./vm says that does this run again."""
    done = subprocess.run([os.path.join(machine.ROOT, "vm"), words[0], "--run", guest.FOLDER, *words[1:]],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostError(done.stderr.strip().removeprefix("vm: "))
    print(done.stderr, end="")
    return done.stdout.rstrip()


def lastwrite(argument):
    """lastwrite ADDRESS - which instructions stored there last, in the whole run, whatever address they used.

    lastwrite &fault_total
    lastwrite init_process

The run is over, and is done again to find out: ./vm lastwrite --help."""
    if not argument:
        raise HostError("lastwrite ADDRESS, such as: lastwrite &fault_total")
    print(again("lastwrite", f"{guest.number(argument):#x}"))


def rewind(argument):
    """rewind N - memory as it was at instruction N, named by lastwrite; gdb and its vm commands mean that moment."""
    if not argument:
        raise HostError("rewind N, with a number of an instruction that lastwrite names")
    said = again("rewind", argument.strip())
    guest.FOLDER = os.path.realpath(said.split(" is ")[0])
    guest.forget()
    guest.open_core()
    print(said.split(": ")[0])


Command("lastwrite", lastwrite, gdb.COMPLETE_EXPRESSION)
Command("rewind", rewind)

"""The verbs `vm lastwrite` and `vm rewind`: a run that is over, done again from its start.

A run under -icount is a function of its inputs, so it can be done again instruction for instruction, and this time
with a plugin in QEMU (replay.c) that watches a place in RAM, or ends the machine at an instruction.  The plugin takes
no time of the guest's; a debugger's stops would, for the clock leaps while the machine stands.

QEMU's own record and replay would do for `vm boot` too, but a machine that waits for its disk then waits for ever
(QEMU 7.2): the answer enters the log at the next timer or exit, and an idle kernel without alarms has neither.
"""
import contextlib
import filecmp
import json
import os
import subprocess
import sys

from . import machine, options, run, runs, verdict
from .glass import table, times
from .machine import HostError
from .memory import ADDRESS, KERNEL_HALF, PAGE
from .state import State

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "replay.c")


def plugin(source=SOURCE):
    """The path of a plugin, built when it is first wanted."""
    path = os.path.join(machine.BUILD, os.path.basename(source)[:-1] + "so")
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(source):
        part = f"{path}.{os.getpid()}"
        try:
            subprocess.run([os.environ.get("CC") or "gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                            "-fvisibility=hidden", "-o", part, source], check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise HostError(f"{error.filename} is not installed (make setup)") from error
        except subprocess.CalledProcessError as error:
            raise HostError(f"{os.path.basename(source)} could not be compiled:\n{error.stderr.strip()}") from error
        os.replace(part, path)
    return path


def inputs(folder):
    """The options that a run was started with, when it can be done again exactly."""
    try:
        with open(os.path.join(folder, "arguments"), encoding="utf-8") as note:
            saved = json.load(note)
    except FileNotFoundError:
        raise HostError(f"{os.path.relpath(folder)} does not tell how it was started") from None
    if runs.goes_on(folder):
        raise HostError(f"{os.path.relpath(folder)} still runs: it can be done again when it is over")
    try:
        os.chdir(saved["cwd"])
    except OSError as error:
        raise HostError(f"the folder in which that run was started, {saved['cwd']}: {error.strerror}") from error
    opts = options.parse(saved["words"])
    opts.get, opts.verbose = [], False  # what it gave it has given
    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, "end.json"), encoding="utf-8") as note:
        if json.load(note)["status"] != verdict.TIMEOUT:
            opts.timeout = None  # it came to an end in time, and is slower now
    if opts.verb != "run" or opts.realtime or opts.accel != "tcg":
        raise HostError("only a run without --realtime repeats exactly: vm run -- PROGRAM")
    if opts.gdb:
        raise HostError("a run that a debugger stopped does not repeat exactly: do it again without --gdb")
    if not filecmp.cmp(os.path.join(folder, "vitrine.elf"), machine.KERNEL, shallow=False):
        raise HostError("the kernel was built anew since that run: do the run again")
    opts.saved = saved
    return opts


@contextlib.contextmanager
def hushed(fds=(0, 1, 2)):
    """Neither input nor output, for the length of a run that nobody started."""
    kept = {fd: os.dup(fd) for fd in fds}
    with open(os.devnull, "r+b", buffering=0) as nowhere:
        for fd in fds:
            os.dup2(nowhere.fileno(), fd)
    try:
        yield
    finally:
        for fd, old in kept.items():
            os.dup2(old, fd)
            os.close(old)


def again(opts, *words):
    """Do a run again with these words for the plugin; (its new folder, what the plugin wrote, as rows of numbers)."""
    folder = machine.Folder(False)
    with open(folder.file("arguments"), "w", encoding="utf-8") as note:
        json.dump(opts.saved, note)
    opts.qemu += ["-plugin", ",".join([plugin(), "out=replay.txt", *words])]
    with hushed():
        end = run.session(folder, opts)
    folder.ended(end.status, end.message)
    folder.lock.close()  # it is over
    rows = [[int(word, 0) for word in line.split()] for line in folder.text("replay.txt").splitlines()]
    if not rows:
        raise HostError(f"the run could not be done again: {end.message or 'its plugin wrote nothing'}")
    return folder, rows


# --- who wrote -------------------------------------------------------------------------------------------

def physical(state, opts):
    """The physical address that the user means, at the end of the run."""
    kernel, word = state.kernel, opts.address
    if opts.pid is not None:
        from .glass import space_by_pid  # pylint: disable=import-outside-toplevel
        va = int(word, 16)
        entry = space_by_pid(state, opts.pid).entries.get(va & -PAGE)
        if not entry:
            raise HostError(f"{va:#x} of process {opts.pid} is in no frame at the end of the run "
                            f"(./vm walk {opts.pid} {va:#x})")
        return (entry & ADDRESS) + va % PAGE
    try:
        address = int(word, 16)
    except ValueError:
        try:
            address = kernel.address(word)
        except KeyError:
            raise HostError(f"{word} is neither a hexadecimal address nor a variable of the kernel") from None
    return kernel.physical(address) if address >= KERNEL_HALF else address


def place(state, pc):
    """An instruction's address as function and line, or as the program that it is in."""
    if pc >= KERNEL_HALF:
        found = state.kernel.lines_of([pc])
        return f"{found[0][0]}, {found[0][1]}:{found[0][2]}" if found else "code of the kernel without a line"
    for space in state.spaces:
        region = space.region_at(pc)
        if region and region.object is not None:
            offset = pc - region.start + region.offset * PAGE
            return f"{space.label(region)}, {offset:#x} into the file"
    return "a program that has ended"


def lastwrite(opts):
    """Who stored to an address last, in the run as it was."""
    found = runs.find(opts.folder)
    wanted = inputs(found)
    with runs.look(found, "vm lastwrite") as kernel:
        at = physical(State(kernel, found), opts)
        kernel.ram.offset(at)
    with open(os.path.join(found, "ram"), "rb") as before:  # its name may go: not all runs keep memory
        folder, ((total, count), *stores) = again(wanted, f"at={at:#x}", f"size={opts.size}")
        same = filecmp.cmp(f"/proc/self/fd/{before.fileno()}", folder.file("ram"), shallow=False)
    if wanted.timeout is None and not same:
        print("vm: note: the run did not repeat to the last byte of its memory, and what follows is of the new one. It "
              "had input, or several processors, or was stopped, or files of --add or the disk have changed since",
              file=sys.stderr)
    with runs.look(folder.path, "vm lastwrite") as kernel:
        state = State(kernel, folder.path)
        rows = [[time, cpu, size, f"{pc:#x}", place(state, pc)]
                for time, cpu, pc, _, size in stores[-opts.count:]]
    print(f"physical {at:#x}, frame {at // PAGE}: {times(count, 'store')} in {times(total, 'instruction')}"
          + (f", the last {len(rows)}:" if count > len(rows) else ":" if count else ""))
    if rows:
        print("\n".join(table([["INSTRUCTION", "CPU", "BYTES", "BY", ""], *rows], left=(3,))))
        print(f"memory at the moment of the last one: ./vm rewind {rows[-1][0]}")


def rewind(opts):
    """Memory as it was at an instruction: the run is done again up to there."""
    folder, ((total, _), *_) = again(inputs(runs.find(opts.folder)), f"until={opts.instruction}")
    if total < opts.instruction:
        raise HostError(f"the run has no more than {total} instructions")
    print(f"{os.path.relpath(folder.path)} is that run as it was at instruction {total}: ./vm ps, walk, frame, gdb ...")


VERBS = {"lastwrite": lastwrite, "rewind": rewind}


def main(opts):
    VERBS[opts.verb](opts)
    return 0

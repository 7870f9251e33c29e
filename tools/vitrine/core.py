"""The verb `vm core`: a core file out of the last run's disk, with its program and libraries, into gdb.

What a core needs stands in itself: the note NT_FILE names the files that were mapped, and the auxiliary vector
says which of them is the program.  They are laid out beside the core as gdb's sysroot.
"""
import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile

from . import image, machine
from .machine import HostError

PT_LOAD, PT_INTERP, PT_NOTE = 1, 3, 4
NT_AUXV, NT_FILE = 6, 0x46494C45
AT_PHDR = 3
DUMPED = re.compile(r"core dumped to (/.*?)(?:, cut short \(error \d+\))?\r?$", re.M)


# --- what stands in an ELF file --------------------------------------------------------------------------

def program_headers(elf):
    """(type, flags, offset, address, physical, size in the file, size, alignment) of each; HostError: no ELF file."""
    with open(elf, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
            raise HostError(f"{os.path.basename(elf)}: not a core or program for x86-64")
        offset, count = struct.unpack_from("<Q", head, 32)[0], struct.unpack_from("<H", head, 56)[0]
        file.seek(offset)
        return [struct.unpack("<IIQQQQQQ", file.read(56).ljust(56, b"\0")) for _ in range(count)]


def segments(elf, kind):
    """The contents of the segments of a kind, one after another."""
    headers = program_headers(elf)
    with open(elf, "rb") as file:
        for fields in headers:
            if fields[0] == kind:
                file.seek(fields[2])
                yield file.read(fields[5])


def notes(core):
    """{type: contents} of the first note of each type."""
    found = {}
    for data in segments(core, PT_NOTE):
        at = 0
        while at + 12 <= len(data):
            name, size, kind = struct.unpack_from("<III", data, at)
            start = at + 12 + (name + 3) // 4 * 4
            found.setdefault(kind, data[start:start + size])
            at = start + (size + 3) // 4 * 4
    return found


def mapped_files(core):
    """([names of mapped files], the one among them that is the program)."""
    found = notes(core)
    if NT_FILE not in found or NT_AUXV not in found:
        raise HostError(f"{os.path.basename(core)}: holds no list of mapped files: not a core, or cut off early")
    data = found[NT_FILE]
    count = struct.unpack_from("<Q", data)[0]
    names = [os.fsdecode(name) for name in data[16 + 24 * count:].split(b"\0")[:count]]
    auxv = dict(struct.iter_unpack("<QQ", found[NT_AUXV]))
    for index, name in enumerate(names):
        start, end = struct.unpack_from("<QQ", data, 16 + 24 * index)
        if start <= auxv.get(AT_PHDR, 0) < end:
            return list(dict.fromkeys(names)), name
    raise HostError(f"{os.path.basename(core)}: does not tell which file is the program")


# --- fetching --------------------------------------------------------------------------------------------

def last_core(folder):
    """The path in the guest of the core that the run's log mentions last."""
    with open(os.path.join(folder, "kernel.log"), encoding="utf-8", errors="replace") as log:
        found = DUMPED.findall(log.read())
    if not found:
        raise HostError("the last run left no core file; programs that crash leave one in `vm boot`, in "
                        "`vm run --core`, and after `ulimit -c unlimited`")
    return found[-1]


def last_run():
    """The folder of the last run, which must be over: only then is its disk as the guest left it."""
    folder = os.path.realpath(os.path.join(machine.RUNS, "latest"))
    if not os.path.exists(os.path.join(folder, "root.img")):
        raise HostError("there is no run yet to take a core from: vm run --core -- PROGRAM")
    with open(os.path.join(folder, "lock"), encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            raise HostError(f"{os.path.relpath(folder)} is still running: end it first (poweroff)") from error
    return folder


def unstripped(copy, name):
    """Our own program with its debugging information, if `copy` is it without; else `copy`."""
    folder = "user/tests" if name.startswith("/tests/") else "user"
    ours = os.path.join(machine.BUILD, folder, os.path.basename(name))
    if not os.path.exists(ours):
        return copy
    with tempfile.NamedTemporaryFile() as bare:
        subprocess.run(["strip", "-g", "-o", bare.name, ours], check=True)
        with open(bare.name, "rb") as one, open(copy, "rb") as other:
            return ours if one.read() == other.read() else copy


def fetch_file(disk, name, root):
    """Copy one mapped file into the sysroot; its path there, or None when the disk no longer has it."""
    path = root + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        image.get(disk, name, path)
    except image.ImageError as error:
        print(f"vm: {error}")
        return None
    source = unstripped(path, name)
    if source != path:
        shutil.copyfile(source, path)
    return path


def link_interpreter(program, root, names):
    """Where the program's loader is called by another name than its own, give it that name too."""
    for data in segments(program, PT_INTERP):
        wanted = os.fsdecode(data.rstrip(b"\0"))
        there = [name for name in names if os.path.basename(name) == os.path.basename(wanted)]
        if there and not os.path.lexists(root + wanted):
            os.makedirs(os.path.dirname(root + wanted), exist_ok=True)
            os.symlink(root + there[0], root + wanted)


def fetch(folder, guest):
    """Lay the guest's core and its files out in folder/core; (core, program, sysroot)."""
    target = os.path.join(folder, "core")
    shutil.rmtree(target, ignore_errors=True)
    root, disk = os.path.join(target, "root"), os.path.join(folder, "root.img")
    os.makedirs(root)
    core = os.path.join(target, os.path.basename(guest))
    try:
        image.get_sparse(disk, guest, core)
    except image.ImageError as error:
        raise HostError(f"{error} (files in /tmp and /dev/shm are gone when the guest is)") from error
    names, program = mapped_files(core)
    paths = {name: fetch_file(disk, name, root) for name in names if name.startswith("/")}
    if not paths.get(program):
        raise HostError(f"{guest}: its program, {program}, is not on the disk any more")
    link_interpreter(paths[program], root, names)
    os.utime(core)  # gdb warns of a program that is newer than its core, as if it were another one
    return core, paths[program], root


def main(opts):
    """Fetch and hand over to gdb, which takes this process's place."""
    folder = last_run()
    guest = opts.guest_core or last_core(folder)
    core, program, root = fetch(folder, guest)
    libraries = ":".join(sorted({path for path, _, files in os.walk(root) if files}))
    if shutil.which("gdb") is None:
        raise HostError(f"gdb is not installed (make setup); the core is {os.path.relpath(core)}, "
                        f"its program {os.path.relpath(program)}")
    for number in (signal.SIGPIPE, signal.SIGTTOU):
        signal.signal(number, signal.SIG_DFL)  # what we ignore gdb would too
    os.execvp("gdb", ["gdb", "-q", "-iex", f"set sysroot {root}", "-iex", f"set solib-search-path {libraries}",
                      "-iex", "set debuginfod enabled off", *opts.program, program, core])

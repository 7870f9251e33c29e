"""What the lab core is judged by: the core file on the run's disk, held against the memory that it was made from.

The program stops before it dies, and from there on its memory stays as it is: regions, pages and registers are read
from the stopped machine.  The core is read when the machine is off.
"""
import os
import struct
import tomllib
from dataclasses import dataclass

from vitrine import core, image
from vitrine.lab.look import Over
from vitrine.machine import HostError
from vitrine.memory import PAGE

NAMES = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs rflags rsp ss fs_base".split()
REGISTERS_AT = 112  # in NT_PRSTATUS
FLAGS, CARRY_PARITY_ZERO = 0xCD5, 0x45  # those that a program computes with, and what core_die makes of them
NO_CALL = (1 << 64) - 1  # orig_rax of a thread that is not in a system call
NT_PRSTATUS = 1
RIGHTS = ((1, 4), (2, 2), (4, 1))  # PROT_READ is 1, PF_R is 4, and so on


@dataclass
class Piece:
    """A region of the dying program, and how many of its bytes are to be in the core."""

    start: int
    end: int
    flags: int
    wanted: int
    name: str
    offset: int
    from_file: bool


@dataclass
class Dying:
    """The program as the machine held it, and the path of its core on this host."""

    pieces: list
    pages: dict
    swapped: set
    registers: dict
    auxv: list
    core: str = ""

    def notes(self):
        return self.read(core.notes)

    def loads(self):
        """(flags, offset, address, bytes in the file, bytes in memory) of each PT_LOAD."""
        headers = self.read(core.program_headers)
        return [(head[1], head[2], head[3], head[5], head[6]) for head in headers if head[0] == core.PT_LOAD]

    def read(self, how):
        try:
            return how(self.core)
        except HostError as error:
            raise Over(f"the core file cannot be read: {error}") from error


def wanted(space, region, name):
    """How many bytes of a region the core has, as docs/core.md tells under a filter of 0x33."""
    whole = region.end - region.start
    if region.view.dont_dump:
        return 0
    if region.shared:
        return whole if name.endswith(" (deleted)") else 0
    if any(region.start <= page * PAGE < region.end for page in space.private):
        return whole
    return PAGE if region.object is not None and region.offset == 0 else 0


def piece(space, region):
    name = space.label(region) if region.object is not None else ""
    flags = sum(flag for right, flag in RIGHTS if region.prot & right)
    return Piece(region.start, region.end, flags, wanted(space, region, name), name, region.offset,
                 region.object is not None and not region.shared)


def as_it_dies(look):
    """Go to where the program is about to die."""
    stop = look.at(1)
    truth, here = stop.args[0:2]
    space = next(space for space in look.invariants().spaces if space.root == stop.root)
    numbers = stop.words(truth, 18)
    registers = dict(zip(NAMES, numbers[:15]), orig_rax=NO_CALL, rip=here, rsp=numbers[15], fs_base=numbers[16])
    auxv = stop.words(numbers[17], 2)
    while auxv[-2] and len(auxv) < 128:
        auxv = stop.words(numbers[17], len(auxv) + 2)
    pages = {va: space.read(va, PAGE) for region in space.regions for va, _, _ in space.pages_of(region)}
    swapped = {page * PAGE for page, anon in space.private.items() if not space.state.anon(anon).frame}
    return Dying([piece(space, region) for region in space.regions], pages, swapped, registers, auxv)


def die(look):
    """Run to the end, and take the core from the disk."""
    dying = as_it_dies(look)
    look.end()
    dying.core = os.path.join(look.folder, "core-of-child")
    try:
        image.get_sparse(os.path.join(look.folder, "root.img"), "/root/core", dying.core)
    except image.ImageError as error:
        raise Over(f"the program left no core file: {error}") from error
    return dying


def note(look, dying, kind, name):
    """The contents of a note; b"" and a complaint when there is none."""
    found = dying.notes().get(kind, b"")
    look.expect(found, f"the core has no note {name}, or an empty one")
    return found


def registers(look):
    """NT_PRSTATUS has what the processor had."""
    dying = die(look)
    status = note(look, dying, NT_PRSTATUS, "NT_PRSTATUS")
    if not look.expect(len(status) == 336, f"NT_PRSTATUS has {len(status)} bytes, not 336"):
        return
    got = dict(zip(NAMES, struct.unpack_from("<22Q", status, REGISTERS_AT)))
    for name, value in dying.registers.items():
        look.expect(got[name] == value, f"{name} is {got[name]:#x} in the core, the program had {value:#x}")
    look.expect(got["rflags"] & FLAGS == CARRY_PARITY_ZERO, f"rflags is {got['rflags']:#x}: CF, PF and ZF were set")
    for name in ("cs", "ss"):
        look.expect(got[name] & 3 == 3, f"{name} is {got[name]:#x} in the core, which is no segment of a program")


def files(look):
    """NT_AUXV and NT_FILE."""
    dying = die(look)
    auxv = note(look, dying, core.NT_AUXV, "NT_AUXV")
    words = list(struct.unpack(f"<{len(auxv) // 8}Q", auxv[:len(auxv) // 8 * 8]))
    look.expect(words[-2:-1] == [0], "NT_AUXV does not end with AT_NULL")
    look.expect(words == dying.auxv, f"NT_AUXV has {len(words)} words, the program was given {len(dying.auxv)}" +
                " others" * (len(words) == len(dying.auxv)))
    mapped = [(each.start, each.end, each.offset, each.name) for each in dying.pieces if each.name]
    data = note(look, dying, core.NT_FILE, "NT_FILE").ljust(16, b"\0")
    count, unit = struct.unpack_from("<2Q", data)
    look.expect(unit == PAGE, f"NT_FILE counts offsets in units of {unit} bytes, not {PAGE}")
    if not look.expect(count == len(mapped), f"NT_FILE tells of {count} mapped files, there are {len(mapped)}"):
        return
    names = [os.fsdecode(name) for name in data[16 + 24 * count:].split(b"\0")[:count]]
    rows = struct.iter_unpack("<3Q", data[16:16 + 24 * count])
    for (start, end, offset), name, want in zip(rows, names, mapped):
        look.expect((start, end) == want[:2], f"NT_FILE has {start:#x} to {end:#x}, mapped is {want[0]:#x} to "
                                              f"{want[1]:#x}")
        look.expect(offset == want[2], f"NT_FILE's offset at {want[0]:#x} is {offset}, and should be {want[2]}")
        look.expect(name == want[3], f"NT_FILE calls {want[3]} {name!r}")


def segments(look):
    """A program header for each region, and nothing for what is none."""
    dying = die(look)
    loads, size = dying.loads(), os.path.getsize(dying.core)
    if not look.expect(len(loads) == len(dying.pieces), f"the core has {len(loads)} segments, the program "
                                                        f"{len(dying.pieces)} regions"):
        return
    end = 0
    for (flags, offset, start, in_file, in_memory), region in zip(loads, dying.pieces):
        where = f"the segment at {region.start:#x}"
        look.expect(start == region.start, f"{where}: its address is {start:#x}")
        look.expect(in_memory == region.end - region.start,
                    f"{where}: p_memsz is {in_memory:#x}, the region has {region.end - region.start:#x} bytes")
        look.expect(in_file == region.wanted, f"{where}: p_filesz is {in_file:#x}, to be dumped are {region.wanted:#x}")
        look.expect(flags == region.flags, f"{where}: p_flags is {flags}, the region's rights are {region.flags}")
        look.expect(offset % PAGE == 0 and offset >= end, f"{where}: its bytes are at {offset:#x}, among others'")
        look.expect(offset + in_file <= size, f"{where}: its bytes end behind the end of the file")
        if look.seen:
            break  # after one that is wrong the others may be out of step
        end = offset + in_file


def contents(look):
    """The pages of the core are those of memory; pages never touched are zeros."""
    return compare(look, die(look))


def compare(look, dying):
    """Hold every page that the core should have against memory."""
    loads, total = dying.loads(), 0
    zeros, other, missing = [], [], []
    with open(dying.core, "rb") as file:
        for region in dying.pieces:
            offset = next((at - start for _, at, start, in_file, _ in loads
                           if start <= region.start < start + in_file), None)
            for va in range(region.start, region.start + region.wanted, PAGE):
                want = dying.pages.get(va) or bytes(PAGE)
                if va not in dying.pages and region.from_file:
                    continue  # it is in the file alone
                total += 1
                if offset is None:
                    missing.append(va)
                    continue
                file.seek(va + offset)
                got = file.read(PAGE).ljust(PAGE, b"\0")
                if got != want:
                    (zeros if got == bytes(PAGE) else other).append(va)
    for bad, what in ((missing, "are not in the core"), (zeros, "are zeros in the core"),
                      (other, "have other bytes in the core than in memory")):
        look.expect(not bad, f"{len(bad)} of {total} pages {what}" + (f", the first is at {bad[0]:#x}, and "
                    f"{len(dying.swapped.intersection(bad))} of them were in swap" if bad else ""))
    return dying


def swap(look):
    """The same of a program that is larger than memory."""
    dying = compare(look, die(look))
    look.expect(len(dying.swapped) > 500, "hardly a page is in swap: the test proves nothing")


ANSWERS = "labs/core/answers.toml"
DIED_IN = {"list": ("sum_of_ids", "highest_id", "count_odd_ids"), "index": ("count_red", "count_green", "count_blue"),
           "loop": ("height_of", "count_of", "sum_of")}


def signed(number):
    return number - (number >> 63 << 64)


def find(look, name, *keys):
    """The student's answers about a core, against what the program said before it died."""
    died_in, *values = look.at(1).args[0:3]
    try:
        answers = tomllib.loads(look.files[ANSWERS])
    except tomllib.TOMLDecodeError as error:
        raise Over(f"{ANSWERS} cannot be read: {error}") from error
    mine = answers.get(name, {})
    if not answers.get("number") or not mine.get("function"):
        look.not_yet(5)
        return
    truth = dict(zip(("function", *keys), (DIED_IN[name][died_in], *map(signed, values))))
    for key, value in truth.items():
        look.expect(mine.get(key) == value, f"[{name}] in {ANSWERS}: {key} is not {mine.get(key)!r}")


def find_list(look):
    find(look, "list", "pointer", "id")


def find_index(look):
    find(look, "index", "sample", "index")


def find_loop(look):
    find(look, "loop", "from", "to")

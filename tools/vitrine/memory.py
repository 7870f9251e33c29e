"""A machine's RAM, which is a file, and addresses in it.

Physical addresses are places in the file.  The kernel's own addresses are turned into those as the processor does it,
by the kernel's page table; two shortcuts, the image and the direct map, save most walks.
"""
import mmap
import os

from .machine import HostError

PAGE = 4096
PRESENT, WRITE, USER, ACCESSED, DIRTY, LARGE, LOCKED = (1 << n for n in (0, 1, 2, 5, 6, 7, 9))
NO_EXECUTE = 1 << 63
ADDRESS = 0x000FFFFFFFFFF000
USER_TOP = 0x00007FFFFFFFF000
KERNEL_HALF = 0xFFFF800000000000
SPLIT, HIGH = 0xC0000000, 1 << 32  # with RAM_SPLIT or more, what is beyond SPLIT continues at 4 GiB (QEMU's "pc")
RAM_SPLIT = 0xE0000000


class BadAddress(HostError):
    """An address behind which there is no memory: the kernel's structures are broken, or were being changed."""


class Ram:
    """The RAM file, by physical address."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.low = SPLIT if self.size >= RAM_SPLIT else self.size

    def offset(self, pa):
        """Where a physical address is in the file."""
        if 0 <= pa < self.low:
            return pa
        if HIGH <= pa < HIGH + self.size - self.low:
            return pa - HIGH + self.low
        raise BadAddress(f"physical address {pa:#x} is no RAM")

    def read(self, pa, size):
        """Bytes at a physical address; they do not cross the gap below 4 GiB."""
        at = self.offset(pa)
        data = self.bytes[at:at + size]
        if len(data) < size:
            raise BadAddress(f"physical address {pa + len(data):#x} is no RAM")
        return data

    def close(self):
        self.bytes.close()


def pt_index(va, level):
    """Which of the 512 entries of its level's table an address selects; level 1 is the last."""
    return va >> 12 + 9 * (level - 1) & 511


def pt_span(level):
    """Bytes that one entry of a level's table covers."""
    return PAGE << 9 * (level - 1)


def walk(ram, root, va):
    """[(level, index, entry)] on the way to an address, up to the entry that maps it or is absent."""
    way, table = [], root & ADDRESS
    for level in (4, 3, 2, 1):
        index = pt_index(va, level)
        entry = int.from_bytes(ram.read(table + 8 * index, 8), "little")
        way.append((level, index, entry))
        if not entry & PRESENT or level > 1 and entry & LARGE:
            break
        table = entry & ADDRESS
    return way


def translate(ram, root, va):
    """The physical address behind a virtual one, None where nothing is mapped."""
    level, _, entry = walk(ram, root, va)[-1]
    return (entry & ADDRESS & -pt_span(level)) + va % pt_span(level) if entry & PRESENT else None

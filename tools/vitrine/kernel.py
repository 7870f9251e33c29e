"""The kernel in a machine's memory: its variables and structures, by the names that they have in the source.

    kernel = Kernel(Ram(path), elf)
    kernel.variable("frame_zero").owner          a pointer is what it points to, or None
    kernel.variable("mm/frame.c:rams")[0].start
    for space in kernel.each(kernel.variable("all_spaces"), "space", "all_link"): ...

A value is an int, bool or str; a View for a struct and for what a pointer to one leads to; a list for an array.
"""
import os
import struct
import subprocess
from collections import namedtuple

from . import core, dwarf, machine, memory
from .machine import HostError
from .memory import PAGE, BadAddress

LIST_MAX = 1 << 22
RADIX_HEIGHT = 16
CODES = {1: "bB", 2: "hH", 4: "iI", 8: "qQ"}


class View:
    """A struct in the guest: attributes are its fields, `address` is where it is.  Its bytes are read once."""

    __slots__ = ("kernel", "address", "type", "_data")

    def __init__(self, kernel, address, kind, data=None):
        self.kernel, self.address, self.type, self._data = kernel, address, kind, data

    def __getattr__(self, name):
        field = self.kernel.fields(self.type).get(name)
        if field is None:
            raise AttributeError(f"struct {self.type} has no field {name}")
        if self._data is None:
            self._data = self.kernel.read(self.address, self.kernel.size(self.type))
        return self.kernel.decode(field[1], self._data, field[0], self.address, *field[2:])

    def at(self, name):
        """The address of a field."""
        return self.address + self.kernel.fields(self.type)[name][0]

    def __eq__(self, other):
        return isinstance(other, View) and self.address == other.address

    def __hash__(self):
        return hash(self.address)

    def __repr__(self):
        return f"<struct {self.type} at {self.address:#x}>"


class Kernel:
    """Variables and structures of the kernel `elf` in the memory `ram`; `early`: also of one that is still booting."""

    def __init__(self, ram, elf, early=False):
        self.ram, self.elf = ram, elf
        found = dwarf.load(elf, os.path.join(machine.BUILD, "types"))
        self.structs, self.enums = found["structs"], found["enums"]
        self.variables, self.symbols = found["variables"], found["symbols"]
        self._pages, self._readers = {}, {}
        self.image, self.end = self.symbols["kernel_start"] & -(1 << 31), self.symbols["kernel_end"]
        self.direct, self.root = None, None
        self._check_identity()
        layout = self.variable("vitrine_layout")
        self.direct, self.frames = layout.direct, layout.frames
        self.root = self.variable("kernel_root")
        if not early and not (self.root and self.variable("init_process")):
            raise HostError("the kernel in that memory has only begun to start: look again in a moment")

    def _check_identity(self):
        """Refuse a memory that holds another kernel than the ELF file, or none yet: constants tell them apart."""
        start, end = self.symbols["kernel_text_end"], self.symbols["kernel_rodata_end"]
        with open(self.elf, "rb") as file:
            for kind, _, at, va, _, size, *_ in core.program_headers(self.elf):
                if kind != core.PT_LOAD or not start <= va < end:
                    continue
                file.seek(at)
                if file.read(size) != self.ram.read(va - self.image, size):
                    raise HostError("that memory does not hold this kernel: it has not been loaded yet, or the "
                                    f"run was of another build than {os.path.relpath(self.elf)}")

    # --- bytes -------------------------------------------------------------------------------------------

    def physical(self, va):
        """The physical address behind an address of the kernel's."""
        if self.image <= va < self.end:
            return va - self.image
        if self.direct is not None and 0 <= va - self.direct < memory.HIGH + self.ram.size:
            return va - self.direct
        page = va & -PAGE
        if page not in self._pages:
            self._pages[page] = memory.translate(self.ram, self.root, page) if self.root else None
        if self._pages[page] is None:
            raise BadAddress(f"kernel address {va:#x} is not mapped")
        return self._pages[page] + va % PAGE

    def read(self, va, size):
        """Bytes at an address of the kernel's; they may lie on several pages."""
        left = PAGE - va % PAGE
        if size <= left:
            return self.ram.read(self.physical(va), size)
        return self.ram.read(self.physical(va), left) + self.read_pages(va + left, size - left)

    def read_pages(self, va, size):
        parts = [self.ram.read(self.physical(at), min(PAGE, va + size - at)) for at in range(va, va + size, PAGE)]
        return b"".join(parts)

    def string(self, va, limit=256):
        """The string at an address of the kernel's, "" for NULL."""
        data = bytearray()
        while va and len(data) < limit and not data.endswith(b"\0"):
            data += self.read(va + len(data), min(16, PAGE - (va + len(data)) % PAGE))
            if 0 in data:
                del data[data.index(0) + 1:]
        return bytes(data).rstrip(b"\0").decode("utf-8", "replace")

    # --- source ------------------------------------------------------------------------------------------

    def lines_of(self, addresses):
        """[(function, file, line)] of addresses in the kernel's code; inlined functions apart."""
        start, end = self.symbols["kernel_start"], self.symbols["kernel_text_end"]
        addresses = [f"{address:#x}" for address in addresses if start <= address < end]
        try:
            told = subprocess.run(["addr2line", "-f", "-i", "-e", self.elf, *addresses], check=True,
                                  capture_output=True, text=True).stdout.split("\n") if addresses else []
        except (OSError, subprocess.CalledProcessError):
            return []
        found = []
        for function, place in zip(told[::2], told[1::2]):
            file, _, line = place.partition(":")
            if line.split(" ")[0].isdigit():
                found.append((function, relative(file), int(line.split(" ")[0])))
        return found

    # --- types -------------------------------------------------------------------------------------------

    def fields(self, name):
        try:
            return self.structs[name]["fields"]
        except KeyError:
            raise HostError(f"the kernel has no struct {name}, or its contents are not known") from None

    def size(self, name):
        self.fields(name)
        return self.structs[name]["size"]

    def size_of(self, kind):
        """Bytes that a value of a type takes."""
        if kind[0] == "struct":
            return self.size(kind[1])
        if kind[0] == "array":
            return kind[1] * self.size_of(kind[2])
        return {"int": lambda: kind[1], "enum": lambda: kind[2], "ptr": lambda: 8}.get(kind[0], lambda: 1)()

    def decode(self, kind, data, offset=0, base=0, shift=None, bits=0):  # pylint: disable=too-many-arguments
        """The value of a type in bytes that were read at the address `base`."""
        what = kind[0]
        if what == "struct":
            end = offset + self.size(kind[1])
            return View(self, base + offset, kind[1], data[offset:end])
        if what == "array":
            return self._array(kind, data, offset, base)
        value = int.from_bytes(data[offset:offset + self.size_of(kind)], "little", signed=what == "int" and kind[2])
        if shift is not None:
            value = int.from_bytes(data[offset:offset + 8], "little") >> shift & (1 << bits) - 1
        if what == "bool":
            return bool(value)
        if what == "ptr" and kind[1][0] == "struct":
            return View(self, value, kind[1][1]) if value else None
        return value

    def _array(self, kind, data, offset, base):
        _, count, of = kind
        if of == ["char"]:
            return data[offset:offset + count].split(b"\0")[0].decode("utf-8", "replace")
        size = self.size_of(of)
        return [self.decode(of, data, offset + n * size, base) for n in range(count)]

    def variable(self, name):
        """The value of a variable of the kernel; a static one that is not alone is "FILE:NAME"."""
        if name not in self.variables:
            raise HostError(f"the kernel has no variable {name}, or several files have one (write FILE:{name})")
        address, kind = self.variables[name]
        return self.decode(kind, self.read(address, self.size_of(kind)), 0, address)

    def address(self, name):
        """The address of a variable or function."""
        return self.variables[name][0] if name in self.variables else self.symbols[name]

    def view(self, name, address):
        """The struct of that name at an address."""
        return View(self, address, name)

    # --- many at once ------------------------------------------------------------------------------------

    def reader(self, name, *fields):
        """A function from an address to these fields of the struct there, pointers as numbers: for thousands."""
        key = (name, fields)
        if key not in self._readers:
            record = Record(self, name, fields)
            self._readers[key] = lambda address: record.unpack(self.read(address, record.size))
        return self._readers[key]

    def each(self, head, name, link):
        """The structs of a kernel list: `head` is a View of struct list, `link` the field they hang by."""
        offset, (at,) = self.fields(name)[link][0], self.reader("list", "next")(head.address)
        for _ in range(LIST_MAX):
            if at == head.address:
                return
            if not at:
                break
            yield View(self, at - offset, name)
            (at,) = self.reader("list", "next")(at)
        raise HostError(f"the list of struct {name} at {head.address:#x} has no end: it is broken")

    def radix(self, tree):
        """(index, pointer) for each value of a struct radix, in order."""
        if tree.root is not None and not 1 <= tree.height <= RADIX_HEIGHT:
            raise HostError(f"the table (struct radix) at {tree.address:#x} has {tree.height} levels: it is broken")
        yield from self._radix_below(tree.root.address, tree.height, 0) if tree.root else ()

    def _radix_below(self, node, level, base):
        slots = 16 if level > 1 else 64
        for slot, child in enumerate(struct.unpack(f"<{slots}Q", self.read(node, 8 * slots))):
            if child and level > 1:
                yield from self._radix_below(child, level - 1, base + slot << (4 if level > 2 else 6))
            elif child:
                yield base + slot, child


def relative(path):
    """A source file as it is called from the root of the tree, wherever it was built."""
    parts = os.path.normpath(path).split(os.sep)
    tails = (os.path.join(*parts[at:]) for at in range(len(parts) - 1, -1, -1))
    return next((tail for tail in tails if os.sep in tail and os.path.exists(os.path.join(machine.ROOT, tail))), path)


class Record:
    """Some fields of a struct, taken out of its bytes in one step."""

    def __init__(self, kernel, name, fields):
        self.size = kernel.size(name)
        self.tuple = namedtuple(name.rpartition(":")[2], fields)
        units, self._picks = {}, []
        for field in fields:
            offset, kind, *bits = kernel.fields(name)[field]
            code = CODES[1 if bits else kernel.size_of(kind)][not (kind[0] == "int" and kind[2])]
            units.setdefault((offset, code), None)
            self._picks.append(((offset, code), bits))
        parts, end = [], 0
        for position, (offset, code) in enumerate(sorted(units)):
            parts.append(f"{offset - end}x{code}")
            end = offset + struct.calcsize(code)
            units[offset, code] = position
        self._struct = struct.Struct("<" + "".join(parts) + f"{self.size - end}x")
        self._picks = [(units[unit], bits) for unit, bits in self._picks]
        self._plain = not any(bits for _, bits in self._picks)
        self._order = [position for position, _ in self._picks]

    def _make(self, raw):
        if self._plain:
            return self.tuple._make([raw[n] for n in self._order])
        return self.tuple._make([raw[n] >> bits[0] & (1 << bits[1]) - 1 if bits else raw[n] for n, bits in self._picks])

    def unpack(self, data):
        return self._make(self._struct.unpack(data))

    def unpack_all(self, data):
        """One after the other, from the bytes of an array of the structs."""
        return [self._make(raw) for raw in self._struct.iter_unpack(data)]

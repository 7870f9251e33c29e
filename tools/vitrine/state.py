"""What a machine's memory means: frames, spaces and their pages, swap, processes.

Everything is computed from the kernel's structures when it is first asked for, and holds for as long as the machine
is still.  Nothing is believed twice: who maps a frame is found by walking page tables as well as from the frame.
"""
import mmap
import os
import stat
import struct
from collections import namedtuple
from functools import cached_property

from . import memory
from .kernel import Record
from .memory import ADDRESS, PAGE, PRESENT, BadAddress

FRAME_FIELDS = ("anon", "maps", "index", "pins", "used", "owner", "busy", "dirty", "referenced")
ANON, OBJECT, KMALLOC, PAGETABLE, ZERO, FREE = (f"FRAME_{n}" for n in "ANON OBJECT KMALLOC PAGETABLE ZERO FREE".split())
READ, WRITE, EXEC = 1, 2, 4
AREA_SHIFT = 28  # of a swap slot's number: above it the area, below it the page
CHAIN_MAX = 1 << 20

Region = namedtuple("Region", "start end prot shared grows_down heap locked object offset view")
Area = namedtuple("Area", "number name pages usable used priority bits")


class Space:
    """An address space: its regions, the anons of its private pages, and the entries of its page table."""

    def __init__(self, state, view):
        self.state, self.kernel, self.view, self.address = state, state.kernel, view, view.address
        self.root = view.pt.root
        self.changing = view.lock.owner is not None  # its regions may be half changed

    @cached_property
    def regions(self):
        return [region_of(r) for r in self.kernel.each(self.view.regions, "region", "link")]

    @cached_property
    def private(self):
        """{page number: address of its struct anon}"""
        return dict(self.kernel.radix(self.view.private))

    @cached_property
    def tables(self):
        """[(physical address, level)] of the page tables of the user half, the root first."""
        return self._walked[0]

    @cached_property
    def entries(self):
        """{address: entry} of every page that is mapped, in order."""
        return self._walked[1]

    @cached_property
    def _walked(self):
        tables, entries = [], {}

        def below(table, level, base):
            tables.append((table, level))
            data = self.kernel.ram.read(table, PAGE // 2 if level == 4 else PAGE)
            for index, entry in enumerate(struct.unpack(f"<{len(data) // 8}Q", data)):
                if entry & PRESENT:
                    va = base + index * memory.pt_span(level)
                    if level > 1:
                        below(entry & ADDRESS, level - 1, va)
                    else:
                        entries[va] = entry
        try:
            below(self.root, 4, 0)
        except BadAddress as error:
            raise BadAddress(f"the page table of {self.who} leads astray: {error}") from error
        return tables, entries

    @cached_property
    def who(self):
        """Whose it is, in words."""
        return ", ".join(self.state.users(self))

    def region_at(self, va):
        return next((r for r in self.regions if r.start <= va < r.end), None)

    def pages_of(self, region):
        """(address, entry or 0, struct anon's address or 0) of the pages of a region that are anywhere."""
        first, last = region.start >> 12, region.end >> 12
        if last - first > len(self.entries) + len(self.private):
            pages = sorted({va >> 12 for va in self.entries} | set(self.private))
            pages = [page for page in pages if first <= page < last]
        else:
            pages = range(first, last)
        for page in pages:
            entry, anon = self.entries.get(page << 12, 0), self.private.get(page, 0)
            if entry or anon:
                yield page << 12, entry, anon

    def read(self, va, size):
        """Bytes of the program's memory, from wherever the page is; cut short where it is nowhere."""
        data = b""
        while len(data) < size:
            page = self._page(va + len(data))
            if page is None:
                break
            at = (va + len(data)) % PAGE
            data += page[at:at + size - len(data)]
        return data

    def _page(self, va):
        entry, anon = self.entries.get(va & -PAGE, 0), self.private.get(va >> 12, 0)
        if entry:
            return self.kernel.ram.read(entry & ADDRESS, PAGE)
        if not anon:
            return None
        anon = self.state.anon(anon)
        if anon.frame:
            return self.kernel.ram.read(self.state.number(anon.frame) << 12, PAGE)
        return self.state.slot_bytes(anon.slot)

    def label(self, region):
        """What /proc/PID/maps calls a region."""
        if region.object is not None:
            return self.state.object_name(region.object)
        if region.heap:
            return "[heap]"
        stack = region.grows_down and region.start < self.view.stack_top <= region.end
        return "[stack]" if stack else ""


class State:
    """A machine at one moment."""

    def __init__(self, kernel, folder=None):
        self.kernel, self.folder = kernel, folder
        self.frame_size = kernel.size("frame")
        self.owners = [name for name, _ in sorted(kernel.enums["frame_owner"].items(), key=lambda e: e[1])][:-1]
        self.anon = kernel.reader("anon", "refs", "slot", "frame")
        self._rmap = kernel.reader("rmap", "space", "va", "next")
        self._names, self._disks = {}, {}

    # --- frames ------------------------------------------------------------------------------------------

    @cached_property
    def rams(self):
        """[(first frame, first that was never used, end)] of each range of RAM that frames are taken from."""
        count = self.kernel.variable("mm/frame.c:nrams")
        return [(r.start >> 12, r.fresh >> 12, r.end >> 12) for r in self.kernel.variable("mm/frame.c:rams")[:count]]

    @cached_property
    def frames(self):
        """{number: fields of struct frame} of every frame that was ever used."""
        record, found = Record(self.kernel, "frame", FRAME_FIELDS), {}
        for first, fresh, _ in self.rams:
            data = self.kernel.read(self.descriptor(first), (fresh - first) * self.frame_size)
            found.update(enumerate(record.unpack_all(data), first))
        return found

    def descriptor(self, number):
        """The address of a frame's struct frame."""
        return self.kernel.frames + number * self.frame_size

    def number(self, descriptor):
        """The number of the frame that a struct frame describes."""
        return (descriptor - self.kernel.frames) // self.frame_size

    def exists(self, number):
        return any(first <= number < end for first, _, end in self.rams)

    def owner(self, number):
        """The name of a frame's owner, such as FRAME_ANON; frames never used are free, what is no frame is None."""
        frame = self.frames.get(number)
        if frame is not None:
            return self.owners[frame.owner] if frame.owner < len(self.owners) else f"owner {frame.owner}"
        return FREE if self.exists(number) else None

    def chain(self, frame):
        """(struct space's address, address) of each link in a frame's reverse map."""
        at, found = frame.maps if frame.owner != self.owners.index(KMALLOC) else 0, []
        while at and len(found) < CHAIN_MAX:
            space, va, at = self._rmap(at)
            found.append((space, va))
        return found

    @cached_property
    def mappings(self):
        """{frame number: [(space, address, entry)]}, found by walking every page table."""
        found = {}
        for space in self.spaces:
            for va, entry in space.entries.items():
                found.setdefault((entry & ADDRESS) >> 12, []).append((space, va, entry))
        return found

    # --- spaces, anons, objects --------------------------------------------------------------------------

    @cached_property
    def spaces(self):
        return [Space(self, view) for view in self.kernel.each(self.kernel.variable("all_spaces"), "space", "all_link")]

    @cached_property
    def spaces_by_address(self):
        return {space.address: space for space in self.spaces}

    @cached_property
    def shared_objects(self):
        """Objects of shared memory that have pages."""
        return list(self.kernel.each(self.kernel.variable("shm_objects"), "object", "dirty_link"))

    @cached_property
    def anon_names(self):
        """{struct anon's address: [who names it]}: (space, address) or (object, page index)."""
        found = {}
        for space in self.spaces:
            for page, anon in space.private.items():
                found.setdefault(anon, []).append((space, page << 12))
        for shared in self.shared_objects:
            for index, anon in self.kernel.radix(shared.pages):
                found.setdefault(anon, []).append((shared, index))
        return found

    def object_name(self, view):
        """What /proc/PID/maps calls an object."""
        if view.address not in self._names:
            self._names[view.address] = self._object_name(view)
        return self._names[view.address]

    def _object_name(self, view):
        describe = view.ops.describe if view.ops else 0
        if describe == self.kernel.symbols["segment_describe"]:
            return f"/SYSV{self.kernel.view('segment', view.address).key & 0xffffffff:08x} (deleted)"
        if describe == self.kernel.symbols["shm_describe"]:
            return "/dev/zero (deleted)"
        if describe == self.kernel.symbols["meta_describe"]:
            return "[ext2]"
        if describe != self.kernel.symbols["inode_describe"]:
            return "[object]"
        inode = self.kernel.view("inode", view.address)
        names = list(self.kernel.each(inode.dentries, "dentry", "alias_link"))
        if not names:
            return f"{'pipe' if stat.S_ISFIFO(inode.mode) else 'anon_inode'}:[{inode.ino}]"
        return self._path(next((d for d in names if not d.deleted), names[0]))

    def _path(self, dentry):
        parts, deleted = [], False
        for _ in range(4096):
            if dentry.parent == dentry:
                if dentry.super.covers is None:
                    break
                dentry = dentry.super.covers
                continue
            deleted |= dentry.deleted
            parts.append(self.kernel.string(dentry.name))
            dentry = dentry.parent
        return "/" + "/".join(reversed(parts)) + " (deleted)" * deleted

    # --- swap --------------------------------------------------------------------------------------------

    @cached_property
    def areas(self):
        """The swap areas in use; `bits` has a bit for each page, 1: taken."""
        return [Area(number, a.dev.name, a.pages, a.usable, a.used, a.priority,
                     int.from_bytes(self.kernel.read(a.bits, (a.pages + 63) // 64 * 8), "little"))
                for number, a in enumerate(self.kernel.variable("mm/swap.c:areas")) if a.dev is not None]

    def slot(self, slot):
        """(area, page) of a slot; the area is None when there is no such one."""
        area = next((a for a in self.areas if a.number == slot >> AREA_SHIFT), None)
        return area, slot & (1 << AREA_SHIFT) - 1

    def slot_name(self, slot):
        area, page = self.slot(slot)
        return f"page {page} of {area.name}" if area else f"slot {slot:#x}, of no swap area"

    def slot_bytes(self, slot):
        """The page in a slot, out of the run's swap disk; None when that is not at hand."""
        area, page = self.slot(slot)
        disk = self._disk(area.name) if area else None
        return disk[page * PAGE:(page + 1) * PAGE] if disk else None

    def _disk(self, name):
        """The bytes of a run's swap disk, vdb, vdc, ...; None when its file is not there."""
        number = ord(name[-1]) - ord("b")
        path = os.path.join(self.folder or "", f"swap{number + 1 if number else ''}.img")
        if name not in self._disks:
            self._disks[name] = None
            if self.folder and os.path.exists(path):
                with open(path, "rb") as file:
                    self._disks[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._disks[name]

    # --- processes ---------------------------------------------------------------------------------------

    @cached_property
    def processes(self):
        """Views of struct process, by pid."""
        found = self.kernel.each(self.kernel.variable("kernel/proc/process.c:all"), "process", "all_link")
        return {process.pid: process for process in sorted(found, key=lambda p: p.pid)}

    def tasks(self, process):
        return list(self.kernel.each(process.tasks, "task", "link"))

    def space_of(self, process):
        """The Space of a process, None when it has none any more."""
        views = [task.thread.space for task in self.tasks(process)]
        return next((self.spaces_by_address.get(view.address) for view in views if view), None)

    def name_of(self, process):
        tasks = self.tasks(process)
        return tasks[0].thread.name if tasks else process.dead_name

    def users(self, space):
        """The processes that run in a space, as "PID NAME"."""
        return self._users.get(space.address) or ["a space of no process"]

    @cached_property
    def _users(self):
        found = {}
        for pid, process in self.processes.items():
            space = self.space_of(process)
            if space is not None:
                found.setdefault(space.address, []).append(f"{pid} {self.name_of(process)}")
        return found


def region_of(r):
    """The Region of a View of struct region."""
    return Region(r.start, r.end, r.prot, r.shared, r.grows_down, r.heap, r.locked, r.object, r.offset, r)


def region_rights(region):
    """rwxp, as in /proc/PID/maps."""
    return "".join(letter if region.prot & bit else "-" for bit, letter in ((READ, "r"), (WRITE, "w"), (EXEC, "x"))) + (
        "s" if region.shared else "p")

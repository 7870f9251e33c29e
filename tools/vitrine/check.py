"""The invariants of docs/invariants.md, recomputed on the host from raw memory.

The kernel's own vm_check() is not asked, and counts that the kernel keeps are held against what is found.  What it
cannot see it looks at too: that every link of the reverse map has its entry, who names each anon, whether slots are
lost, whether free frames are all on the list, and whether the bytes of a clean page are those on the swap disk.
"""
from collections import Counter

from . import memory
from .machine import HostError
from .memory import ADDRESS, DIRTY, NO_EXECUTE, PAGE, USER
from .state import ANON, AREA_SHIFT, EXEC, FREE, OBJECT, PAGETABLE, WRITE, ZERO

SHOWN = 100  # violations that are kept: one mistake can break them all


class Check:
    """One look at a State: `violations` are (number of the invariant, sentence) pairs."""

    def __init__(self, state):
        self.state, self.kernel = state, state.kernel
        self.violations, self.count, self.compared, self.left_out, self._pages = [], 0, 0, [], {}
        self.zero = state.number(self.kernel.variable("frame_zero").address)

    def fail(self, number, sentence):
        self.count += 1
        if len(self.violations) < SHOWN:
            self.violations.append((number, sentence))

    def expect(self, holds, number, sentence):
        if not holds:
            self.fail(number, sentence)

    def run(self):
        for part in (self.regions, self.entries, self.reverse_map, self.frames, self.free_list, self.tables,
                     self.anons, self.objects, self.slots, self.clean_pages):
            try:
                part()
            except HostError as error:
                what = part.__name__.replace("_", " ")
                self.fail(0, f"while looking at {what}: {error}; a pointer on the way is bad")
        return self

    # --- spaces: invariants 4, 6, 7 ----------------------------------------------------------------------

    def regions(self):
        for space in self.state.spaces:
            who = space.who
            if space.changing:
                self.left_out.append(who)
                continue
            end, pages = 0, 0
            for r in space.regions:
                self.expect(r.start % PAGE == r.end % PAGE == 0 and end <= r.start < r.end, 6,
                            f"{who}: region {r.start:#x}-{r.end:#x} is not sorted, disjoint and aligned")
                end, pages = r.end, pages + (r.end - r.start) // PAGE
            self.expect(pages == space.view.pages, 6, f"{who}: {pages} pages in regions, {space.view.pages} counted")
            self.expect(len(space.regions) == space.view.nregions, 6,
                        f"{who}: {len(space.regions)} regions, {space.view.nregions} counted")
            self.expect(len(space.private) == space.view.nprivate, 6,
                        f"{who}: {len(space.private)} private pages, {space.view.nprivate} counted")
            for page in space.private:
                r = space.region_at(page << 12)
                self.expect(r is not None and not r.shared, 6,
                            f"{who}: the private page {page << 12:#x} lies in no private region")

    def entries(self):
        for space in self.state.spaces:
            for va, entry in space.entries.items():
                self.entry(space, va, entry)

    def entry(self, space, va, entry):
        """One page-table entry against its region and its frame."""
        number, writable = (entry & ADDRESS) >> 12, entry & memory.WRITE
        what = f"{space.who}: {va:#x}"
        owner, region = self.state.owner(number), None if space.changing else space.region_at(va)
        self.expect(entry & USER, 7, f"{what} is mapped, but not for user mode")
        if not space.changing:
            self.expect(region is not None, 7, f"{what} is mapped outside of every region")
        if region is not None:
            self.expect(not writable or region.prot & WRITE, 7, f"{what} is writable, its region is not")
            self.expect(entry & NO_EXECUTE or region.prot & EXEC, 7, f"{what} is executable, its region is not")
        if number == self.zero:
            self.expect(not writable, 7, f"{what} may write to the frame of zeros")
            return
        self.expect(owner in (ANON, OBJECT), 7, f"{what} maps frame {number}, which is {nature(owner)}")
        if region is not None and writable and not region.shared and owner in (ANON, OBJECT):
            frame = self.state.frames[number]
            refs = self.state.anon(frame.anon).refs if owner == ANON and frame.anon else 0
            self.expect(refs == 1, 4, f"{what} is private and writable, though "
                        + (f"{refs} tables name its page" if refs else f"frame {number} is no private page"))

    def reverse_map(self):
        """Invariant 1, both ways, and the counts of resident pages."""
        state, resident = self.state, Counter()
        for number, frame in state.frames.items():
            links = Counter(state.chain(frame))
            found = Counter((space.address, va) for space, va, _ in state.mappings.get(number, ()))
            if number == self.zero:
                self.expect(not links, 1, "the frame of zeros has a reverse map")
                continue
            for space, va in found:
                resident[space, state.owner(number) == ANON] += 1
            if links == found:
                continue
            for space, va in (found - links):
                self.fail(1, f"{self.at(space, va)} maps frame {number}, whose reverse map does not have it")
            for space, va in (links - found):
                self.fail(1, f"the reverse map of frame {number} has {self.at(space, va)}, which does not map it")
        for space in state.spaces:
            for is_anon, field in ((True, "resident_anon"), (False, "resident_file")):
                counted = getattr(space.view, field)
                self.expect(resident[space.address, is_anon] == counted, 1, f"{space.who}: {field} is "
                            f"{counted}, {resident[space.address, is_anon]} pages are mapped")

    def at(self, space, va):
        known = self.state.spaces_by_address.get(space)
        return f"{known.who if known else f'a space at {space:#x} that does not exist'}: {va:#x}"

    # --- frames: invariants 2, 7 -------------------------------------------------------------------------

    def frames(self):
        """What each frame says of itself, and the counts by owner."""
        state, counts = self.state, Counter()
        for number, frame in state.frames.items():
            owner = state.owner(number)
            counts[owner] += 1
            users = len(state.mappings.get(number, ()))
            self.expect(owner in state.owners, 7, f"frame {number} has the owner {frame.owner}, which does not exist")
            self.expect(not (frame.busy and users), 2, f"frame {number} is busy, and mapped {users} times")
            if owner in (ANON, OBJECT) and frame.anon:
                self.owned(number, frame, owner)
        counts[FREE] += sum(end - fresh for _, fresh, end in state.rams)
        for owner, counted in zip(state.owners, self.kernel.variable("mm/frame.c:owner_count")):
            self.expect(counts[owner] == counted, 7, f"{counts[owner]} frames are {nature(owner)}, {counted} counted")

    def owned(self, number, frame, owner):
        """A frame and what it belongs to name each other."""
        if owner == ANON:
            self.expect(self.state.anon(frame.anon).frame == self.state.descriptor(number), 3,
                        f"frame {number} holds an anon whose bytes are elsewhere")
            return
        view = self.kernel.view("object", frame.anon)
        self.expect(self.object_pages(view).get(frame.index) == self.state.descriptor(number), 3,
                    f"frame {number} says that it is page {frame.index} of {self.state.object_name(view)}, which has "
                    "another one there")

    def object_pages(self, view):
        """{index: pointer} of an object's pages."""
        if view.address not in self._pages:
            self._pages[view.address] = dict(self.kernel.radix(view.pages))
        return self._pages[view.address]

    def free_list(self):
        """Every free frame that was used before is on the list, once."""
        state, link = self.state, self.kernel.reader("list", "next", "prev")
        head = self.kernel.variable("free_list").address
        free = {n for n, frame in state.frames.items() if state.owner(n) == FREE}
        at, before, seen = link(head).next, head, set()
        while at != head:
            number = state.number(at)
            if number in seen or number not in free or at != state.descriptor(number):
                what = f"frame {number}" if number in state.frames else f"{at:#x}"
                self.fail(7, f"the free list leads to {what}, which is "
                          + ("on it already" if number in seen else nature(state.owner(number))))
                return
            self.expect(link(at).prev == before, 7, f"the free list is broken at frame {number}")
            seen.add(number)
            at, before = link(at).next, at
        for number in sorted(free - seen)[:10]:
            self.fail(7, f"frame {number} is free, but not on the free list: it is lost")
        for number in sorted(free & set(state.mappings)):
            self.fail(7, f"frame {number} is free, and mapped")
        total = len(seen) + sum(end - fresh for _, fresh, end in state.rams)
        counted = self.kernel.variable("mm/frame.c:free_count")
        self.expect(total == counted, 7, f"{total} frames are free, free_count is {counted}")

    def tables(self):
        """Page tables belong to one space each, and the kernel's half is everywhere the same."""
        state, users = self.state, {}
        kernel_half = self.kernel.ram.read(self.kernel.root + PAGE // 2, PAGE // 2)
        for space in state.spaces:
            who = space.who
            self.expect(len(space.tables) == space.view.pt.tables, 7,
                        f"{who}: {len(space.tables)} page tables, {space.view.pt.tables} counted")
            self.expect(self.kernel.ram.read(space.root + PAGE // 2, PAGE // 2) == kernel_half, 7,
                        f"{who}: the kernel's half of its table is not the kernel's")
            for table, level in space.tables:
                owner = state.owner(table >> 12)
                entries = self.kernel.ram.read(table, PAGE // 2 if level == 4 else PAGE)
                present = sum(entry & memory.PRESENT for entry in memoryview(entries).cast("Q"))
                counted = state.frames[table >> 12].used if owner == PAGETABLE else present
                self.expect(counted == present, 9, f"{who}: the page table in frame {table >> 12} has {present} "
                            f"entries, {counted} counted")
                self.expect(owner == PAGETABLE, 7, f"{who}: its page table in frame {table >> 12} is {nature(owner)}")
                self.expect(table not in users, 7, f"{who} and {users.get(table)} share the page table {table:#x}")
                users[table] = who
        for number in state.frames:
            self.expect(state.owner(number) != PAGETABLE or number << 12 in users, 7,
                        f"frame {number} is a page table of no space")

    # --- anons and slots: invariants 3, 5 ----------------------------------------------------------------

    def anons(self):
        for anon, names in self.state.anon_names.items():
            refs, slot, frame = self.state.anon(anon)
            who = f"the private page of {', '.join(self.named_by(n) for n in names[:3])}"
            self.expect(refs == len(names), 3, f"{who}: refs is {refs}, {len(names)} tables name it")
            self.expect(frame or slot, 3, f"{who} has neither frame nor slot")
            if frame:
                number = self.state.number(frame)
                there = self.state.frames.get(number)
                self.expect(there is not None and self.state.owner(number) == ANON and there.anon == anon, 3,
                            f"{who} says that it is in frame {number}, which is not so")

    def named_by(self, name):
        who, where = name
        return self.at(who.address, where) if where >= PAGE and who.address in self.state.spaces_by_address else (
            f"{self.state.object_name(who)} page {where}")

    def objects(self):
        """The frames that objects name are theirs, and counted."""
        views = {r.object.address: r.object for s in self.state.spaces for r in s.regions if r.object is not None}
        views.update((view.address, view) for view in self.state.shared_objects)
        for number, frame in self.state.frames.items():
            if frame.anon and self.state.owner(number) == OBJECT and frame.anon not in views:
                views[frame.anon] = self.kernel.view("object", frame.anon)
        shm = self.kernel.enums["object_kind"]["OBJECT_SHM"]
        for view in views.values():
            pages, name = self.object_pages(view), self.state.object_name(view)
            self.expect(len(pages) == view.npages, 3, f"{name}: {len(pages)} pages, {view.npages} counted")
            for index, pointer in pages.items() if view.kind != shm else ():
                number = self.state.number(pointer)
                frame = self.state.frames.get(number)
                self.expect(frame is not None and self.state.owner(number) == OBJECT and frame.anon == view.address, 3,
                            f"{name}: its page {index} is said to be in frame {number}, which is "
                            f"{nature(self.state.owner(number))}")

    def every_anon(self):
        """Anons that tables name, and those that only a frame on its way to or from the disk holds."""
        held = {f.anon for n, f in self.state.frames.items() if f.anon and self.state.owner(n) == ANON}
        return held | set(self.state.anon_names)

    def slots(self):
        state, owners = self.state, {}
        for anon in self.every_anon():
            slot = state.anon(anon).slot
            if slot:
                owners.setdefault(slot, []).append(anon)
        for slot, anons in owners.items():
            area, page = state.slot(slot)
            used = area is not None and 0 < page < area.pages and area.bits >> page & 1
            self.expect(used, 5, f"{state.slot_name(slot)} is used by an anon, and not marked so")
            self.expect(len(anons) == 1, 5, f"{state.slot_name(slot)} belongs to {len(anons)} anons")
        for area in state.areas:
            mine = sum(slot >> AREA_SHIFT == area.number for slot in owners)
            marked = bin(area.bits & (1 << area.pages) - 1).count("1") - (area.pages - area.usable)
            self.expect(mine == area.used, 5, f"{area.name}: {mine} slots are used, {area.used} counted")
            self.expect(marked == area.used, 5, f"{area.name}: {marked} slots are marked used, {area.used} counted")

    def clean_pages(self):
        """The bytes of a clean private page that has a slot are those on the swap disk."""
        state = self.state
        for number, frame in state.frames.items():
            if state.owner(number) != ANON or not frame.anon or frame.busy or frame.dirty:
                continue
            slot = state.anon(frame.anon).slot
            if not slot or any(entry & DIRTY for _, _, entry in state.mappings.get(number, ())):
                continue
            data = state.slot_bytes(slot)
            if data is None:
                continue
            self.compared += 1
            self.expect(self.kernel.ram.read(number << 12, PAGE) == data, 5,
                        f"frame {number} is clean, and differs from {state.slot_name(slot)}")


def nature(owner):
    """What a frame of an owner is, in words."""
    words = {FREE: "free", "FRAME_KERNEL": "the kernel's", "FRAME_KMALLOC": "of kmalloc", PAGETABLE: "a page table",
             ANON: "a private or shared page", OBJECT: "a page of a file", ZERO: "the frame of zeros",
             None: "no memory"}
    return words.get(owner, f"of an unknown owner ({owner})")

"""A small model of a machine that writes the trace it would leave: processes, frames, swap, processors.

It is consistent: a frame is allocated before it is used, a page that comes back from swap went there before, and what
is true at the end (owners of frames, pages of processes) is kept for tests to compare with.
"""
import random
import struct

RECORD = struct.Struct("<QHBBiQQ")
(FAULT, MAP, UNMAP, PROTECT, COW_COPY, COW_REUSE, SWAP_OUT, SWAP_IN, FRAME_ALLOC, FRAME_FREE, FORK, EXEC, EXIT, SWITCH,
 TLB_FLUSH, SHOOTDOWN, RECLAIM, SIGNAL, DROP, WRITE_BACK) = range(1, 21)
FREE, KERNEL, KMALLOC, PAGETABLE, ANON, OBJECT, ZERO = range(7)
KINDS = ["zero", "new", "file", "read", "swap", "cow_copies", "cow_reuses", "stack", "entry", "refused"]
NEW, FILE, READ, SWAP, COPY, REUSE, STACK, REFUSED = (1 << KINDS.index(kind) for kind in (
    "new", "file", "read", "swap", "cow_copies", "cow_reuses", "stack", "refused"))
PAGE = 4096
LOW = 24  # so few free frames begin a round of reclaim


class Page:
    """One anonymous page, shared by reference."""

    def __init__(self, frame):
        self.frame, self.slot, self.users, self.writable = frame, None, 1, True


class Process:
    def __init__(self, pid, base):
        self.pid, self.base, self.pages, self.files, self.tables, self.size = pid, base, {}, {}, {}, 0


class Model:
    """Records so far are in `records`, as tuples in the order of RECORD."""

    def __init__(self, frames=1024, cpus=2, seed=1):
        self.random = random.Random(seed)
        self.records, self.clock, self.cpus = [], 5_000_000, cpus
        self.owners = [FREE] * frames
        self.slots, self.next_pid, self.cache = {}, 1, {}
        self.processes, self.running = {}, {}
        self.tid = 0
        self.cpu = 0
        for _ in range(60):
            self.take(KERNEL)
        self.zero = self.take(ZERO)

    def write(self, kind, detail=0, a=0, b=0, tid=None):
        self.clock += self.random.randint(40, 900)
        self.records.append((self.clock, kind, self.cpu, detail, self.tid if tid is None else tid, a, b))

    def bytes(self):
        return b"".join(RECORD.pack(*record) for record in self.records)

    def meta(self):
        return {"command": "model", "tsc_hz": 10**9, "cpus": self.cpus, "lost": 0, "names": {},
                "frames": len(self.owners), "owners": bytes(self.owners)}

    # Frames.

    def free(self):
        return self.owners.count(FREE)

    def take(self, owner):
        if self.free() <= LOW and owner in (ANON, OBJECT):
            self.reclaim()
        frame = self.owners.index(FREE, 1)
        self.owners[frame] = owner
        self.write(FRAME_ALLOC, owner, frame, 1)
        return frame

    def give(self, frame):
        self.write(FRAME_FREE, self.owners[frame], frame, 1)
        self.owners[frame] = FREE

    def reclaim(self):
        self.write(RECLAIM, 0, self.free(), 48)
        pages = {page for process in self.processes.values() for page in process.pages.values()
                 if page.frame is not None}
        victims = sorted(pages, key=lambda page: page.frame)
        for page in self.random.sample(victims, min(24, len(victims))):
            page.slot = page.slot or next(n for n in range(1, 1 << 20) if n not in self.slots)
            self.slots[page.slot] = page
            self.write(SWAP_OUT, 0, page.frame, page.slot)
            self.give(page.frame)
            page.frame = None
        self.write(RECLAIM, 1, self.free(), min(24, len(victims)))

    # Processes.

    def start(self, name):
        """The first process."""
        process = self.spawn()
        self.run(process)
        self.exec(process, name)
        return process

    def spawn(self):
        pid, self.next_pid = self.next_pid, self.next_pid + 1
        process = Process(pid, 0x7f00_0000_0000 + self.random.randrange(1 << 24) * PAGE)
        self.processes[pid] = process
        return process

    def run(self, process, cpu=None):
        self.cpu = self.random.randrange(self.cpus) if cpu is None else cpu
        before = self.running.get(self.cpu, 0)
        if before != process.pid:
            self.write(SWITCH, 0, process.pid, before, tid=before)
            self.running[self.cpu] = process.pid
        self.tid = process.pid

    def exec(self, process, name):
        words = struct.unpack("<QQ", name.encode().ljust(16, b"\0"))
        old = Process(process.pid, process.base)
        old.pages, old.tables = process.pages, process.tables
        self.write(EXEC, 0, *words)
        process.base = 0x7f00_0000_0000 + self.random.randrange(1 << 24) * PAGE
        process.pages, process.files, process.tables, process.size = {}, {}, {}, 0
        self.map(process, 64)
        self.store(process, 1)
        self.write(EXEC, 1, *words)
        self.empty(old)

    def map(self, process, pages):
        self.write(MAP, 3, process.base + process.size * PAGE, pages)
        process.size += pages

    def fork(self, parent):
        child = self.spawn()
        child.base, child.size, child.pages = parent.base, parent.size, dict(parent.pages)
        for page in child.pages.values():
            page.users += 1
            page.writable = False
        self.write(FORK, 0, child.pid, child.pid)
        self.shootdown(8)
        return child

    def shootdown(self, pages):
        self.write(TLB_FLUSH, 0, 0x7f00_0000_0000, pages)
        others = [cpu for cpu in range(self.cpus) if cpu != self.cpu]
        if others:
            self.write(SHOOTDOWN, len(others), sum(1 << cpu for cpu in others), pages)

    def fault(self, process, address, kinds, frame, error, begin):
        assert self.tid == process.pid
        self.write(FAULT, error, address)
        ticks = min(self.clock - begin, (1 << 28) - 1)
        self.records[-1] = (*self.records[-1][:6], kinds | frame << 12 | ticks << 36)

    def table(self, process, address):
        """The page table of an address; its levels are made from the top, so the lowest is made last."""
        for shift in (39, 30, 21):
            if (shift, address >> shift) not in process.tables:
                process.tables[shift, address >> shift] = self.take(PAGETABLE)

    def store(self, process, number):
        """A store to page `number` of the process: whatever fault that makes."""
        address = process.base + number * PAGE + 8 * self.random.randrange(512)
        page, begin = process.pages.get(number), self.clock
        if page is not None and page.frame is not None and page.writable:
            return
        self.table(process, address)
        kinds = 0
        if page is None:
            kinds, page = NEW, Page(self.take(ANON))
        if page.frame is None:
            kinds |= SWAP
            page.frame = self.take(ANON)
            self.write(SWAP_IN, 0, page.frame, page.slot)
        if page.users > 1:
            kinds |= COPY
            old, page.users = page, page.users - 1
            page = Page(self.take(ANON))
            self.write(COW_COPY, 0, address, (old.frame or 0) | page.frame << 32)
        if not page.writable:
            kinds |= REUSE
            self.write(COW_REUSE, 0, address, page.frame)
        page.writable = True
        process.pages[number] = page
        self.fault(process, address, kinds, page.frame, 7 if kinds & COPY else 6, begin)

    def read_file(self, process, index):
        begin, address = self.clock, process.base - (index + 16) * PAGE
        self.table(process, address)
        kind = FILE
        if index not in self.cache:
            kind, self.cache[index] = READ, self.take(OBJECT)
            self.clock += 20000
        process.files[address // PAGE] = self.cache[index]
        self.fault(process, address, kind, self.cache[index], 4, begin)

    def refuse(self, process):
        self.fault(process, 0x10, REFUSED, 0, 6, self.clock)
        self.write(SIGNAL, 11, 0x10, process.pid)

    def unmap(self, process, start, pages):
        self.write(UNMAP, 0, process.base + start * PAGE, pages)
        for number in range(start, start + pages):
            self.release(process, number)
        self.shootdown(pages)

    def release(self, process, number):
        page = process.pages.pop(number, None)
        if page is None:
            return
        page.users -= 1
        if page.users == 0:
            self.slots.pop(page.slot, None)
            if page.frame is not None:
                self.give(page.frame)

    def empty(self, process):
        for number in sorted(process.pages):
            self.release(process, number)
        for frame in process.tables.values():
            self.give(frame)
        process.tables = {}

    def exit(self, process, status=0):
        self.empty(process)
        self.write(EXIT, 1, status << 8, process.pid)
        del self.processes[process.pid]


def story(events=5000, frames=1024, cpus=2, seed=1):
    """A run of about so many events: a shell that forks, children that execute, compute, swap and end."""
    model = Model(frames, cpus, seed)
    shell = model.start("sh")
    for number in range(20):
        model.store(shell, number)
    names, pick = ["sort", "cc1", "lua", "grep", "sqlite3"], model.random
    while len(model.records) < events:
        if len(model.processes) < 5:
            model.run(shell, 0)
            child = model.fork(shell)
            model.run(child)
            model.store(child, 3)
            model.exec(child, pick.choice(names))
            for index in range(12):
                model.read_file(child, pick.randrange(120))
            if pick.random() < 0.8:
                model.map(child, frames)
            continue
        process = pick.choice(list(model.processes.values()))
        model.run(process)
        around = pick.randrange(process.size)
        for _ in range(pick.randrange(60)):
            model.store(process, min(process.size - 1, around + pick.randrange(60)))
        if process is not shell and pick.random() < 0.04:
            model.refuse(process)
        if process is not shell and pick.random() < 0.1:
            model.unmap(process, 0, 16)
            model.map(process, 16)
        if process is not shell and pick.random() < 0.06:
            model.exit(process)
            model.run(shell)
            model.store(shell, pick.randrange(20))
    model.run(shell)
    model.fork(shell)
    return model

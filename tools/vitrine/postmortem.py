"""A core file of the kernel, made of a memory that is left over: gdb reads its variables and its threads' stacks.

The memory is the kernel's half of the address space, as its page table maps it.  The threads are those that slept,
each where it left its stack; of one that was running only its processor knew the registers, and that is gone.
"""
import struct

from . import memory
from .core import PT_LOAD, PT_NOTE
from .machine import HostError
from .memory import ADDRESS, LARGE, PAGE, PRESENT

CALLEE_SAVED = ("r15", "r14", "r13", "r12", "rbx", "rbp", "rip")  # as context_switch leaves them
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
             "ds es fs gs").split()  # struct elf_prstatus's pr_reg
ET_CORE, EM_X86_64, NT_PRSTATUS = 4, 62, 1
KERNEL_CODE = 0x08


def resting_registers(kernel, thread):
    """The registers of a thread that does not run, by name: what context_switch will give it back."""
    at = thread.context.rsp
    words = struct.unpack("<7Q", kernel.read(at, 8 * len(CALLEE_SAVED)))
    return dict(zip(CALLEE_SAVED, words), rsp=at + 8 * len(CALLEE_SAVED))


def runs_of(kernel):
    """[(address, place in the RAM file, bytes)] of all that the kernel's half maps and that is RAM."""
    found = []

    def below(table, level, base):
        entries = struct.unpack("<512Q", kernel.ram.read(table, PAGE))
        for index in range(256 if level == 4 else 0, 512):
            entry, va = entries[index], base + index * memory.pt_span(level)
            if entry & PRESENT and level > 1 and not entry & LARGE:
                below(entry & ADDRESS, level - 1, va)
            elif entry & PRESENT:
                add(va, entry & ADDRESS & -memory.pt_span(level), memory.pt_span(level))

    def add(va, pa, size):
        try:
            at = kernel.ram.offset(pa)
        except HostError:
            return  # a device
        size = min(size, kernel.ram.size - at)
        if found and found[-1][0] + found[-1][2] == va and found[-1][1] + found[-1][2] == at:
            va, at, size = *found[-1][:2], found.pop()[2] + size
        found.append((va, at, size))

    below(kernel.root, 4, 0xFFFF << 48)
    return found


def prstatus(tid, registers):
    """The note that makes a thread."""
    words = [registers.get(name, KERNEL_CODE if name == "cs" else 0) for name in REGISTERS]
    body = bytes(32) + struct.pack("<i", tid) + bytes(76) + struct.pack("<27Q", *words) + bytes(8)
    return struct.pack("<III", 5, len(body), NT_PRSTATUS) + b"CORE\0\0\0\0" + body


def notes(state):
    """The threads that can be shown."""
    kernel = state.kernel
    running = {cpu.current.address for cpu in kernel.variable("cpus") if cpu and cpu.current}
    tasks = [task for process in state.processes.values() for task in state.tasks(process)]
    return b"".join(prstatus(task.tid, resting_registers(kernel, task.thread)) for task in tasks
                    if task.thread.address not in running)


def write_core(state, path):
    """Write the core file: headers and notes, and behind them the whole RAM, sparse."""
    segments, note = runs_of(state.kernel), notes(state)
    table = 64 + 56 * (len(segments) + 1)
    ram = (table + len(note) + PAGE - 1) // PAGE * PAGE
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", ET_CORE, EM_X86_64, 1, 0, 64, 0, 0, 64, 56, len(segments) + 1, 0, 0, 0)
    head += struct.pack("<IIQQQQQQ", PT_NOTE, 4, table, 0, 0, len(note), 0, 4)
    for va, at, size in segments:
        head += struct.pack("<IIQQQQQQ", PT_LOAD, 6, ram + at, va, 0, size, size, PAGE)
    with open(path, "wb") as core:
        core.write(head + note)
        core.truncate(ram + state.kernel.ram.size)
        for at in range(0, state.kernel.ram.size, 1 << 16):
            data = state.kernel.ram.bytes[at:at + (1 << 16)]
            if data.strip(b"\0"):
                core.seek(ram + at)
                core.write(data)
    return path

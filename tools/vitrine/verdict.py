"""How a run ended, told from QEMU's exit status, its log, its monitor and the kernel's log."""
import re
import time

from . import machine

TIMEOUT, HOST, KERNEL = 124, 125, 126

SAMPLES_HALTED = 3  # looks, 2 s apart, after which a halt with interrupts off counts as a hang
SAMPLES_SPINNING = 30  # the same for a tight loop with interrupts off
LOOP_BYTES = 256


class End(Exception):
    """The end of a run: exit status and, unless the program ended by itself, what to say about it."""

    def __init__(self, status, message=""):
        super().__init__(message)
        self.status = status
        self.message = message


def last_lines(text, count=15):
    """The end of a log, indented, for a message."""
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;=]*[A-Za-z]", "", text).splitlines() if line.strip()]
    return "\n".join("    " + line for line in lines[-count:])


def panic_text(log):
    """From the kernel's log: the panic's message and what it printed after it."""
    lines = [line.rstrip("\r") for line in log.splitlines()]
    for at, line in enumerate(lines):
        if re.search(r"\bpanic\b", line, re.I):
            return "\n".join("    " + text for text in lines[at:at + 60])
    return last_lines(log)


def panic(folder):
    return End(KERNEL, "kernel panic\n" + panic_text(folder.text("kernel.log")))


def out_of_memory(log):
    """[what to say] when the kernel's log tells of a process that was ended to have its memory, else []."""
    return [f"{words}; more of it: --mem 128M; a place for pages: --swap 64M; what took it: ./vm trace --tail 100"
            for words in re.findall(r"out of memory: ended process .* pages", log)[-1:]]


def reset(running):
    """The guest reset the machine: a triple fault, or on purpose."""
    folder, where = running.folder, ""
    if running.restarting():
        return End(KERNEL, "the guest restarted itself before the program was done\n" +
                   last_lines(folder.text("kernel.log"), 5))
    cpus = running.registers()
    if cpus:
        where = f" at rip {machine.symbol(cpus[0]['rip'])}, cr2 {cpus[0]['cr2']:#x}"
    if not running.triple_fault():
        return End(KERNEL, f"the guest reset the machine{where}")
    log = folder.text("kernel.log")
    if not log.strip():
        return End(KERNEL, f"triple fault{where}: the kernel died before its first message")
    return End(KERNEL, f"triple fault{where}: an exception could not be delivered, nor the double fault after it;"
                       f" its last messages:\n{last_lines(log)}")


def early_exit(folder, code):
    """QEMU ended with a code that the kernel did not choose."""
    errors = folder.text("qemu.err").strip()
    if code < 0:
        return End(HOST, f"QEMU was killed by signal {-code}" + ("\n" + errors if errors else ""))
    if code == 0:
        return End(HOST, "QEMU was ended from outside before the program was done")
    if not folder.text("kernel.log").strip():
        return End(HOST, f"QEMU could not start (exit status {code})\n{errors}")
    return End(HOST, f"QEMU ended with exit status {code}\n{errors}")


class Watch:
    """Looks at the processors now and then while nothing happens, and knows a dead machine when it sees one."""

    def __init__(self):
        self.samples = []

    def forget(self):
        """Something happened: the guest lives."""
        self.samples.clear()

    def look(self, cpus):
        """Take in one sample; an End when the guest can never go on, else None."""
        if not cpus or any(cpu["interrupts"] or cpu["cpl"] for cpu in cpus):
            self.samples.clear()
            return None
        self.samples.append(cpus)
        recent = self.samples[-SAMPLES_HALTED:]
        if len(recent) == SAMPLES_HALTED and all(cpu["halted"] for cpus in recent for cpu in cpus):
            return End(KERNEL, f"hang: halted with interrupts off at {machine.symbol(cpus[0]['rip'])}")
        recent = self.samples[-SAMPLES_SPINNING:]
        if len(recent) == SAMPLES_SPINNING and all(map(in_small_loop, zip(*recent))):
            return End(KERNEL, f"hang: spinning with interrupts off at {machine.symbol(cpus[0]['rip'])}")
        return None


def in_small_loop(samples):
    """True when one CPU was in the same few instructions in every sample."""
    places = [cpu["rip"] for cpu in samples]
    return max(places) - min(places) <= LOOP_BYTES


def disk_operations(running):
    """How often each disk was read, written and flushed, as text."""
    return re.findall(r"^\w+:|\w+_operations=\d+", running.monitor("info blockstats"), re.M)


def timeout(seconds, running):
    """--timeout passed; say what the guest was doing.  A dead machine is still a hang, not a slow program."""
    log, looks, disks = running.folder.text("kernel.log"), [], disk_operations(running)
    for _ in range(4):
        looks.append(running.registers())
        if not looks[-1]:
            break
        time.sleep(0.2)
    cpus = looks[-1]
    disks_work = bool(cpus) and disk_operations(running) != disks
    stuck = all(looks) and not any(cpu["interrupts"] or cpu["cpl"] for look in looks for cpu in look)
    if not cpus:
        doing = "QEMU does not say what the guest was doing"
    elif stuck and all(map(in_small_loop, zip(*looks))):
        return End(KERNEL, f"hang: stuck with interrupts off at {machine.symbol(cpus[0]['rip'])} after "
                           f"{seconds:g} seconds")
    elif all(cpu["halted"] for cpu in cpus):
        doing = "every processor was idle"
        if not disks_work:
            doing += ": the program waits for something that does not come"
    else:
        busy = next(cpu for cpu in cpus if not cpu["halted"])
        doing = f"the {'program' if busy['cpl'] else 'kernel'} was running at {machine.symbol(busy['rip'])}"
    if disks_work:
        doing += "; the disks were at work: if that was swap, more memory (--mem) makes it faster"
    end = f"; the kernel's last messages:\n{last_lines(log, 5)}" if log.strip() else "; the kernel said nothing"
    return End(TIMEOUT, f"timeout: not done after {seconds:g} seconds; {doing}{end}")

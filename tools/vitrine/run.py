"""The verbs `vm run` and `vm boot`: start a machine, carry bytes while it runs, say how it ended.

One loop waits for everything: the host link, QEMU's monitor, output that can be written, input that was
asked for.  Output is written in the order in which it came, and only what a pipe takes without blocking.
"""
import importlib
import json
import os
import select
import shutil
import signal
import stat
import struct
import sys
import termios
import time

from . import image, link, machine, options, verdict
from .verdict import End

PIPE_ATOMIC = 4096  # what a pipe that select() calls writable takes at once
OUT_MAX = 1 << 20  # stop reading the link while more than this waits to be written
QUIET = 3.0  # seconds of silence before the watch looks at the processors, and then every LOOK
LOOK = 2.0
POWER_OFF = 60.0  # seconds the kernel may take to write its disk back after the program's end
MODULES = {"gdb": "debugger", "trace": "export", **dict.fromkeys(options.GLASS, "glass"),
           **dict.fromkeys(options.REPLAY, "replay")}  # of verbs that are not called like theirs


class Output:
    """Bytes on their way to standard output and error, in order."""

    def __init__(self):
        self.queue = []
        self.size = 0

    def put(self, fd, data):
        if data:
            self.queue.append((fd, data))
            self.size += len(data)

    def fd(self):
        """The descriptor that is to be written to next, or None."""
        return self.queue[0][0] if self.queue else None

    def write(self):
        """Write some of the first item; BrokenPipeError when nobody reads it any more."""
        fd, data = self.queue[0]
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode):
                done = os.write(fd, data)
            else:
                done = os.write(fd, data[:PIPE_ATOMIC])
        except BlockingIOError:
            return
        self.size -= done
        if done < len(data):
            self.queue[0] = (fd, data[done:])
        else:
            self.queue.pop(0)

    def drain(self):
        """Write everything that is left."""
        while self.queue:
            select.select([], [self.fd()], [], 1.0)
            self.write()


class LogTail:
    """Copies what is added to the kernel's log to standard error (-v)."""

    def __init__(self, path, enabled):
        self.path, self.enabled, self.at = path, enabled, 0
        self.seen = 0

    def grew(self):
        """True when the log is longer than at the last call."""
        try:
            now = os.stat(self.path).st_size
        except FileNotFoundError:
            return False
        grown, self.seen = now > self.seen, now
        return grown

    def copy(self):
        if not self.enabled or not os.path.exists(self.path):
            return
        with open(self.path, "rb") as log:
            log.seek(self.at)
            data = log.read()
        self.at += len(data)
        if data:
            os.write(2, data.replace(b"\r", b""))


class Session:
    """One machine from start to end."""

    def __init__(self, running, opts):
        self.machine, self.opts = running, opts
        self.decoder, self.output = link.Decoder(), Output()
        self.to_guest = bytearray()
        self.input_wanted = 0  # bytes the guest asked for and has not got
        self.result = None  # (status, check_failed) once the program has ended
        self.tail = LogTail(running.folder.file("kernel.log"), opts.verbose and opts.verb == "run")
        self.watch, self.now = verdict.Watch(), time.monotonic()
        self.started = self.last_sign = self.last_look = self.now
        self.link_open, self.monitor_open = running.link is not None, True

    def run(self):
        """Until the end, which is raised as an End."""
        if self.link_open:
            self.machine.link.setblocking(False)
        while True:
            self._wait()
            self.now = time.monotonic()
            self.tail.copy()
            self._check_ends()

    def _wait(self):
        """Sleep until something can be done, at most a quarter of a second, and do it."""
        reads, writes = [], []
        if self.monitor_open:
            reads.append(self.machine.qmp)
        if self.link_open and self.output.size < OUT_MAX:
            reads.append(self.machine.link)
        if self.link_open and self.to_guest:
            writes.append(self.machine.link)
        if self.input_wanted and not self.to_guest:
            reads.append(0)
        if self.output.queue:
            writes.append(self.output.fd())
        ready, writable, _ = select.select(reads, writes, [], 0.02 if self.result or not reads else 0.25)
        if self.machine.qmp in ready:
            self.monitor_open = self.machine.read_events() is not None
        if self.machine.link in ready:
            self._receive()
        if 0 in ready:
            self._read_input()
        if self.machine.link in writable:
            self._send()
        if self.output.queue and self.output.fd() in writable:
            self._write_output()

    def _write_output(self):
        try:
            self.output.write()
        except BrokenPipeError:
            raise End(128 + signal.SIGPIPE) from None
        except OSError as error:
            raise End(verdict.HOST, f"standard output: {error.strerror}") from error

    def _receive(self):
        try:
            data = self.machine.link.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.link_open = False
            return
        self.last_sign = self.now
        try:
            for kind, payload in self.decoder.feed(data):
                self._frame(kind, payload)
        except (link.LinkError, struct.error) as error:
            raise End(verdict.KERNEL, f"the kernel broke the host link: {error}") from error

    def _frame(self, kind, payload):
        if kind in "OE":
            self.output.put(1 if kind == "O" else 2, payload)
        elif kind == "R":
            self.input_wanted = min(struct.unpack("<I", payload)[0], 65536)
            if not self.input_wanted or not is_open(0):
                self.to_guest += link.encode("I", b"")
                self.input_wanted = 0
        else:
            self.result = struct.unpack("<II", payload)

    def _read_input(self):
        try:
            data = os.read(0, self.input_wanted)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.input_wanted = 0
        self.to_guest += link.encode("I", data)

    def _send(self):
        try:
            sent = self.machine.link.send(self.to_guest)
        except BlockingIOError:
            return
        except ConnectionError:
            self.link_open = False
            return
        del self.to_guest[:sent]
        self.last_sign = self.now

    def _check_ends(self):
        """Raise End when the machine has ended, is dead, or has had its time."""
        code = self.machine.process.poll()
        if code is not None:
            if self.link_open and self.machine.link in select.select([self.machine.link], [], [], 0)[0]:
                return  # its last words come first
            raise self._ended(code)
        self.machine.settle()
        if self.machine.reset_by_guest() and not self.machine.powered_off():
            if self.opts.verb == "run" or not self.machine.restarting():
                raise verdict.reset(self.machine)
            self.machine.restart()
        if self.machine.powered_off():
            self.machine.stop()
            raise self._ended(machine.EXIT_ORDERLY)
        if self.opts.timeout and self.now - self.started > self.opts.timeout:
            if self.opts.gdb:
                raise End(verdict.TIMEOUT, f"timeout: {self.opts.timeout:g} seconds in the debugger are over")
            raise verdict.timeout(self.opts.timeout, self.machine)
        self._look()

    def _look(self):
        if self.tail.grew():
            self.last_sign = self.now
        if self.opts.gdb:
            return
        if self.now - self.last_sign < QUIET:
            self.watch.forget()
        elif self.now - self.last_look > LOOK:
            self.last_look = self.now
            end = self.watch.look(self.machine.registers())
            if end is not None:
                raise end
        if self.result and self.now - self.last_sign > POWER_OFF:
            raise End(verdict.KERNEL, "hang: the program has ended but the kernel does not switch off")

    def _ended(self, code):
        """QEMU has exited (or the guest switched it off): the End that this is."""
        if self.output.queue:
            try:
                self.output.drain()
            except BrokenPipeError:
                return End(128 + signal.SIGPIPE)
        folder = self.machine.folder
        if code == machine.EXIT_PANIC:
            return verdict.panic(folder)
        if self.opts.verb == "boot" and code in (0, machine.EXIT_ORDERLY):
            return End(0)  # 0: Ctrl-A X
        if code != machine.EXIT_ORDERLY:
            return verdict.early_exit(folder, code)
        if self.result is None:
            return End(verdict.KERNEL, "the guest switched itself off before the program was done\n" +
                       verdict.last_lines(folder.text("kernel.log"), 5))
        status, check_failed = self.result
        if check_failed:
            return End(verdict.KERNEL, f"the kernel's check of memory failed (program status {status})\n" +
                       verdict.last_lines(folder.text("kernel.log")))
        if status & 0xff == 128 + signal.SIGKILL:
            for line in verdict.out_of_memory(folder.text("kernel.log")):
                print(f"vm: {line}", file=sys.stderr)
        return End(status & 0xff)


def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False


def after(folder, opts, end):
    """What is to be done with the disk of a machine that ended in order; the End, possibly a worse one."""
    if opts.fsck:
        faults = image.check(folder.file("root.img"))
        if faults:
            return End(verdict.KERNEL, "e2fsck finds the root disk damaged\n" + faults)
    for guest, host in opts.get:
        try:
            image.get(folder.file("root.img"), guest, host)
        except image.ImageError as error:
            return End(verdict.HOST, f"--get {guest}:{host}: {error}")
    return end


def gdb_hint(running):
    """Tell how a debugger is attached to the waiting machine, once it can be."""
    while running.process.poll() is None and not os.path.exists(running.folder.file("gdb.sock")):
        time.sleep(0.02)
    number = os.path.basename(running.folder.path)[:3]
    print(f"vm: waiting for the debugger: ./vm gdb --run {number}, in another terminal", file=sys.stderr)


def session(folder, opts):
    """Start the machine and see it to its end."""
    machine.prepare_disks(folder, opts)
    shutil.copyfile(machine.KERNEL, folder.file("vitrine.elf"))  # what its memory is to be read with
    terminal = saved_terminal() if opts.verb == "boot" else None
    if terminal is not None:
        leave_newlines_alone(terminal)
    elif opts.verb == "boot":
        print("vm: standard input is no terminal, and what it holds before the shell is there is lost; "
              "to run a script: ./vm run -- sh <SCRIPT", file=sys.stderr)
    running = machine.Machine(folder, opts)
    if opts.gdb:
        gdb_hint(running)
    state = Session(running, opts)
    try:
        state.run()
    except End as end:
        running.note_registers()
        running.stop()
        state.tail.copy()
        orderly = end.status < verdict.TIMEOUT or not end.message
        return after(folder, opts, end) if orderly and end.status != 128 + signal.SIGPIPE else end
    finally:
        running.stop()
    return None


def saved_terminal():
    """The settings of the terminal on standard input, which QEMU changes; None where there is none."""
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def leave_newlines_alone(terminal):
    """Stop the terminal from putting a CR before each LF, for the guest's terminal does so itself."""
    termios.tcsetattr(0, termios.TCSANOW, [terminal[0], terminal[1] & ~termios.ONLCR, *terminal[2:]])


def interrupted(number, _frame):
    """SIGTERM, SIGHUP: end as if by the signal, QEMU first."""
    raise SystemExit(128 + number)


def other_verb(opts):
    """What is neither run nor boot has a module of its own, which may use this one; the exit status."""
    try:
        status = importlib.import_module(f".{MODULES.get(opts.verb, opts.verb)}", __package__).main(opts)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains about what it still holds
        return 128 + signal.SIGPIPE


def main(argv):
    """The whole of ./vm; its exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    terminal, folder = saved_terminal(), None
    try:
        opts = options.parse(argv)
        if opts.verb not in ("run", "boot"):
            return other_verb(opts)
        machine.build(opts.door != "pvh")
        folder = machine.Folder(opts.keep)
        with open(folder.file("arguments"), "w", encoding="utf-8") as note:
            json.dump({"cwd": os.getcwd(), "words": argv}, note)  # for `vm lastwrite`, `vm rewind`
        try:
            end = session(folder, opts)
        finally:
            if opts.log:
                if os.path.exists(folder.file("kernel.log")):
                    shutil.copyfile(folder.file("kernel.log"), opts.log)
            if terminal is not None and opts.verb == "boot":
                termios.tcsetattr(0, termios.TCSANOW, terminal)
    except machine.HostError as error:
        end = End(verdict.HOST, str(error))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    if end.message:
        print(f"vm: {end.message}", file=sys.stderr)
        if folder is not None and end.status == verdict.KERNEL:
            from . import crash  # pylint: disable=import-outside-toplevel  # nobody else needs it
            sys.stderr.write(crash.tell(folder.path, end))
        if folder is not None:
            print(f"vm: see {os.path.relpath(folder.path)}/kernel.log and qemu.log", file=sys.stderr)
    if folder is not None:
        folder.ended(end.status, end.message)
    return end.status

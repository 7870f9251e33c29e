"""QEMU's debugger port, spoken to directly: stop at an address, read and write registers, go on.

The protocol is gdb's remote serial one: "$data#checksum", each packet answered by "+".
"""
import os
import re
import select
import socket

from ..machine import HostError

RIP, CR3 = 16, 29  # of QEMU's x86-64 registers; the general ones are rax rbx rcx rdx rsi rdi rbp rsp r8 ... r15
RAX, RCX, RDX, RSI, RDI = 0, 2, 3, 4, 5
WRITE_MAX = 1024  # bytes of memory in a packet
PATIENCE = 60.0  # seconds until QEMU answers, on a host that has much else to do


class Trouble(HostError):
    """Ours, not the student's."""


class Gone(Exception):
    """QEMU has ended."""


class Stub:
    """The connection to a machine that was started with --gdb; `folder` is its run's."""

    def __init__(self, folder):
        self._socket, self._pending = socket.socket(socket.AF_UNIX), b""
        place = os.open(folder, os.O_PATH)  # the path itself may be longer than a socket's may be
        try:
            self._socket.connect(f"/proc/self/fd/{place}/gdb.sock")
        finally:
            os.close(place)
        self.ask("qXfer:features:read:target.xml:0,ffb")  # before, QEMU gives no single register

    def _receive(self, seconds):
        """More bytes; False when none come in time."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return False
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            raise Gone
        self._pending += data
        return True

    def _packet(self, seconds):
        """The next packet's text, None when none comes in time."""
        while True:
            start, end = self._pending.find(b"$"), self._pending.find(b"#")
            if 0 <= start < end and len(self._pending) >= end + 3:
                text, self._pending = self._pending[start + 1:end], self._pending[end + 3:]
                self._send(b"+")
                return text.decode("ascii", "replace")
            if not self._receive(seconds):
                return None

    def _send(self, data):
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Gone from error

    def _command(self, text):
        data = text.encode("ascii")
        self._send(b"$%s#%02x" % (data, sum(data) & 0xFF))

    def ask(self, text):
        """The answer to a command."""
        self._command(text)
        answer = self._packet(PATIENCE)
        if answer is None:
            raise Trouble("QEMU's debugger port does not answer")
        return answer

    def expect_ok(self, text):
        answer = self.ask(text)
        if answer != "OK":
            raise Trouble(f"QEMU's debugger port refuses {text}: {answer}")

    def stop_at(self, va):
        """Stop when any processor comes to this address, in any address space."""
        self.expect_ok(f"Z1,{va:x},1")

    def leave(self, va):
        """Stop there no more."""
        self.expect_ok(f"z1,{va:x},1")

    def pass_by(self, va):
        """The processor stands at an address where it stops, and is to go one instruction further."""
        self.leave(va)
        self.ask("s")
        self.stop_at(va)

    def go(self):
        self._command("c")

    def stopped(self, seconds):
        """True when the machine has stopped since go(), and its processor is chosen; Gone when it has ended."""
        answer = self._packet(seconds)
        if answer is None:
            return False
        if answer[:1] in "WX":
            raise Gone
        for pair in answer[3:].split(";"):
            key, _, value = pair.partition(":")
            if key == "thread":
                self.expect_ok(f"Hg{value}")
        return True

    def register(self, number):
        answer = self.ask(f"p{number:x}")
        if not re.fullmatch("([0-9a-f]{2})+", answer):
            raise Trouble(f"QEMU's debugger port does not give register {number}: {answer}")
        return int.from_bytes(bytes.fromhex(answer), "little")

    def set_register(self, number, value):
        self.expect_ok(f"P{number:x}={value.to_bytes(8, 'little').hex()}")

    def close(self):
        self._socket.close()

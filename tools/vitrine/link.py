"""The host link: frames on a byte stream between one program in the guest and its user on the host.

A frame is an 8-byte header {u8 type, u8 zero[3], u32 length, little-endian} and its payload.

    guest to host   'O' bytes of standard output     'E' bytes of standard error
                    'R' u32 max: up to max bytes of standard input, please
                    'X' u32 status, u32 check_failed: the program has ended (status as a shell counts it)
    host to guest   'I' answer to an 'R'; empty at the end of the input

Input is read from the host only when the guest asks, so what the program leaves unread stays unread.
"""
import struct

HEADER = struct.Struct("<B3xI")
PAYLOAD_MAX = 1 << 20


class LinkError(Exception):
    """The stream does not hold frames: a kernel that writes rubbish to its console."""


class Decoder:
    """Cuts a stream into frames, however it arrives."""

    def __init__(self):
        self.pending = bytearray()

    def feed(self, data):
        """Take in bytes; yield (type, payload) of every frame that is complete."""
        self.pending += data
        while len(self.pending) >= HEADER.size:
            kind, length = HEADER.unpack_from(self.pending)
            if chr(kind) not in "OERX" or any(self.pending[1:4]) or length > PAYLOAD_MAX:
                raise LinkError(f"bad frame header {bytes(self.pending[:8]).hex()}")
            if len(self.pending) < HEADER.size + length:
                return
            payload = bytes(self.pending[HEADER.size:HEADER.size + length])
            del self.pending[:HEADER.size + length]
            yield chr(kind), payload


def encode(kind, payload):
    """One frame as bytes."""
    return HEADER.pack(ord(kind), len(payload)) + payload

"""The trace's schema, kernel/trace/events.toml, as objects.

The kernel's header and docs/trace.md are written from it by tools/events; trace.py reads records by it.
"""
import os
import tomllib
from dataclasses import dataclass

PATH = os.path.join(os.path.dirname(__file__), "..", "..", "kernel", "trace", "events.toml")
PLACES = {"detail": 8, "a": 64, "b": 64}  # in the order of arguments and fields
SIGNED = ("tid", "status")


@dataclass(frozen=True)
class Field:
    """Where a value lies in a record, and how it is to be understood."""

    name: str
    place: str
    low: int
    high: int
    type: str

    @property
    def mask(self):
        return (1 << (self.high - self.low + 1)) - 1

    def value(self, words):
        """What the record with these words (a dict of places) holds."""
        number = words[self.place] >> self.low & self.mask
        if self.type == "text":
            return number.to_bytes(8, "little").rstrip(b"\0").decode("utf-8", "replace")
        if self.type in SIGNED and number >> 31 & 1:
            return (number & 0xffffffff) - (1 << 32)
        return number


@dataclass(frozen=True)
class Kind:
    """One kind of event."""

    number: int
    name: str
    what: str
    say: str
    fields: tuple


def field(place, name, text):
    """A field from its entry, "TYPE" or "TYPE LOW-HIGH"."""
    kind, _, bits = text.partition(" ")
    low, _, high = bits.partition("-")
    return Field(name, place, int(low or 0), int(high or PLACES[place] - 1), kind)


class Schema:
    """kinds by number, and the names of what numbers mean: choices[type][n], flags[type][bit]."""

    def __init__(self, path=PATH):
        with open(path, "rb") as source:
            data = tomllib.load(source)
        self.choices, self.flags = data["choices"], data["flags"]
        self.kinds = {}
        for event in data["event"]:
            fields = tuple(field(place, name, text) for place in PLACES for name, text in event.get(place, {}).items())
            kind = Kind(event["number"], event["name"], event["what"], event["say"], fields)
            assert kind.number not in self.kinds, f"two events have the number {kind.number}"
            kind.say.format(**{f.name: "" for f in fields})  # a name that is none is found here
            self.kinds[kind.number] = kind

    def names(self, kind, value):
        """The words for a value of one of the schema's own types: a list for flags, a string for choices."""
        if kind in self.flags:
            return [name for bit, name in enumerate(self.flags[kind]) if value >> bit & 1]
        names = self.choices[kind]
        return names[value] if value < len(names) else str(value)

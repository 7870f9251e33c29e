"""What the lab aslr is judged by: how many victims opened, and where launches lie.

The victims are trusted programs, and so is the vault that one becomes when it opens: it tells the key of the launch,
which the attacker cannot have.  The grader adds a number to each key that was never in the guest before.
"""
import secrets
import tomllib
from dataclasses import dataclass

from vitrine import aslr
from vitrine.lab.look import Over
from vitrine.memory import PAGE

ANSWERS = "labs/aslr/answers.toml"
OPEN, END = 1, 2  # what a checkpoint of aslr_rounds says
FIELDS = 5  # of struct places
QUARTER = 1 << 45
USER_BOTTOM, STACK_ROOM = 0x10000, 1 << 40
SIGMAS = 6  # chance alone goes so far once in 500 million times


@dataclass
class Place:
    """What is drawn: from where on, in which steps, and how many bits of it; @at: which of struct places it is."""

    name: str
    at: int
    low: int
    step: int
    bits: int

    def drawn(self, value):
        """The number that was drawn."""
        return (value - self.low) // self.step % (1 << self.bits)


PROGRAM = Place("program", 0, USER_BOTTOM, PAGE, 33)
HEAP = Place("heap", 1, 0, PAGE, 28)
MAPPINGS = Place("mappings", 2, 2 * QUARTER - STACK_ROOM, PAGE, 33)
STACK = Place("stack", 3, 3 * QUARTER, PAGE, 33)
REGIONS = [PROGRAM, HEAP, MAPPINGS, STACK]
POINTER = Place("arguments in their page", 4, 0, 16, 8)
PLACES = [*REGIONS, POINTER]


# --- rounds ----------------------------------------------------------------------------------------------

def visits(look):
    """[(where the program lay, whether it opened)] of all victims."""
    look.at(1)
    look.answer(secrets.randbits(62))
    keys = set()
    while True:
        what, value, count = look.at(len(keys) + 2).args
        if what != OPEN:
            break
        if value in keys:
            raise Over("forged: the vault was told of the same launch twice")
        keys.add(value)
    words = look.stops[-1].words(value, count * (1 + FIELDS))
    rounds = [(words[at], words[at + 1]) for at in range(0, len(words), 1 + FIELDS)]
    look.expect(keys <= {key for key, _ in rounds}, "forged: the vault was told a key that no victim had")
    return [(program, key in keys) for key, program in rounds]


def opened(rounds):
    return sum(done for _, done in rounds)


def attack(look):
    """The exploit works as long as it knows where everything is."""
    rounds = visits(look)
    look.expect(opened(rounds) * 100 >= 99 * len(rounds),
                f"at fixed places {opened(rounds)} of {len(rounds)} victims opened")


def defeat(look):
    """It still does, but not if the places are drawn."""
    rounds = visits(look)
    fixed, drawn = rounds[:10], rounds[10:]
    look.expect(opened(fixed) == len(fixed), f"at fixed places {opened(fixed)} of {len(fixed)} victims opened")
    look.expect(opened(drawn) * 100 <= len(drawn),
                f"at places that are drawn {opened(drawn)} of {len(drawn)} victims opened")


def leak(look):
    """What the victim tells is enough."""
    rounds = visits(look)
    places = len({program for program, _ in rounds})
    look.expect(places >= len(rounds) - 1, f"{len(rounds)} victims lay at {places} places only: nothing to be leaked")
    look.expect(opened(rounds) * 100 >= 99 * len(rounds),
                f"with the leak {opened(rounds)} of {len(rounds)} victims opened")


# --- places ----------------------------------------------------------------------------------------------

def launches(look):
    """The places of each launch, as lists of numbers."""
    table, count, _ = look.at(1).args
    words = look.stops[-1].words(table, count * FIELDS)
    return [words[at:at + FIELDS] for at in range(0, len(words), FIELDS)]


def unfair(heads, count):
    """Whether so many heads are not what so many throws of a coin come to."""
    return (2 * heads - count) ** 2 > SIGMAS ** 2 * count


def columns(place, found):
    """For each bit of a place a number whose bits are that bit of all launches."""
    drawn = [place.drawn(each[place.at]) for each in found]
    return [sum((value >> bit & 1) << n for n, value in enumerate(drawn)) for bit in range(place.bits)]


def in_bounds(look, place, found):
    """Every value is one that could be drawn."""
    for value in (each[place.at] for each in found):
        if place is not POINTER:
            high = place.low + place.step * ((1 << place.bits) - 1)
            look.expect(place.low <= value <= high,
                        f"{place.name} at {value:#x}: it is to be from {place.low:#x} to {high:#x}")
        look.expect(value % place.step == 0, f"{place.name} at {value:#x}: it is to be a multiple of {place.step}")
        if look.seen:
            return


def fair(look, place, found):
    """Each bit is as often 1 as 0, and changes as often as not from one launch to the next."""
    count, bits = len(found), columns(place, found)
    still = [bit for bit, column in enumerate(bits) if column in (0, (1 << count) - 1)]
    look.expect(not still or count < 20, f"{place.name}: {len(still)} of its {place.bits} bits never change")
    for bit, column in enumerate(bits):
        ones, changes = column.bit_count(), ((column ^ column >> 1) & (1 << count - 1) - 1).bit_count()
        if bit not in still:
            look.expect(not unfair(ones, count), f"{place.name}: bit {bit} is 1 in {ones} of {count} launches")
            look.expect(not unfair(changes, count - 1), f"{place.name}: bit {bit} changes {changes} times in {count} "
                                                        "launches")


def unrelated(look, found):
    """No bit of a place tells of a bit of another."""
    count, bits = len(found), {place.name: columns(place, found) for place in PLACES}
    names = list(bits)
    for k, one in enumerate(names):
        for other in names[k + 1:]:
            differ = [(a ^ b).bit_count() for a in bits[one] for b in bits[other]]
            bad = sum(unfair(heads, count) for heads in differ)
            look.expect(not bad, f"{one} tells of {other}: {bad} of {len(differ)} pairs of bits go together")


def spread(look):
    """All launches of this machine and those before it are as if every place was drawn by itself."""
    mine = launches(look)
    machines = [*look.earlier, mine]
    found = [launch for each in machines for launch in each]
    for place in PLACES:
        in_bounds(look, place, found)
    for place in (PROGRAM, MAPPINGS, STACK):
        once = [len({launch[place.at] for launch in each}) == len(each) for each in machines]
        look.expect(all(once), f"{place.name}: two launches of one machine lie at the same place")
        look.expect(not all(once) or len({launch[place.at] for launch in found}) == len(found),
                    f"{place.name}: launches of two machines lie at the same places")
    if not look.seen:
        for place in PLACES:
            fair(look, place, found)
        unrelated(look, found)
    return mine


# --- answers ---------------------------------------------------------------------------------------------

def answers(look, table):
    """(the number, what the student has answered)."""
    try:
        told = tomllib.loads(look.files[ANSWERS])
    except tomllib.TOMLDecodeError as error:
        raise Over(f"{ANSWERS} cannot be read: {error}") from error
    return told.get("number"), told.get(table, {})


def near(mine, truth):
    return isinstance(mine, (int, float)) and abs(mine - truth) <= 0.5


def measured(look):
    """The bits of each place, against those of the launches of this run."""
    _, mine = answers(look, "kernel")
    found = launches(look)
    if not any(mine.values()):
        look.not_yet(3)
        return
    for name, at in (("program", 0), ("heap", 1), ("mappings", 2), ("stack", 3), ("arguments", 4)):
        truth = aslr.measure([each[at] for each in found])["bits"]
        look.expect(near(mine.get(name), truth), f"[kernel] in {ANSWERS}: {name} has not {mine.get(name)!r} bits")


def pool(look):
    """What a student tells of the pool of their number."""
    bits, changes, _ = look.at(1).args
    number, mine = answers(look, "pool")
    if not number or not mine.get("changes"):
        look.not_yet(3)
        return
    look.expect(mine["changes"] == changes, f"[pool] in {ANSWERS}: other bits change than {mine['changes']!r}")
    look.expect(near(mine.get("bits"), bits), f"[pool] in {ANSWERS}: its place has not {mine.get('bits')!r} bits")


# --- the picture -----------------------------------------------------------------------------------------

def picture(look):
    """Each launch a tick, in one row for each place; a row is all of what may be drawn."""
    found, width = launches(look), 64
    lines = []
    for place in PLACES:
        row = ["."] * width
        for each in found:
            at = place.drawn(each[place.at]) * width >> place.bits
            row[at] = "#"
        lines.append(f"{place.name:<24}{''.join(row)}")
    return lines

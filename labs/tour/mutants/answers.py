"""The answers as gdb tells them to a student, and wrong ones: each function below right() makes a common mistake."""
import re

PAGES = [f"vm walk at+{page * 4096}" for page in range(8)]
PARENT = [f"vm walk 4 at+{page * 4096}" for page in range(8)]
COMMANDS = [
    "break-user visit:look_here", "continue", "vm maps", "vm faults",
    "continue", "set $address = at", "tbreak vm_fault if va == $address", "continue", "backtrace", "print/x $cr2",
    "up", "print tf->error", "finish", "vm trace 4",
    "continue", "print/x $cr3", "vm walk at", "x/gx at",
    "continue", *PAGES,
    "continue", *PAGES,
    "continue", *PAGES, *PARENT,
]


def run_words(number, programs):
    """What the student gives to ./vm run."""
    return ["--gdb", "--seed", str(number), "--add", f"{programs['visit']}:/lab/visit", "--", "/lab/visit", str(number)]


class Said:
    """What gdb said to each of COMMANDS, taken in their order."""

    def __init__(self, said):
        self.left = [(command, "\n".join(lines)) for command, lines in said]

    def to(self, command, pattern):
        """The groups that fit first in the answer to the next such command."""
        while self.left[0][0] != command:
            self.left.pop(0)
        return re.search(pattern, self.left.pop(0)[1], re.M).groups()

    def number(self, command, pattern=r"= (\w+)$"):
        return int(self.to(command, pattern)[0], 0)

    def stop(self):
        """Go on to the next stop; the address that it names."""
        return self.number("continue", r"look_here \(n=.* at=\S*?(0x\w+)\)")

    def entries(self, commands):
        """The last entry of each walk."""
        return [self.number(command, r"^ +PTE +\[\d+\] +(0x\w+)") for command in commands]


def frame(entry):
    return (entry & 0xffffffffff000) >> 12


def right(said):
    """All answers to the number that the machine was started with."""
    said, answers = Said(said), {}
    start = said.stop()
    size, own = said.to("vm maps", rf"^{start:x}-\w+ +rw-p +(\d+)K +(\d+)K")
    zero, new = said.to("vm faults", r"^ +4 +\d+ +\d+ +(\d+) +(\d+) .* visit$")
    answers["memory"] = {"start": start, "pages": int(size) // 4, "resident": int(own) // 4, "zero": int(zero),
                         "new": int(new)}
    said.stop()
    function, = said.to("backtrace", r"<signal handler called>\n#\d+ +(\w+) ")
    answers["fault"] = {"address": said.number("print/x $cr2"), "error": said.number("print tf->error"),
                        "function": function, "kind": said.to("vm trace 4", r"page fault at .*: (\w+); .*\Z")[0]}
    at, root = said.stop(), said.number("print/x $cr3")
    levels = re.findall(r"(?:PML4E|PDPTE|PDE|PTE) +\[(\d+)\] +(0x\w+)", said.to("vm walk at", r"((?:.|\n)*)")[0])
    entries = [int(entry, 16) for _, entry in levels]
    answers["walk"] = {"root": root, "indices": [int(index) for index, _ in levels], "entries": entries,
                       "physical": (frame(entries[3]) << 12) + at % 4096, "value": said.number("x/gx at", r":\t(\w+)")}
    answers["store"], answers["fork"] = store(said), fork(said)
    return answers


def store(said):
    said.stop()
    before = said.entries(PAGES)
    none = [page for page, entry in enumerate(before) if not entry]
    zeros = [page for page, entry in enumerate(before) if entry and not entry & 2]
    said.stop()
    after = said.entries(PAGES)
    (changed, entry), = [(page, entry) for page, entry in enumerate(after) if entry != before[page]]
    return {"none": none, "zeros": zeros, "own": [page for page in range(8) if page not in none + zeros],
            "changed": changed, "entry": entry}


def fork(said):
    said.stop()
    child, parent = said.entries(PAGES), said.entries(PARENT)
    copied = [page for page in range(8) if frame(child[page]) != frame(parent[page])]
    return {"copied": copied, "parent": frame(parent[copied[0]]), "child": frame(child[copied[0]])}


# --- wrong answers ---------------------------------------------------------------------------------------

def of_another_number(answers):
    answers["number"] += 1


def in_kib(answers):
    answers["memory"]["pages"] *= 4


def zeros_are_resident(answers):
    answers["memory"]["resident"] += answers["memory"]["zero"]


def page_for_address(answers):
    answers["fault"]["address"] &= -4096


def present_bit_lost(answers):
    answers["fault"]["error"] ^= 1


def lowest_level_first(answers):
    answers["walk"]["indices"].reverse()


def entries_without_bits(answers):
    answers["walk"]["entries"] = [frame(entry) << 12 for entry in answers["walk"]["entries"]]


def offset_left_out(answers):
    answers["walk"]["physical"] &= -4096


def zeros_are_own(answers):
    answers["store"]["own"] = sorted(answers["store"]["own"] + answers["store"]["zeros"])


def counted_from_1(answers):
    answers["store"]["none"] = [page + 1 for page in answers["store"]["none"]]


def shared_for_copied(answers):
    answers["fork"]["copied"] = [page for page in range(8) if page not in answers["fork"]["copied"]]


def address_for_frame(answers):
    answers["fork"]["child"] <<= 12

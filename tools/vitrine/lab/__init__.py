"""The labs of the course: labs/NAME/ is data, and this reads it.  docs/labs.md says what a lab is made of.

marks    the bodies that are cut out of the kernel's source, and put back
handout  a student's tree; the solution of a step; hints
gdbstub  QEMU's debugger port, spoken to directly
look     one graded run: the machine's state at the checkpoints of a trusted program
grade    a student's tree: built apart, run test by test, judged
results  what came out, in the forms that platforms read
many     a class's trees, one after the other or several at once
"""
import os
import re
import tomllib
from dataclasses import dataclass, field, fields
from functools import cached_property

from .. import machine
from ..machine import HostError
from . import marks

LABS = os.path.join(machine.ROOT, "labs")


@dataclass
class Step:
    """What a student does: [[step]].  @by_hand: no body is cut out for it; it is an answer, or a program of theirs."""

    id: int
    what: str
    by_hand: bool = False


@dataclass
class Test:
    """[[test]]: a run of a program that is judged by a function of the probe.

    @program:   a word of labs/NAME/programs, with arguments; {seed} stands for the run's,
                {number} for the student's own (see a step by hand).
    @needs:     the steps without which it counts for nothing.
    @machine:   mem, cpus, swap, append, seed, as ./vm run has them; the seed may be "{number}".
    @seeds:     under how many seeds it runs; all must pass.
    @budget:    the most guest instructions between the first checkpoint and the last.
    @probe:     the function that judges, FILE:NAME if it is not in probe.py; the test's own name if left out.
    @ends:      the run is judged to its end; false: it is over when the probe is.
    @hidden:    is not in the handout.
    @full:      the probe measures a value, for a league: one of so much gets all points, a smaller one its share.
    """

    name: str
    what: str
    points: int
    program: str
    needs: list
    probe: str = ""
    machine: dict = field(default_factory=dict)
    seeds: int = 1
    budget: int = 2_000_000_000
    seconds: int = 300
    ends: bool = True
    hidden: bool = False
    full: float = 0.0


@dataclass
class Diagnosis:
    """[[diagnosis]]: the likely cause when something that was seen fits the pattern; the first that fits counts."""

    name: str
    seen: str
    cause: str


@dataclass
class Mutant:
    """[[mutant]]: a wrong solution, the test that must fail on it and the diagnosis it must get there."""

    patch: str
    killed_by: str
    diagnosis: str


def made(kind, table, where):
    """A dataclass of a table of the TOML file; a HostError that names what is wrong."""
    known = {f.name for f in fields(kind)}
    try:
        strange = set(table) - known
        if strange:
            raise TypeError(f"{sorted(strange)[0]} is not a key of [[{kind.__name__.lower()}]]")
        return kind(**table)
    except TypeError as error:
        raise HostError(f"{where}: {error}".replace(f"{kind.__name__}.__init__() ", f"[[{kind.__name__.lower()}]] ")
                        ) from error


def is_program(path):
    """True for a student's file that is a program for the guest; all other C files are the kernel's."""
    return path.startswith("labs/") and path.endswith(".c")


class Lab:
    """A lab: its data, and its folder."""

    def __init__(self, name, root=machine.ROOT):
        self.name, self.root, self.folder = name, root, os.path.join(root, "labs", name)
        path = os.path.join(self.folder, "lab.toml")
        if not re.fullmatch("[a-z]+", name) or not os.path.exists(path):
            raise HostError(f"there is no lab {name or '(LAB= is empty)'}; there are: {', '.join(names(root))}")
        with open(path, "rb") as file:
            try:
                data = tomllib.load(file)
            except tomllib.TOMLDecodeError as error:
                raise HostError(f"{path}: {error}") from error
        try:
            self.title, self.hours, self.files = data.pop("title"), data.pop("hours"), data.pop("files")
        except KeyError as error:
            raise HostError(f"{path}: {error.args[0]} is missing") from error
        self.picture = data.pop("picture", "")
        self.stand_ins, self.waits = data.pop("stand_in", {}), data.pop("waits", [])
        self.steps = {s.id: s for s in (made(Step, t, path) for t in data.pop("step", []))}
        self.tests = {s.name: s for s in (made(Test, t, path) for t in data.pop("test", []))}
        self.diagnoses = [made(Diagnosis, t, path) for t in data.pop("diagnosis", [])]
        self.mutants = [made(Mutant, t, path) for t in data.pop("mutant", [])]
        if data:
            raise HostError(f"{path}: {sorted(data)[0]} is not known")

    @property
    def points(self):
        return sum(test.points for test in self.tests.values())

    def source(self, path, root=None):
        with open(os.path.join(root or self.root, path), encoding="utf-8") as file:
            return file.read()

    @cached_property
    def parts(self):
        """{path: parsed source} of the C files that the student may change."""
        return {path: marks.parse(path, self.source(path)) for path in self.files if path.endswith((".c", ".h"))}

    def pieces(self, step=None):
        """(path, Piece) of every body of the lab, or of one step's."""
        return [(path, piece) for path, parts in self.parts.items() for piece in marks.pieces(parts, self.name, step)]

    def unwritten(self, tree):
        """The steps that are not yet written in a student's tree."""
        return set().union(*(marks.unwritten(self.source(path, tree), self.name) for path in self.files))

    def readme(self):
        with open(os.path.join(self.folder, "README.md"), encoding="utf-8") as file:
            return file.read()

    def section(self, step):
        """The text of a step's section in the handout's README, without its heading."""
        found = re.search(rf"(?ms)^## Step {step}: [^\n]*\n(.*?)(?=^## |\Z)", self.readme())
        if found is None:
            raise HostError(f"labs/{self.name}/README.md has no section \"## Step {step}: ...\"")
        return found[1]

    def hints(self, step):
        """The hints of a step, the mildest first."""
        return [text.strip() for text in re.findall(r"(?s)<details><summary>Hint \d</summary>(.*?)</details>",
                                                    self.section(step))]

    def check(self):
        """Hold the rules of a lab; a HostError for the first that is broken.  Not for a handout, which has no marks."""
        def rule(holds, sentence):
            if not holds:
                raise HostError(f"lab {self.name}: {sentence}")

        found = self.pieces()
        cut = {step.id for step in self.steps.values() if not step.by_hand}
        rule(found or not cut, f"there are no marks in {', '.join(self.files)}: is this tree a handout itself?")
        rule(len(found) <= marks.MOST, f"{len(found)} bodies are marked, {marks.MOST} is the most")
        rule({piece.step for _, piece in found} == cut,
             f"the marks are of steps {sorted({p.step for _, p in found})}, lab.toml has {sorted(cut)}")
        for path, piece in found:
            rule(marks.hole(piece, self.stand_ins), f"{path}:{piece.line}")
        for step in self.steps:
            rule(len(self.hints(step)) == 3, f"step {step} has {len(self.hints(step))} hints, not 3")
        for test in self.tests.values():
            rule(set(test.needs) <= set(self.steps) and test.needs, f"test {test.name} needs no step, or one not there")
            program = os.path.join(self.folder, "programs", test.program.split()[0] + ".c")
            rule(os.path.exists(program), f"test {test.name}: {os.path.relpath(program, self.root)} is not there")
        rule(self.picture in self.tests or not self.picture, f"picture = {self.picture}: there is no such test")
        known = {diagnosis.name for diagnosis in self.diagnoses}
        for mutant in self.mutants:
            rule(mutant.killed_by in self.tests and mutant.diagnosis in known,
                 f"mutant {mutant.patch}: no test {mutant.killed_by} or no diagnosis {mutant.diagnosis}")


def names(root=machine.ROOT):
    """The labs of a tree."""
    folder = os.path.join(root, "labs")
    return sorted(name for name in (os.listdir(folder) if os.path.isdir(folder) else ())
                  if os.path.exists(os.path.join(folder, name, "lab.toml")))

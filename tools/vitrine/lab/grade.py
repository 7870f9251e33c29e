"""Grades a student's tree: `make grade`, `make replay`.

Only the files that the lab lets a student change are taken from there; all else, the tests above all, is this tree's.
They are built in a folder apart, by an unprivileged user if we are root, and run there.  What a run comes to is
judged by labs/NAME/probe.py, which looks at the machine and not at what it prints.

Exit status: 0 all passed, 1 not all, 2 the student's files do not build, 3 our own trouble.
"""
import argparse
import fcntl
import glob
import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from .. import image, machine
from ..machine import HostError
from . import Lab, gdbstub, is_program, results
from .look import SANDBOX, Look, Over, Program

SOURCES = ("boot", "kernel", "mm", "tools", "linker.ld", "Makefile", "vm")
PROGRAM_HEADERS = ("user/tests/test.h", "labs/*.h", "labs/{lab}/*.h")  # what a student's program may include
HEADERS = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h"}
SEED_MAX = 1 << 31
PASSED, FAILED, NOT_BUILT, OURS = 0, 1, 2, 3


class NotBuilt(Exception):
    """The student's files cannot be built; str() says why."""


# --- a student's files -----------------------------------------------------------------------------------

def refuse_tricks(path, text, root):
    """Raise NotBuilt if a file would take in what is not of the tree."""
    joined = re.sub(r'"\s*"', "", re.sub(r"\\\n", "", text))  # as the compiler joins what is in quotes
    if match := re.search(r"\.(incbin|include)\b|#\s*embed\b|%:|\?\?=|\.macro\b", joined):
        raise NotBuilt(f"{path}: {match[0]} is not allowed in a lab")
    for line in re.sub(r"/\*.*?\*/", " ", joined, flags=re.S).splitlines():
        if not re.match(r"\s*#\s*(include|import)", line):
            continue
        quoted, angled = re.match(r'\s*#\s*include\s*"([^"]+)"', line), re.match(r"\s*#\s*include\s*<([^>]+)>", line)
        name = os.path.normpath(quoted[1]) if quoted else ""
        inside = quoted and not name.startswith(("/", "..")) and name.endswith(".h") and (
            os.path.exists(os.path.join(root, name)) or name.startswith("kernel/trace/events"))
        if not inside and not (angled and angled[1] in HEADERS):
            raise NotBuilt(f"{path}: {line.strip()}: a lab's file may include headers of the tree only")


def student_files(lab, tree):
    """{path: text} of the files that count."""
    found = {}
    for path in lab.files:
        whole = os.path.join(os.path.realpath(tree), path)
        if os.path.realpath(whole) != whole:
            raise NotBuilt(f"{path} of {tree} is a symbolic link, or lies behind one")
        try:
            found[path] = lab.source(path, tree)
        except (OSError, UnicodeDecodeError) as error:
            raise NotBuilt(f"{path} of {tree} cannot be read: {error}") from error
        if path.endswith((".c", ".h")):
            refuse_tricks(path, found[path], lab.root)
        if is_program(path) and re.search(r"(?m)^[/ ]\*[ ]*build:", found[path]):
            raise NotBuilt(f"{path}: a program of a lab cannot choose how it is built (build:)")
    return found


def number_of(files):
    """The number that a student was given, as their answers.toml has it: what a step by hand is about; 0: none yet."""
    answers = next((text for path, text in files.items() if path.endswith("/answers.toml")), "")
    found = re.search(r"(?m)^number *= *(\d{1,9})\b", answers)
    return int(found[1]) if found else 0


# --- building --------------------------------------------------------------------------------------------

def reference(lab):
    """Bring this tree's kernel and the lab's programs up to date; the root disk with those in /lab."""
    words = sorted(name[:-2] for name in os.listdir(os.path.join(lab.folder, "programs")) if name.endswith(".c"))
    programs = {word: os.path.join(machine.BUILD, "labs", lab.name, "programs", word) for word in words}
    machine.build(False, [os.path.relpath(path, machine.ROOT) for path in programs.values()], programs.values())
    disk = os.path.join(machine.BUILD, "labs", lab.name, "root.img")
    with open(disk + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made_from = [machine.DISK, *programs.values()]
        if not os.path.exists(disk) or os.stat(disk).st_mtime < max(os.stat(path).st_mtime for path in made_from):
            make_disk(programs, disk + ".new")
            os.replace(disk + ".new", disk)
    return disk, programs


def make_disk(programs, disk):
    """The root disk with programs, {word: path}, in /lab."""
    image.make_with(machine.TREE, [(path, f"/lab/{word}") for word, path in programs.items()], disk)


class Stage:
    """A folder apart: this tree's sources and objects, with the student's files among them."""

    def __init__(self, lab, tree):
        self.lab, self.tree = lab, tree
        self.root = os.path.realpath(tempfile.mkdtemp(prefix=f"grade-{lab.name}-"))
        self.build = os.path.join(self.root, "build")
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def make(self):
        """Build; NotBuilt with the compiler's words when that cannot be done."""
        self.files = student_files(self.lab, self.tree)
        self.disk, self.programs = reference(self.lab)
        patterns = [pattern.format(lab=self.lab.name) for pattern in PROGRAM_HEADERS]
        headers = [name for pattern in patterns for name in glob.glob(pattern, root_dir=self.lab.root)]
        for name in [*SOURCES, *headers]:
            os.makedirs(os.path.dirname(os.path.join(self.root, name)), exist_ok=True)
            copy = shutil.copytree if os.path.isdir(os.path.join(self.lab.root, name)) else shutil.copy2
            copy(os.path.join(self.lab.root, name), os.path.join(self.root, name))
        os.mkdir(self.build)
        for name in ("obj", "include"):
            shutil.copytree(os.path.join(machine.BUILD, name), os.path.join(self.build, name))
        shutil.copy2(os.path.join(machine.BUILD, "flags"), self.build)
        for path, text in self.files.items():
            target = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not os.path.exists(target) or text != self.lab.source(path):
                with open(target, "w", encoding="utf-8") as file:
                    file.write(text)
        self._give_away()
        mine = {os.path.basename(path)[:-2]: f"build/{path[:-2]}" for path in self.files if is_program(path)}
        done = subprocess.run(["make", "-s", "kernel", *mine.values()], cwd=self.root, env=self.environment(),
                              capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False,
                              **self.user)
        if done.returncode:
            raise NotBuilt((done.stdout + done.stderr).strip())
        self._make_disk({word: os.path.join(self.root, path) for word, path in mine.items()})

    def _make_disk(self, mine):
        """The run's root disk: the reference's, and on it the student's own programs."""
        target = os.path.join(self.build, "root.img")
        if not mine:
            image.copy_sparse(self.disk, target)
            return
        with tempfile.NamedTemporaryFile(dir=os.path.dirname(self.disk)) as disk:  # it needs the tree's file system
            make_disk({**self.programs, **mine}, disk.name)
            image.copy_sparse(disk.name, target)
        self._give_away()

    def _give_away(self):
        """The folder belongs to whom the student's files are built by."""
        if self.user:
            subprocess.run(["chown", "-R", "nobody:nogroup", self.root], check=True)

    def environment(self):
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "CC") if key in os.environ}
        return {**kept, "HOME": self.root, "TMPDIR": self.root, "VITRINE_BUILD": self.build, "VITRINE_NO_BUILD": "1"}

    def start(self, test, seed):
        """A run of a test's program, as a Look; it stands before its first instruction."""
        word, *arguments = test.program.format(seed=seed, number=number_of(self.files)).split()
        its = {"mem": "32M", "cpus": 1, "swap": "", "append": "", "seed": "{seed}", **test.machine}
        its["seed"] = its["seed"].format(seed=seed, number=number_of(self.files))
        command = [os.path.join(self.root, "vm"), "run", "--gdb", "--mem", its["mem"], "--cpus", str(its["cpus"]),
                   "--seed", its["seed"], "--timeout", str(test.seconds), "--qemu", SANDBOX]
        command += ["--swap", its["swap"]] * bool(its["swap"]) + ["--append", its["append"]] * bool(its["append"])
        look = Look([*command, "--", f"/lab/{word}", *arguments], self.environment(), Program(self.programs[word]),
                    self.user)
        look.seed, look.budget, look.files = seed, test.budget, self.files
        return look


# --- judging ---------------------------------------------------------------------------------------------

def probe_of(lab, name):
    """A function of the probe; FILE:FUNCTION for one of another file."""
    name, _, function = name.rpartition(":")
    path = os.path.join(lab.folder, f"{name or 'probe'}.py")
    spec = importlib.util.spec_from_file_location(f"probe_{lab.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        return getattr(module, function)
    except AttributeError:
        raise HostError(f"{path} has no function {function}") from None


def judge(look, test, probe):
    """Let the probe go through the run; what it saw is in look.seen.  What it returned, None when it did not."""
    returned = None
    try:
        returned = probe(look)
        if test.ends:
            look.end()
        spent = look.instructions()
        look.expect(spent <= test.budget, f"it took {spent:,} instructions, {test.budget:,} are allowed")
    except Over as over:
        look.seen.append(str(over))
    except gdbstub.Trouble:
        raise
    except Exception as error:  # pylint: disable=broad-except  # a spoilt memory can lead a probe anywhere
        look.seen.append(f"what the memory holds makes no sense: {type(error).__name__}: {error}")
    return returned


def cause_of(lab, seen):
    """The first diagnosis that fits what was seen, one line after the other."""
    return next((d for d in lab.diagnoses if re.search(d.seen, "\n".join(seen), re.S)), None)


def run_test(stage, test, seed, earlier=None):
    """One test of a tree that is built; a results.Result.  @earlier: what the probe returned so far, to be added to."""
    lab, began = stage.lab, time.monotonic()
    look = stage.start(test, seed)
    look.earlier = earlier = [] if earlier is None else earlier
    try:
        earlier.append(judge(look, test, probe_of(lab, test.probe or test.name)))
        sound = not look.seen
        if sound and test.full and look.value < test.full:
            look.seen.append(f"the score is {look.value:.3f}; {test.full} is worth all points")
        open_steps = sorted(look.reached(lab.name) & set(test.needs))
        found = cause_of(lab, look.seen)
        outcome = "todo" if open_steps else "failed" if look.seen else "passed"
        return results.Result(test.name, test.what, test.points, outcome, seed=seed, steps=open_steps, seen=look.seen,
                              full=test.full, value=look.value if sound and not open_steps else None,
                              notes=look.notes,
                              diagnosis=found.name if found else "", cause=found.cause if found else "",
                              seconds=time.monotonic() - began, instructions=look.instructions(),
                              output=look.output(), log=look.log())
    finally:
        look.close()


def run_seeds(stage, test, seed):
    """A test under all of its seeds, beginning with this one; the first Result that is not passed, or the last."""
    earlier = []
    for number in range(test.seeds):
        result = run_test(stage, test, (seed + number) % SEED_MAX, earlier)
        if result.outcome != "passed":
            break
    return result


def picture(lab, tree, seed):
    """The lab's picture of a tree, drawn by picture() of the probe."""
    if not lab.picture:
        raise HostError(f"the lab {lab.name} has no picture")
    with Stage(lab, tree) as stage:
        try:
            stage.make()
            look = stage.start(lab.tests[lab.picture], seed or 7)
            try:
                return "\n".join(probe_of(lab, "picture")(look)) + "\n"
            finally:
                look.close()
        except (NotBuilt, Over) as error:
            raise HostError(str(error)) from error


def grade(lab, tree, tests=None, seed=None, tell=lambda result: None):
    """Build and run; the results.Report."""
    report = results.Report(lab.name, lab.title, os.path.realpath(tree))
    tests = [lab.tests[name] for name in tests] if tests else list(lab.tests.values())
    with Stage(lab, tree) as stage:
        try:
            stage.make()
        except NotBuilt as error:
            report.build = str(error)
        for test in tests:
            if report.build:
                result = results.Result(test.name, test.what, test.points, "failed", seen=["it was not built"])
            else:
                result = run_seeds(stage, test, seed or secrets.randbelow(SEED_MAX - 1) + 1)
            report.results.append(result)
            tell(result)
    return report


# --- the command -----------------------------------------------------------------------------------------

def parse(words):
    parser = argparse.ArgumentParser(prog="grade", description="Grade a student's tree; docs/labs.md tells how.")
    parser.add_argument("lab", help="which lab, such as cow")
    parser.add_argument("--tree", default=machine.ROOT, metavar="FOLDER", help="the student's tree (this one)")
    parser.add_argument("--test", action="append", default=[], help="this test alone; may be repeated")
    parser.add_argument("--seed", type=int, default=0, help="of every run (each has one of its own, by chance)")
    parser.add_argument("--format", choices=sorted(results.FORMATS), default="text")
    parser.add_argument("--out", metavar="FILE", help="write the result there, not to standard output")
    parser.add_argument("--replay", action="store_true", help="show what the program and the kernel printed, too")
    parser.add_argument("--all", metavar="FOLDER", help="grade every folder in it, and make a table")
    parser.add_argument("--jobs", type=int, default=1, help="with --all: so many at a time; 0 prints the commands")
    parser.add_argument("--picture", action="store_true", help="only draw the lab's picture of the tree")
    return parser.parse_args(words)


def main(words):
    """tools/grade; its exit status."""
    opts = parse(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and leave nothing behind
    try:
        lab = Lab(opts.lab)
        unknown = [name for name in opts.test if name not in lab.tests]
        if unknown:
            raise HostError(f"the lab {lab.name} has no test {unknown[0]}; it has: {', '.join(lab.tests)}")
        if not os.path.isdir(opts.tree):
            raise HostError(f"{opts.tree}: no such folder")
        if opts.all is not None:
            from . import many  # pylint: disable=import-outside-toplevel  # it uses this file
            return many.main(opts, lab)
        if opts.picture:
            write(picture(lab, opts.tree, opts.seed), opts.out)
            return PASSED
        live = opts.format == "text" and not opts.out
        report = grade(lab, opts.tree, opts.test, opts.seed,
                       (lambda result: print(results.lines(result, lab.name, opts.tree), flush=True)) if live else
                       (lambda result: None))
        if opts.replay:
            for result in report.results:
                print(f"--- printed\n{result.output}--- the kernel's log\n{result.log}")
        write(results.total(report) if live else results.FORMATS[opts.format](report), opts.out)
    except (HostError, image.ImageError, OSError) as error:
        print(f"grade: {error}", file=sys.stderr)
        return OURS
    return NOT_BUILT if report.build else PASSED if report.all_passed() else FAILED


def write(text, path):
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)

"""What goes to a student: a tree without the bodies of one lab, and later a step's solution or a hint.

The tree is a git repository of one commit, so there is no history to find the bodies in.  Nothing that knows a
solution goes along: wrong solutions, hidden tests, the tests of the labs themselves.
"""
import os
import re
import shutil
import subprocess

from .. import machine
from ..machine import HostError
from . import LABS, Lab, marks, names

STAYS = ("tests/test_labs.py", "tests/test_planted.py", "tests/test_symptoms.py", "docs/instructor.md")
# What `make test` runs in a handout: a student waits for the tests of the lab and the system, not for the tools'.
QUICK = " ".join(f"tests/test_{name}.py" for name in ("lab", "guest", "boot", "shell", "memory"))
WHEN = "2026-01-01T00:00:00+0000"
GIT = {"GIT_AUTHOR_DATE": WHEN, "GIT_COMMITTER_DATE": WHEN, "GIT_CONFIG_GLOBAL": "/dev/null",
       **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
          for what, value in (("NAME", "Vitrine"), ("EMAIL", "vitrine@localhost"))}}


def git(folder, *words):
    """Run git; what it prints."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, env={**os.environ, **GIT}, capture_output=True, text=True,
                              check=False)
    except FileNotFoundError as error:
        raise HostError("git is not installed (make setup)") from error
    if done.returncode:
        raise HostError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout


def is_for(lab, path):
    """True when a file of the main tree is for the lab's students."""
    if path in STAYS or path.startswith(".github/") or path.startswith(".ci/"):
        return False
    if not path.startswith("labs/") or path.count("/") == 1:
        return True
    hidden = [test for test in lab.tests.values() if test.hidden]
    shown = {test.program.split()[0] for test in lab.tests.values() if not test.hidden}
    secret = {f"programs/{p}.c" for p in {test.program.split()[0] for test in hidden} - shown}
    secret |= {f"{test.probe.split(':')[0]}.py" for test in hidden if ":" in test.probe}
    inside = path.removeprefix(f"labs/{lab.name}/")
    return inside != path and not inside.startswith(("mutants/", "cheats/")) and inside not in secret


def public(text):
    """lab.toml without its wrong solutions, its hidden tests, and what stands in for the bodies."""
    blocks = re.split(r"(?m)^(?=\[)", text)
    return "".join(block for block in blocks if not block.startswith(("[[mutant]]", "[stand_in]"))
                   and not re.search(r"(?m)^hidden *= *true", block)).rstrip("\n") + "\n"


def changed(lab, path, text):
    """A file of the main tree as the student gets it."""
    if path == f"labs/{lab.name}/lab.toml":
        return public(text)
    if path == "README.md":
        return text.replace("\n", f"\n\n**This tree is a lab, {lab.title}: "
                            f"[labs/{lab.name}/README.md](labs/{lab.name}/README.md) says what to do.**\n", 1)
    if path == "Makefile":
        return text.replace("\nTESTS ?= tests\n", "\n# Those about the lab; TESTS=tests for every one that this "
                            f"tree can pass.\nTESTS ?= {QUICK}\n")
    if path.endswith((".c", ".h")) and "// LAB " in text:
        return marks.cut(marks.parse(path, text), lab.name, lab.stand_ins)
    return text


def write(lab, out):
    """Write the student's tree to a folder that does not exist yet, or is empty."""
    lab.check()
    if os.path.isdir(out) and os.listdir(out):
        raise HostError(f"{out} is not empty: give another place (OUT=...), or remove it first")
    for path in git(lab.root, "ls-files", "-co", "--exclude-standard").splitlines():
        source, target = os.path.join(lab.root, path), os.path.join(out, path)
        if not is_for(lab, path) or not os.path.isfile(source):
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(source, target)
        with open(source, "rb") as file:
            data = file.read()
        if b"\0" not in data:
            text = changed(lab, path, data.decode("utf-8"))
            if text.encode("utf-8") != data:
                with open(target, "w", encoding="utf-8") as file:
                    file.write(text)
    git(out, "init", "-q", "-b", "main")
    git(out, "add", "-A")
    git(out, "commit", "-q", "-m", f"The lab {lab.name}: {lab.title}")


def solve(lab, step, tree):
    """Put the bodies of a step back into a student's tree; the files that changed."""
    if step not in lab.steps:
        raise HostError(f"the lab {lab.name} has no step {step}; it has {', '.join(map(str, sorted(lab.steps)))}")
    if lab.steps[step].by_hand:
        raise HostError(f"step {step} of the lab {lab.name} is done by hand: there is no text of it to be put in")
    if not lab.pieces():
        raise HostError("this tree is a handout itself and does not know the solution: ask who gave it to you")
    new = {}
    for path in {path for path, _ in lab.pieces(step)}:
        text = marks.put_back(lab.source(path, tree), lab.parts[path], lab.name, step, lab.stand_ins)
        if text is None:
            raise HostError(f"{os.path.join(tree, path)}: where step {step} was to be written the text has changed. "
                            f"Put your work aside (git stash, or git checkout {path}) and ask again")
        new[path] = text
    for path, text in new.items():
        with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
            file.write(text)
    return sorted(new)


def hint(lab, step, level):
    """The text of a hint: @level 1 is the mildest."""
    if step not in lab.steps:
        raise HostError(f"the lab {lab.name} has no step {step}; it has {', '.join(map(str, sorted(lab.steps)))}")
    hints = lab.hints(step)
    if not 1 <= level <= len(hints):
        raise HostError(f"step {step} has hints of LEVEL=1 to {len(hints)}")
    more = f"\n\n(more: make hint LAB={lab.name} STEP={step} LEVEL={level + 1})" * (level < len(hints))
    return f"{lab.name}, step {step}: {lab.steps[step].what}\nhint {level}:\n\n{hints[level - 1]}{more}"


def main(words):
    """tools/lab's verbs."""
    if not words or words[0] not in ("handout", "solution", "hint", "check"):
        raise HostError("usage: lab handout LAB OUT | solution LAB STEP TREE | hint LAB STEP [LEVEL] | check [LAB...]")
    verb, *rest = words
    if verb == "check":
        for name in rest or names():
            Lab(name).check()
        return
    lab = Lab(rest[0] if rest else "")
    number = [int(word) if word.isdigit() else 0 for word in rest]
    if verb == "handout":
        place = rest[1] if len(rest) > 1 else ""
        out = os.path.abspath(place or os.path.join(machine.BUILD, "handout", lab.name))
        write(lab, out)
        print(f"{out}: the lab {lab.name} as a student gets it; labs/{lab.name}/README.md tells what to do")
    elif verb == "solution":
        if len(rest) != 3 or not os.path.isdir(rest[2]):
            raise HostError("make solution LAB=cow STEP=1 IN=tree: which step, and which student's tree?")
        for path in solve(lab, number[1], rest[2]):
            print(f"{os.path.join(rest[2], path)}: step {number[1]} is put in")
    else:
        if len(rest) < 2:
            raise HostError("make hint LAB=cow STEP=2: which step?")
        print(hint(lab, number[1], number[2] if len(rest) > 2 and rest[2] else 1))

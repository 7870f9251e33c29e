"""The course's machinery, and each lab held against what it says of itself.

What needs many builds or runs is marked `labs` and runs in `make test-labs`: every wrong solution, every cheat.  The
wrong solutions of a lab that has just been changed are tried in `make test`, too.
"""
import copy
import dataclasses
import itertools
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_gdb import session  # noqa: F401  pylint: disable=unused-import  # a fixture
from vitrine import machine
from vitrine.lab import Lab, gdbstub, grade, handout, look, many, marks, names, results
from vitrine.machine import HostError
from vitrine.memory import BadAddress

ROOT = Path(__file__).resolve().parent.parent
LABS = names()
SEED = 11
NUMBER = 4711  # a student's, where answers depend on one


def changed():
    """The labs that the last commit, or the work since, has touched."""
    done = subprocess.run(["git", "diff", "--name-only", "HEAD~1"], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    return {name for name in LABS for path in done.stdout.splitlines()
            if path in Lab(name).files or path.startswith(f"labs/{name}/")}


def mutants():
    """(lab, wrong solution) as pytest parameters; `make test` has those of labs that changed."""
    quick = changed()
    for name in LABS:
        for mutant in Lab(name).mutants:
            yield pytest.param(name, mutant.patch, id=f"{name}-{re.sub('^.*:|[.]patch$', '', mutant.patch)}",
                               marks=() if name in quick else pytest.mark.labs)


@pytest.fixture(scope="session")
def student(tmp_path_factory):
    """student(lab) -> the folder of its handout, to be read only."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("handout") / name
            handout.write(Lab(name), str(made[name]))
        return made[name]

    return of


def files_of(lab, folder, tree=ROOT):
    """Copy the files that a student may change into a folder, as a tree to be graded; the folder."""
    for path in lab.files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(tree) / path, folder / path)
    return folder


def run(lab, tree, tests):
    """{name: Result} of some tests of a student's tree."""
    report = grade.grade(lab, str(tree), tests, SEED)
    assert not report.build, report.build
    return {result.name: result for result in report.results}


# --- steps by hand ---------------------------------------------------------------------------------------

TOLD = {}


@pytest.fixture
def answered(session):
    """answered(lab) -> the right answers to NUMBER, as gdb tells them to labs/NAME/mutants/answers.py."""
    def of(lab):
        if lab.name not in TOLD:
            words, commands, right = (grade.probe_of(lab, f"mutants/answers:{name}")
                                      for name in ("run_words", "COMMANDS", "right"))
            _, programs = grade.reference(lab)
            said, _ = session(commands, *words(NUMBER, programs))
            TOLD[lab.name] = {"number": NUMBER, **right(said)}
        return copy.deepcopy(TOLD[lab.name])
    return of


def write_answers(lab, tree, answers):
    """Write the student's answers.toml: what is a string, a number or a list looks alike in JSON and in TOML."""
    lines = []
    for key, value in answers.items():
        pairs = value.items() if isinstance(value, dict) else [(key, value)]
        lines += [f"[{key}]"] * isinstance(value, dict) + [f"{name} = {json.dumps(each)}" for name, each in pairs]
    path = next(path for path in lab.files if path.endswith("/answers.toml"))
    (tree / path).write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- marks -----------------------------------------------------------------------------------------------

BODY = "int\nf(void)\n{\n%s}\n"
WRONG = {
    "nested": ("    // LAB cow/1 begin\n    // LAB cow/2 begin\n    // LAB end\n", "do not nest"),
    "open": ("    // LAB cow/1 begin\n    return 0;\n", 'has no "// LAB end"'),
    "end": ("    // LAB end\n", "without a beginning"),
    "typo": ("    // LAB cow 1 begin\n    // LAB end\n", "not a mark"),
    "if": ("    // LAB cow/1 begin\n#if 0\n#endif\n    // LAB end\n", "preprocessor"),
    "long": ("    // LAB cow/1 begin\n" + "    f();\n" * 41 + "    // LAB end\n", "more than 40 lines"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_mark_is_told(name):
    text, sign = WRONG[name]
    with pytest.raises(HostError, match=sign):
        marks.parse("x.c", BODY % text)


@pytest.mark.parametrize("name", LABS)
def test_a_lab_keeps_the_rules(name):
    Lab(name).check()
    assert len(Lab(name).mutants) >= 6


@pytest.mark.parametrize("name", LABS)
def test_cut_and_put_back_are_the_same_bytes(name):
    lab = Lab(name)
    for path, parts in lab.parts.items():
        whole = marks.plain(parts)
        assert "// LAB" not in whole and whole.count("\n") < lab.source(path).count("\n")
        for order in itertools.permutations(lab.steps):
            text = marks.cut(parts, name, lab.stand_ins)
            assert marks.unwritten(text, name) == {piece.step for piece in marks.pieces(parts, name)}
            for step in order:
                text = marks.put_back(text, parts, name, step, lab.stand_ins)
            assert text == whole


# --- what a student gets ---------------------------------------------------------------------------------

def telling_lines(lab):
    """Lines of the bodies that stand nowhere else in the kernel: one of them would give the solution away."""
    rest, inside = set(), set()
    for path in [*ROOT.glob("mm/*.[ch]"), *ROOT.glob("kernel/*/*.[ch]"), *ROOT.glob("labs/*/*.c")]:
        for part in marks.parse(str(path), path.read_text(encoding="utf-8")):
            here = inside if isinstance(part, marks.Piece) and part.lab == lab.name else rest
            here |= {line.strip() for line in getattr(part, "body", part).splitlines()}
    texts = [*lab.stand_ins.values(), *(piece.stand_in for _, piece in lab.pieces())]
    stand_in = {line.strip() for text in texts for line in text.splitlines()}
    return {line for line in inside - rest - stand_in if len(line) >= 12}


@pytest.mark.parametrize("name", LABS)
def test_the_solution_is_not_in_the_handout(student, name):
    lab, tree = Lab(name), student(name)
    telling = telling_lines(lab)
    assert telling or not lab.pieces()
    for path in tree.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        found = telling & {line.strip() for line in data.decode("utf-8", "replace").splitlines()}
        assert not found, f"{path} has {found}"
        assert path.suffix not in (".c", ".h") or "// LAB" not in data.decode("utf-8", "replace"), path
    log = subprocess.run(["git", "log", "--oneline", "--all"], cwd=tree, capture_output=True, text=True, check=True)
    assert log.stdout.count("\n") == 1
    there = {str(path.relative_to(tree)) for path in tree.rglob("*")}
    assert not [path for path in there if re.search(r"mutants|cheats|\.patch$|^build$|instructor|test_labs", path)]
    assert there >= {"README.md", "Makefile", "vm", f"labs/{name}/README.md", "tests/test_lab.py", "tools/grade"}
    assert "[[mutant]]" not in (tree / f"labs/{name}/lab.toml").read_text(encoding="utf-8")
    assert not [f for f in LABS if f != name and (tree / "labs" / f).exists()]


@pytest.mark.parametrize("name", LABS)
def test_the_skeleton_builds(built, student, name):  # pylint: disable=unused-argument
    with grade.Stage(Lab(name), str(student(name))) as stage:
        stage.make()


@pytest.mark.parametrize("name", LABS)
def test_a_solution_is_put_in_once(student, tmp_path, name):
    lab, tree = Lab(name), files_of(Lab(name), tmp_path, student(name))
    for step in lab.steps.values():
        if step.by_hand:
            with pytest.raises(HostError, match="done by hand"):
                handout.solve(lab, step.id, str(tree))
            continue
        assert handout.solve(lab, step.id, str(tree))
        with pytest.raises(HostError, match="the text has changed"):
            handout.solve(lab, step.id, str(tree))
    for path, parts in lab.parts.items():
        assert (tree / path).read_text(encoding="utf-8") == marks.plain(parts)


@pytest.mark.labs
@pytest.mark.parametrize("name", LABS)
def test_the_skeleton_is_not_yet_written(built, student, name):  # pylint: disable=unused-argument
    lab = Lab(name)
    for test, result in run(lab, student(name), list(lab.tests)).items():
        assert result.outcome == "todo" and result.points == 0, f"{test}: {result.outcome} {result.seen}"
        assert set(result.steps) <= set(lab.tests[test].needs)


@pytest.mark.parametrize("name, patch", mutants())
def test_a_wrong_solution_is_found_out(built, answered, tmp_path, name, patch):  # pylint: disable=unused-argument
    lab = Lab(name)
    mutant = next(mutant for mutant in lab.mutants if mutant.patch == patch)
    tree = files_of(lab, tmp_path)
    if patch.endswith(".patch"):
        done = subprocess.run(["git", "apply", os.path.join(lab.folder, "mutants", patch)], cwd=tree,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    else:
        answers = answered(lab)
        grade.probe_of(lab, f"mutants/{patch}")(answers)
        write_answers(lab, tree, answers)
    result = run(lab, tree, [mutant.killed_by])[mutant.killed_by]
    assert (result.outcome, result.diagnosis) == ("failed", mutant.diagnosis), result.seen


GDB_SAYS = """
number = {number}
list = {{function = "highest_id", pointer = 0x76786f78796866, id = 535}}
index = {{function = "count_green", sample = 34, index = -282861}}
loop = {{function = "count_of", from = 2552, to = 535}}
"""


@pytest.mark.labs
@pytest.mark.parametrize("number, outcome, diagnosis", [(4711, "passed", ""), (4712, "failed", "other-answer")])
def test_the_core_answers_depend_on_the_number(built, tmp_path, number, outcome, diagnosis):
    """What gdb shows of the cores of 4711 is right for that number alone."""
    assert built
    tree = files_of(Lab("core"), tmp_path)
    (tree / "labs/core/answers.toml").write_text(GDB_SAYS.format(number=number), encoding="utf-8")
    for result in run(Lab("core"), tree, ["list", "index", "loop"]).values():
        assert (result.outcome, result.diagnosis) == (outcome, diagnosis), result.seen


@pytest.mark.labs
@pytest.mark.parametrize("number, outcome", [(NUMBER, "passed"), (NUMBER + 1, "failed")])
def test_the_tour_answers_depend_on_the_number(built, answered, tmp_path, number, outcome):
    """What gdb shows of the machine of 4711 is right for that number alone."""
    assert built
    lab = Lab("tour")
    tree = files_of(lab, tmp_path)
    write_answers(lab, tree, {**answered(lab), "number": number})
    for result in run(lab, tree, list(lab.tests)).values():
        assert result.outcome == outcome, result.seen


@pytest.mark.parametrize("text", ["number = 0x10", 'number = "4711"', "number = 1234567890", "number = 4711\nwalk = {"])
def test_answers_that_cannot_be_read_are_told(text):
    lab = Lab("tour")
    with pytest.raises(look.Over, match="cannot be read") as told:
        grade.probe_of(lab, "judge")(SimpleNamespace(files={lab.files[0]: text}), 3, "walk", None)
    assert grade.cause_of(lab, [str(told.value)]).name == "unreadable"


POOL = """
number = {number}
[kernel]
program = 33
heap = 28.1
mappings = 33
stack = 33
arguments = 41
[pool]
changes = 0x11716000
bits = 6.97
"""


@pytest.mark.labs
@pytest.mark.parametrize("number, pool", [(4711, ("passed", "")), (4712, ("failed", "wrong-answer"))])
def test_the_aslr_answers_depend_on_the_number(built, tmp_path, number, pool):
    """What 500 launches of 4711's pool show is right for that number alone; the kernel's bits are for all."""
    assert built
    lab, tree = Lab("aslr"), files_of(Lab("aslr"), tmp_path)
    (tree / "labs/aslr/answers.toml").write_text(POOL.format(number=number), encoding="utf-8")
    seen = {test: (each.outcome, each.diagnosis) for test, each in run(lab, tree, ["measured", "pool"]).items()}
    assert seen == {"measured": ("passed", ""), "pool": pool}


@pytest.mark.labs
def test_aslr_over_two_hundred_boots(built):
    """The lab's own judgement of the places, with a boot and a seed for each launch."""
    assert built
    lab = Lab("aslr")
    with grade.Stage(lab, str(ROOT)) as stage:
        stage.make()
        test = dataclasses.replace(lab.tests["spread"], program="aslr_places 1", seeds=200)
        result = grade.run_seeds(stage, test, SEED)
    assert result.outcome == "passed", result.seen


def test_a_students_program_does_not_say_how_it_is_built(tmp_path):
    tree = files_of(Lab("aslr"), tmp_path)
    with open(tree / "labs/aslr/leak.c", "a", encoding="utf-8") as file:
        file.write("/* build: -wrapper /bin/sh */\n")
    with pytest.raises(grade.NotBuilt, match="cannot choose how it is built"):
        grade.student_files(Lab("aslr"), str(tree))


# --- cheats ----------------------------------------------------------------------------------------------
# A tree in which nothing is written, and each lab_todo() replaced by something that is to look like it.

def code(step, text, include=""):
    """Put C in the place of a step's last lab_todo()."""
    def change(tree):
        for path in Lab("cow").files:
            source = (tree / path).read_text(encoding="utf-8")
            before, call, after = source.rpartition(f'lab_todo("cow/{step}");')
            source = before + (text if call else "") + after
            source = re.sub(r'lab_todo\("cow/\d"\);', "", source)
            (tree / path).write_text(source.replace('#include "mm/anon.h"', f'{include}#include "mm/anon.h"', 1),
                                     encoding="utf-8")
    return change


def other_tests(tree):
    """Programs and probes that are content with anything."""
    code(1, "")(tree)
    shutil.copytree(ROOT / "labs", tree / "labs")
    for path in (tree / "labs" / "cow" / "programs").glob("*.c"):
        path.write_text("int\nmain(void)\n{\n    return 0;\n}\n", encoding="utf-8")
    probe = "".join(f"def {name}(look):\n    pass\n\n\n" for name in ("share", "break_"))
    (tree / "labs" / "cow" / "probe.py").write_text(probe, encoding="utf-8")
    (tree / "labs" / "lab.h").write_text("", encoding="utf-8")
    (tree / "tools" / "vitrine" / "lab").mkdir(parents=True)
    (tree / "tools" / "vitrine" / "lab" / "grade.py").write_text("raise SystemExit(0)\n", encoding="utf-8")


def other_library(tree):
    """The C library is compiled in by tools/ucc; and the kernel changes the program's code where it lies in memory."""
    (tree / "tools").mkdir()
    (tree / "tools" / "ucc").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    code(3, "pte_t *code = pagetable_find(&f->space->pt, 0x400000);\n"
         "    if (code != NULL && pte_present(*code))\n"
         "        ((char *)frame_data(frame_of(pte_addr(*code))))[9] = 1;")(tree)


CHEATS = {
    "printed": code(3, 'kprintf("the child: exit 0\\nok      all that was asked\\n");'),
    "other-tests": other_tests,
    "other-library": other_library,
    "counters": code(3, "f->kinds = 1U << FAULT_COPY;\n    f->space->faults.kind[FAULT_COPY]++;\n"
                     "    fault_total.kind[FAULT_COPY]++;"),
    "answers": code(3, "static const char table[4] = {0x11, 0x2b, 0x4d, 0x6f};\n"
                    "    if (f->region->end - f->region->start == 64 * PAGE_SIZE)\n        __builtin_memset("
                    "frame_data(a->frame), table[f->va >> PAGE_SHIFT & 3], PAGE_SIZE);"),
    "early-end": code(1, "static int forks;\n            if (++forks == 40) {\n"
                      "                hostlink_exit(0, 0);\n                outb(0xf4, 0x10);\n            }",
                      '#include "kernel/arch/io.h"\n#include "kernel/dev/hostlink.h"\n'),
}


@pytest.mark.labs
@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_scores_nothing(built, student, tmp_path, name):  # pylint: disable=unused-argument
    lab, tree = Lab("cow"), files_of(Lab("cow"), tmp_path, student("cow"))
    CHEATS[name](tree)
    for result in run(lab, tree, ["share", "break"]).values():
        assert (result.outcome, result.points) == ("failed", 0), result
    if name == "early-end":
        assert "ended before" in result.seen[-1], result.seen


# --- the command -----------------------------------------------------------------------------------------

def command(*words):
    """tools/grade cow with these words; (status, what it printed)."""
    done = subprocess.run([ROOT / "tools" / "grade", "cow", *map(str, words)], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


REFUSED = {
    "syntax": ("int x = ;", "error: expected expression"),
    "warning": ("static int nobody_uses_this;", "nobody_uses_this"),
    "incbin": ('__asm__(".inc" "bin \\"/etc/passwd\\"");', "incbin is not allowed"),
    "outside": ('#include "../../etc/passwd"', "headers of the tree only"),
    "absolute": ('#include "/etc/passwd"', "headers of the tree only"),
    "macro": ("#define H <stdint.h>\n#include H", "headers of the tree only"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_build_is_told(built, tmp_path, name):  # pylint: disable=unused-argument
    text, sign = REFUSED[name]
    lab = Lab("cow")
    tree = files_of(lab, tmp_path)
    with open(tree / lab.files[0], "a", encoding="utf-8") as file:
        file.write(text + "\n")
    with pytest.raises(grade.NotBuilt, match=re.escape(sign)), grade.Stage(lab, str(tree)) as stage:
        stage.make()


def test_a_link_is_refused(tmp_path):
    lab = Lab("cow")
    tree = files_of(lab, tmp_path)
    (tree / lab.files[1]).unlink()
    (tree / lab.files[1]).symlink_to(ROOT / lab.files[1])
    with pytest.raises(grade.NotBuilt, match="symbolic link"):
        grade.student_files(lab, str(tree))


def test_the_status_tells_whose_trouble_it_is(built, student, tmp_path):  # pylint: disable=unused-argument
    lab = Lab("cow")
    assert command("--tree", tmp_path / "nowhere")[0] == 3
    assert command("--test", "nothing")[0] == 3
    status, said = command("--test", "kernel", "--seed", SEED)
    assert status == 0 and "10 of 10 points" in said, said
    status, said = command("--test", "kernel", "--seed", SEED, "--tree", student("cow"))
    assert status == 1 and "not yet written: step 1, 2, 3" in said and "0 of 10 points" in said, said
    broken = files_of(lab, tmp_path / "broken")
    (broken / lab.files[0]).write_text("nothing", encoding="utf-8")
    status, said = command("--tree", broken)
    assert status == 2 and "cannot be built" in said, said


@pytest.mark.parametrize("error", [BadAddress("nowhere"), KeyError(7), StopIteration()], ids=repr)
def test_a_spoilt_memory_is_the_students_trouble(error):
    def probe(_look):
        raise error

    def ours(_look):
        raise gdbstub.Trouble("no answer")

    run_of, test = SimpleNamespace(seen=[]), Lab("cow").tests["share"]
    grade.judge(run_of, test, probe)
    assert "makes no sense" in run_of.seen[0]
    with pytest.raises(gdbstub.Trouble):
        grade.judge(run_of, test, ours)


def test_a_machine_that_takes_long_is_looked_at(built, monkeypatch):  # pylint: disable=unused-argument
    """The monitor tells that it works; one that does not would be given up at the first look."""
    lab, seen = Lab("cow"), []
    parse = machine.parse_registers
    monkeypatch.setattr(look, "LOOK_EVERY", 0.3)
    monkeypatch.setattr(machine, "parse_registers", lambda text: seen.append(parse(text)) or seen[-1])
    with grade.Stage(lab, str(ROOT)) as stage:
        stage.make()
        assert grade.run_test(stage, lab.tests["swap"], SEED).outcome == "passed"
    assert seen and all(cpus and "rip" in cpus[0] for cpus in seen)


def test_a_class_is_graded(built, tmp_path):  # pylint: disable=unused-argument
    """Each submission once, the table every time; what is left is told as commands."""
    lab = Lab("cow")
    for name in ("anna", "bert and co"):
        tree = files_of(lab, tmp_path / name)
        (tree / lab.files[0]).write_text(f"{name} sends nothing", encoding="utf-8")
    status, said = command("--all", tmp_path, "--jobs", 0)
    assert status == 0 and len(said.splitlines()) == 2 and "'" in said.splitlines()[1], said
    status, said = command("--all", tmp_path, "--jobs", 2)
    assert status == 0 and "[2/2]" in said and f"{tmp_path}/anna,cow,0,150,no,0" in said, said
    status, said = command("--all", tmp_path, "--jobs", 2, "--out", tmp_path / "table.csv")
    assert status == 0 and said == "" and (tmp_path / "table.csv").read_text(encoding="utf-8").count("\n") == 3, said


def test_a_student_waits_for_few_tests(student):
    made = re.search(r"(?m)^TESTS \?= (.*)$", (student("cow") / "Makefile").read_text(encoding="utf-8"))[1].split()
    assert made[0] == "tests/test_lab.py" and all((student("cow") / path).is_file() for path in made)


def test_hints_and_refusals():
    lab = Lab("cow")
    assert "LEVEL=2" in handout.hint(lab, 1, 1) and "LEVEL" not in handout.hint(lab, 1, 3)
    for step, level, sign in ((9, 1, "has no step 9"), (1, 4, "LEVEL=1 to 3")):
        with pytest.raises(HostError, match=sign):
            handout.hint(lab, step, level)
    with pytest.raises(HostError, match="there are: .*cow"):
        Lab("cows")
    with pytest.raises(HostError, match="is not empty"):
        handout.write(lab, str(ROOT))


# --- the forms of a result -------------------------------------------------------------------------------

STRANGE = 'a < b & "c"\x1b # \ud7ff\nsecond line'


def report(build=""):
    made = results.Report("cow", "Copy on write", "/a/tree", build)
    made.results = [results.Result("one", "works", 30, "passed", 5, seconds=1.5, instructions=77),
                    results.Result("two", "is wrong", 20, "failed", 6, [], [STRANGE], "why", "for a reason"),
                    results.Result("three", "is to come", 10, "todo", 7, [1, 2], ["nothing"])]
    return made


def test_text_and_table():
    text = results.as_text(report())
    assert "30 of 60 points" in text and "again: make replay LAB=cow TEST=two SEED=6 TREE=/a/tree" in text
    assert "not yet written: step 1, 2" in text and "likely: for a reason" in text
    assert results.as_csv(report()).splitlines()[1] == "/a/tree,cow,30,60,yes,30,0,todo"
    assert json.loads(results.as_autolab(report()).splitlines()[-1]) == {"scores": {"one": 30, "two": 0, "three": 0}}
    assert json.loads(results.as_json(report()))["results"][1]["seen"] == [STRANGE]


def test_junit_has_its_published_form():
    """The elements, attributes and their order that JUnit's XSD (Jenkins, Surefire) knows."""
    top = xml.fromstring(results.as_junit(report("no\x00")))
    suite, = top
    assert (top.tag, suite.tag) == ("testsuites", "testsuite")
    assert set(suite.attrib) == {"name", "tests", "failures", "errors", "skipped", "time"}
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    assert [child.tag for child in suite] == ["testcase"] * 3 + ["system-err"]
    for case, inside in zip(suite, ([], ["failure"], ["skipped"])):
        assert set(case.attrib) == {"name", "classname", "time"} and float(case.get("time")) >= 0
        assert [child.tag for child in case] == inside
    assert set(suite[1][0].attrib) == {"message", "type"} and "make replay" in suite[1][0].text
    assert set(suite[2][0].attrib) == {"message"}


def scores(*values):
    """A Report of leagues: half of the full value, as much as one likes, none."""
    made = results.Report("swap", "Swap", "/a/tree")
    made.results = [results.Result(f"l{n}", "plays", 25, outcome, full=0.5, value=value, notes=["a game"] * bool(value))
                    for n, (outcome, value) in enumerate(values)]
    return made


def test_a_league_has_its_table(tmp_path):
    """A part of the points for a part of the value; a column, a leaderboard; the class in order, the best first."""
    made = scores(("failed", 0.25), ("passed", 0.7), ("failed", None), ("todo", None))
    assert [result.points for result in made.results] == [12, 25, 0, 0]
    assert results.as_csv(made).splitlines() == [
        "tree,lab,points,max,built,l0,l1,l2,l3,l0 score,l1 score,l2 score,l3 score",
        "/a/tree,swap,37,100,yes,12,25,0,todo,0.250,0.700,,"]
    assert "12 of 25   FAILED, 0.250\n      a game\n" in results.as_text(made)
    board = json.loads(results.as_gradescope(made))["leaderboard"]
    assert board == [{"name": f"l{n}", "value": value, "order": "desc"} for n, value in enumerate((0.25, 0.7, 0, 0))]
    assert "leaderboard" not in json.loads(results.as_gradescope(report()))
    lab = SimpleNamespace(name="swap", tests={"l0": SimpleNamespace(name="l0", what="plays", full=0.5),
                                              "l1": SimpleNamespace(name="l1", what="", full=0.0)})
    for name, value in (("anna", 0.25), ("bert", None), ("carl", 0.5), ("dora", 0.25)):
        (tmp_path / f"{name}.swap.json").write_text(results.as_json(scores(("failed", value))), encoding="utf-8")
    assert many.league(tmp_path, ["dora", "carl", "bert", "anna"], lab) == (
        "l0, plays:\n    1. 0.500  carl\n    2. 0.250  anna\n    3. 0.250  dora\n")


TAP_LINE = re.compile(r"TAP version 14|1\.\.\d+|(?:not )?ok \d+ - [^#\n]*(?: # (?:TODO|SKIP)[^\n]*)?|#.*")


def test_tap_has_its_published_form():
    """TAP 14: version, plan, test points with directives, YAML blocks indented by two between --- and ..."""
    lines = results.as_tap(report("no\nno")).splitlines()
    assert lines[:2] == ["TAP version 14", "1..3"]
    block, points = None, []
    for line in lines:
        if line == "  ---":
            assert block is None and points
            block = {}
        elif line == "  ...":
            assert set(block) == {"message", "diagnosis", "replay"}
            block = None
        elif block is not None:
            key, _, value = line.strip().partition(": ")
            block[key] = json.loads(value)
        else:
            assert TAP_LINE.fullmatch(line), line
            points += re.findall(r"^(?:not )?ok (\d+)", line)
    assert block is None and points == ["1", "2", "3"]
    assert "not ok 3 - three # TODO not yet written: step 1, 2" in lines


def test_gradescope_has_its_published_form():
    data = json.loads(results.as_gradescope(report()))
    assert set(data) <= {"score", "execution_time", "output", "visibility", "stdout_visibility", "tests", "leaderboard",
                         "extra_data"}
    assert data["score"] == 30 and isinstance(data["execution_time"], int)
    for test in data["tests"]:
        assert set(test) <= {"score", "max_score", "status", "name", "number", "output", "tags", "visibility"}
        assert 0 <= test["score"] <= test["max_score"] and test["status"] in ("passed", "failed")
    assert "cannot be built" in json.loads(results.as_gradescope(report("no")))["output"]


RUNNER = {"CLASSROOM": "os", "ASSIGNMENT": "cow", "SUBMISSION_TAG": "submit/2026-11-02T10-00-00Z-a1b2c3d",
          "COMMIT_URL": "https://example.org/commit/a1b2c3d", "RELEASE_URL": "https://example.org/releases/1"}


def test_classroom50_has_its_published_form(monkeypatch, student):
    """Schema classroom50/result/v1; the time is that of the commit, whenever it is graded."""
    with pytest.raises(HostError, match="CLASSROOM, ASSIGNMENT, .* not set"):
        results.as_classroom50(report())
    for name, value in RUNNER.items():
        monkeypatch.setenv(name, value)
    made = report()
    made.tree = str(student("cow"))
    data = json.loads(results.as_classroom50(made))
    assert set(data) == {"schema", "classroom", "assignment", "submission", "commit", "release", "review", "datetime",
                         "graded_at", "score", "max-score", "tests", "build"}
    assert (data["schema"], data["classroom"], data["assignment"]) == ("classroom50/result/v1", "os", "cow")
    assert data["review"] == data["commit"] == RUNNER["COMMIT_URL"]
    assert data["datetime"] == handout.WHEN.replace("+0000", "Z")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", data["graded_at"])
    assert (data["score"], data["max-score"]) == (30, 60)
    for test in data["tests"]:
        assert isinstance(test["passed"], bool) and test["passed"] == (test["score"] == test["max-score"])
        assert {"test-name", "passed", "score", "max-score"} <= set(test)

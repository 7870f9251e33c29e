"""Grades a class: `make grade-all DIR=submissions JOBS=4`.

Each folder in DIR is a submission.  Its result is DIR/NAME.LAB.json; what is there already is not graded again, so a
grading that was cut short goes on where it was.  For a cluster `--jobs 0` only prints a command for each that is left,
as GNU parallel and a Slurm array take them.
"""
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from .. import machine
from ..machine import HostError
from . import grade, results


def result_of(folder, name, lab):
    return os.path.join(folder, f"{name}.{lab.name}.json")


def submissions(folder):
    """The names of the submissions."""
    if not os.path.isdir(folder):
        raise HostError(f"{folder}: no such folder (DIR=)")
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def command(folder, name, lab, seed):
    return [os.path.join(machine.ROOT, "tools", "grade"), lab.name, "--tree", os.path.join(folder, name), "--format",
            "json", "--out", result_of(folder, name, lab)] + ["--seed", str(seed)] * bool(seed)


def load(path):
    """A Report that was written as JSON; None when there is none, or half of one."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError):
        return None
    tests = [{key: value for key, value in test.items() if key != "points"} for test in data["results"]]
    return results.Report(data["lab"], data["title"], data["tree"], data["build"], [results.Result(**t) for t in tests])


def table(folder, names, lab):
    """The class's results as CSV, one submission a line."""
    reports = [load(result_of(folder, name, lab)) for name in names]
    rows = [results.as_csv(report).splitlines() for report in reports if report is not None]
    return "\n".join([rows[0][0], *(row[1] for row in rows)]) + "\n" if rows else ""


def league(folder, names, lab):
    """The class in the order of each league's scores, the best first."""
    lines = []
    for test in (test for test in lab.tests.values() if test.full):
        rows = [(result.value, name) for name in names for report in [load(result_of(folder, name, lab))]
                if report for result in report.results if result.name == test.name and result.value is not None]
        lines += [f"{test.name}, {test.what}:", *(f"  {place:>3}. {value:.3f}  {name}" for place, (value, name) in
                                                  enumerate(sorted(rows, key=lambda row: (-row[0], row[1])), 1))]
    return "".join(line + "\n" for line in lines)


def main(opts, lab):
    """Grade what is left, @opts.jobs at a time; exit status 0, or 3 when some could not be graded."""
    names = submissions(opts.all)
    left = [name for name in names if load(result_of(opts.all, name, lab)) is None]
    if opts.jobs == 0:
        print("".join(shlex.join(command(opts.all, name, lab, opts.seed)) + "\n" for name in left), end="")
        return grade.PASSED
    grade.reference(lab)
    done = len(names) - len(left)

    def one(name):
        return name, subprocess.run(command(opts.all, name, lab, opts.seed), capture_output=True, text=True,
                                    check=False, env={**os.environ, "VITRINE_NO_BUILD": "1"})

    failed = []
    with ThreadPoolExecutor(opts.jobs) as pool:
        for name, ended in pool.map(one, left):
            done += 1
            report = load(result_of(opts.all, name, lab))
            word = f"{report.points} of {report.max}" if report else ended.stderr.strip().splitlines()[-1:]
            print(f"[{done}/{len(names)}] {name}: {word}", file=sys.stderr)
            failed += [name] * (report is None)
    grade.write(table(opts.all, names, lab), opts.out)
    print(league(opts.all, names, lab), end="", file=sys.stderr)
    return grade.OURS if failed else grade.PASSED

"""What a grading came to, in one form, and the forms that platforms read.

text         for people
junit        JUnit's XML, as GitLab, GitHub, Jenkins and others show it
tap          the Test Anything Protocol, version 14
gradescope   results.json of Gradescope's autograder
classroom50  result.json of Classroom 50's autograder, of the schema classroom50/result/v1
csv          one line for a class's table, with its heading
autolab      the scores as JSON in the last line, as Autolab's driver prints it
json         everything, for programs of your own

A test whose step is not yet written is no failure: it is skipped, and has no points.
"""
import csv
import io
import json
import os
import subprocess
import xml.etree.ElementTree as xml
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone

from ..machine import HostError


@dataclass
class Result:
    """One test.  @outcome: passed, failed, or todo: a step that it needs is not yet written, one of @steps.

    @value: a place in a league, the higher the better; @full of it is worth all points.  None: it is of no league, or
    has no place there.  @notes: how the value came about.
    """

    name: str
    what: str
    max: int
    outcome: str
    seed: int = 0
    steps: list = field(default_factory=list)
    seen: list = field(default_factory=list)
    diagnosis: str = ""
    cause: str = ""
    seconds: float = 0.0
    instructions: int = 0
    output: str = ""
    log: str = ""
    full: float = 0.0
    value: float | None = None
    notes: list = field(default_factory=list)

    @property
    def points(self):
        share = 1 if self.outcome == "passed" else 0 if self.value is None else self.value / self.full
        return int(self.max * share)

    def words(self):
        """What is to be said about it, as lines; nothing of a test that passed."""
        if self.outcome == "todo":
            return [f"not yet written: step {', '.join(map(str, self.steps))}"]
        if self.outcome == "passed":
            return []
        said = [f"seen: {text}".replace("\n", "\n      ") for text in self.seen]
        return said + ([f"likely: {self.cause}"] if self.cause else [])


@dataclass
class Report:
    """A graded tree.  @build: why it could not be built, "" if it was."""

    lab: str
    title: str
    tree: str
    build: str = ""
    results: list = field(default_factory=list)

    @property
    def points(self):
        return sum(result.points for result in self.results)

    @property
    def max(self):
        return sum(result.max for result in self.results)

    def all_passed(self):
        return not self.build and all(result.outcome == "passed" for result in self.results)


def replay(report_lab, result, tree):
    """The line that runs it again, exactly."""
    return f"make replay LAB={report_lab} TEST={result.name} SEED={result.seed} TREE={tree}"


def lines(result, lab, tree):
    """A test as a person reads it."""
    word = {"passed": "passed", "failed": "FAILED", "todo": result.words()[0] if result.words() else ""}[result.outcome]
    text = f"  {result.name:<12} {result.points:>3} of {result.max:<3}  {word}"
    if result.value is not None:
        text += f", {result.value:.3f}" + "".join(f"\n      {line}" for line in result.notes)
    if result.outcome == "failed":
        text += "".join("\n      " + line for line in result.words())
        text += f"\n      again: {replay(lab, result, tree)}" * bool(result.seed)
    return text


def total(report):
    built = f"{report.tree}: the files of the lab cannot be built\n{report.build}\n" if report.build else ""
    return f"{built}{report.lab}, {report.title}: {report.points} of {report.max} points\n"


def as_text(report):
    return "".join(lines(result, report.lab, report.tree) + "\n" for result in report.results) + total(report)


def clean(text):
    """Text without the characters that XML cannot hold."""
    return "".join(c if c in "\t\n" or c >= " " and c not in "\ufffe\uffff" else "?" for c in text)


def as_junit(report):
    failed = [result for result in report.results if result.outcome == "failed"]
    todo = [result for result in report.results if result.outcome == "todo"]
    counts = {"tests": str(len(report.results)), "failures": str(len(failed)), "errors": "0",
              "skipped": str(len(todo)), "time": f"{sum(r.seconds for r in report.results):.3f}"}
    top = xml.Element("testsuites", {"name": "vitrine", **{key: value for key, value in counts.items()
                                                           if key != "skipped"}})
    suite = xml.SubElement(top, "testsuite", {"name": report.lab, **counts})
    for result in report.results:
        case = xml.SubElement(suite, "testcase", {"name": result.name, "classname": f"vitrine.{report.lab}",
                                                  "time": f"{result.seconds:.3f}"})
        words = clean("\n".join(result.words()))
        if result.outcome == "todo":
            xml.SubElement(case, "skipped", {"message": words})
        elif result.outcome == "failed":
            failure = xml.SubElement(case, "failure", {"message": clean(result.seen[0] if result.seen else ""),
                                                       "type": result.diagnosis or "failed"})
            failure.text = words + "\n" + replay(report.lab, result, report.tree)
    if report.build:
        xml.SubElement(suite, "system-err").text = clean(report.build)
    xml.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(top, encoding="unicode") + "\n"


def yaml(text):
    """A string as YAML takes it; every JSON string is one."""
    return json.dumps(text)


def as_tap(report):
    out = ["TAP version 14", f"1..{len(report.results)}"]
    for number, result in enumerate(report.results, 1):
        what = f"{'ok' if result.outcome == 'passed' else 'not ok'} {number} - {result.name}"
        out.append(what + "".join(f" # TODO {words}" for words in result.words() if result.outcome == "todo"))
        if result.outcome == "failed":
            out += ["  ---", f"  message: {yaml(chr(10).join(result.seen))}", f"  diagnosis: {yaml(result.cause)}",
                    f"  replay: {yaml(replay(report.lab, result, report.tree))}", "  ..."]
    if report.build:
        out += ["# " + line for line in report.build.splitlines()]
    return "\n".join(out) + "\n"


def as_gradescope(report):
    tests = [{"name": f"{result.name}: {result.what}", "score": result.points, "max_score": result.max,
              "status": "passed" if result.outcome == "passed" else "failed",
              "output": "\n".join(result.words()) or "passed", "visibility": "visible"} for result in report.results]
    text = report.build and f"The files of the lab cannot be built.\n\n{report.build}"
    return json.dumps({"score": report.points, "output": text or total(report).strip(), "visibility": "visible",
                       "execution_time": round(sum(result.seconds for result in report.results)),
                       "tests": tests, **leaderboard(report)}, indent=1) + "\n"


def leaderboard(report):
    """Gradescope's table of a class's leagues: a line for each test that is one."""
    rows = [{"name": result.name, "value": round(result.value or 0, 3), "order": "desc"}
            for result in report.results if result.full]
    return {"leaderboard": rows} if rows else {}


UTC = "%Y-%m-%dT%H:%M:%SZ"


def committed(tree):
    """When a submission was made: the time of its last commit, or now where there is none."""
    done = subprocess.run(["git", "log", "-1", f"--date=format-local:{UTC}", "--format=%cd"], cwd=tree,
                          env={**os.environ, "TZ": "UTC"}, capture_output=True, text=True, check=False)
    return done.stdout.strip() or datetime.now(timezone.utc).strftime(UTC)


def as_classroom50(report):
    """The runner says in the environment whose work it is; owner and kind of assignment it puts in itself."""
    env = {"classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "submission": "SUBMISSION_TAG",
           "commit": "COMMIT_URL", "release": "RELEASE_URL"}
    missing = [name for name in env.values() if name not in os.environ]
    if missing:
        raise HostError(f"{', '.join(missing)} not set: Classroom 50's runner sets them, this form is for it alone")
    tests = [{"test-name": result.name, "passed": result.outcome == "passed", "score": result.points,
              "max-score": result.max, "output": "\n".join(result.words())} for result in report.results]
    return json.dumps({"schema": "classroom50/result/v1", **{key: os.environ[name] for key, name in env.items()},
                       "review": os.environ.get("REVIEW_URL") or os.environ["COMMIT_URL"],
                       "datetime": committed(report.tree), "graded_at": datetime.now(timezone.utc).strftime(UTC),
                       "score": report.points, "max-score": report.max, "tests": tests, "build": report.build},
                      indent=1) + "\n"


def as_csv(report):
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    leagues = [result for result in report.results if result.full]
    table.writerow(["tree", "lab", "points", "max", "built", *(result.name for result in report.results),
                    *(f"{result.name} score" for result in leagues)])
    table.writerow([report.tree, report.lab, report.points, report.max, "no" if report.build else "yes",
                    *(result.outcome if result.outcome == "todo" else result.points for result in report.results),
                    *("" if result.value is None else f"{result.value:.3f}" for result in leagues)])
    return out.getvalue()


def as_autolab(report):
    return as_text(report) + json.dumps({"scores": {result.name: result.points for result in report.results}}) + "\n"


def as_json(report):
    return json.dumps({**asdict(report), "points": report.points, "max": report.max,
                       "results": [{**asdict(result), "points": result.points} for result in report.results]},
                      indent=1) + "\n"


FORMATS = {"text": as_text, "junit": as_junit, "tap": as_tap, "gradescope": as_gradescope,
           "classroom50": as_classroom50, "csv": as_csv, "autolab": as_autolab, "json": as_json}

"""The verb `vm aslr`: launches a program many times and tells how well its places can be guessed.

All launches are in one machine; user/launches.c makes them.  How many bits a place has is estimated from how far apart
the launches fell, which is right as long as they are evenly spread; chi-square says whether they are, and pairs of
equal places say what can be told without that.
"""
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter

from . import machine, report, verdict
from .glass import table
from .machine import HostError
from .policies import write

NAMES = ("program", "heap", "libraries", "mappings", "stack", "arguments")
GAP = "heap from program"  # not a region: how far the one is from the other
LEAST, MOST = 50, 20000  # launches
REFUSED = 3  # the guest's launches: the question was wrong
CELLS = 16  # of a chi-square test; half as many when the launches are few
UNEVEN = 0.0001  # a probability below which chance is no explanation
RARELY = 7.23  # (1+x)exp(-x) is 1/1000 at x = 2 + RARELY
SCRIPTS = ["names.js", "format.js", "chart.js", "theme.js", "aslr.js"]


# --- launching -------------------------------------------------------------------------------------------

def launches(opts):
    """[{name: address}] of each launch in one machine; 0 for what the program has not."""
    command = [os.path.join(machine.ROOT, "vm"), "run", "--trace", "off", "--timeout", str(300 + opts.count)]
    command += ["--append", opts.append] * bool(opts.append) + ["--seed", str(opts.seed)] * (opts.seed is not None)
    for host, guest in opts.add:
        command += ["--add", f"{host}:{guest}"]
    done = subprocess.run([*command, "--", "/bin/launches", str(opts.count), opts.target], capture_output=True,
                          text=True, errors="replace", stdin=subprocess.DEVNULL, check=False,
                          preexec_fn=machine.die_with_parent)
    if done.returncode in (REFUSED, verdict.HOST):
        raise HostError(done.stderr.strip().removeprefix("vm: "))
    found = [dict(zip(NAMES, (int(word, 16) for word in words.split())))
             for words in re.findall(r"^launch (.*)$", done.stdout, re.M)]
    if done.returncode or len(found) != opts.count:
        raise HostError(f"the launches did not end well, status {done.returncode}:\n"
                        f"{done.stdout[-500:]}{done.stderr}".strip())
    return found


# --- measuring -------------------------------------------------------------------------------------------

def chi_square_tail(value, degrees):
    """How likely chance alone makes a chi-square so large, by Wilson's and Hilferty's approximation."""
    spread = 2 / (9 * degrees)
    return math.erfc(((value / degrees) ** (1 / 3) - 1 + spread) / math.sqrt(2 * spread)) / 2


def evenness(values):
    """How many fell in each cell of their span, and how likely chance spreads them no better.

    The first and the last, which make the span, are at its ends by definition and are left out.
    """
    low, high = min(values), max(values)
    count = CELLS if len(values) >= 10 * CELLS else CELLS // 2
    cells, inner = [0] * count, sorted(values)[1:-1]
    for value in inner:
        cells[min(count - 1, (value - low) * count // (high - low))] += 1
    expected = len(inner) / count
    return cells, chi_square_tail(sum((n - expected) ** 2 / expected for n in cells), count - 1)


def measure(values):
    """What can be told about one place from its launches.

    Evenly spread, the span of N launches is (N-1)/(N+1) of all that is possible; its shortfall of about 2/N is gamma
    distributed, and once in 1,000 cases it is more than 2/N + RARELY/N.
    """
    n, low, high, distinct = len(values), min(values), max(values), len(set(values))
    found = {"low": low, "high": high, "distinct": distinct, "step": 0, "bits": 0.0, "error": 0.0, "surely": 0.0,
             "even": None}
    if distinct == 1:
        return found
    step = math.gcd(*(value - low for value in values))
    possible = (high - low) / step * (n + 1) / (n - 1)
    pairs = sum(times * (times - 1) // 2 for times in Counter(values).values())
    found.update(step=step, bits=math.log2(possible + 1), error=RARELY / n / math.log(2))
    # Of so many equally likely places, fewer equal pairs than these come in 5 % of all cases (Poisson).
    most_pairs = pairs + 3 + 2 * math.sqrt(pairs)
    found["surely"] = max(0.0, math.log2(n * (n - 1) / 2 / most_pairs))
    if distinct > CELLS:
        found["cells"], found["even"] = evenness(values)
    return found


def correlation(a, b):
    """Pearson's coefficient of the places of two regions; None when one never moves."""
    a, b = ([value - sum(values) / len(values) for value in values] for values in (a, b))
    norm = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b)) / norm if norm else None


def analyse(found):
    """Everything that is told about the launches, as plain data."""
    places = {name: [launch[name] for launch in found] for name in NAMES}
    places = {name: values for name, values in places.items() if all(values)}
    regions = {name: measure(values) for name, values in places.items()}
    if "heap" in places:
        regions[GAP] = measure([heap - at for heap, at in zip(places["heap"], places["program"])])
    names = list(places)
    pairs = [{"a": a, "b": b, "r": correlation(places[a], places[b])}
             for n, a in enumerate(names) for b in names[n + 1:]]
    return {"launches": len(found), "regions": regions, "correlation": pairs, "places": places,
            "chance": 4 / math.sqrt(len(found) - 1), "absent": [*(n for n in NAMES if n not in places), "vdso"]}


# --- telling ---------------------------------------------------------------------------------------------

def remark(region):
    """What to think of an estimate."""
    if region["distinct"] == 1:
        return "always at the same place"
    if region["even"] is None:
        return f"only {region['distinct']} places, seen again and again"
    return "evenly spread" if region["even"] > UNEVEN else "not evenly spread: fewer bits than this"


def relation(pair, chance):
    """What a correlation means."""
    if pair["r"] is None:
        return "one of them never moves"
    return "unrelated" if abs(pair["r"]) < chance else "the one tells about the other"


def text(data):
    """The lines that a person reads."""
    rows = [["PLACE", "LOWEST", "HIGHEST", "STEP", "SEEN", "BITS", "SURELY", ""]]
    for name, r in data["regions"].items():
        rows.append([name, f"{r['low']:x}", f"{r['high']:x}", r["step"] or "-", r["distinct"],
                     f"{r['bits']:.2f} ± {r['error']:.2f}" if r["step"] else "0", f">= {r['surely']:.1f}", remark(r)])
    lines = [f"{data['program']}, {data['launches']} launches in one machine", "", *table(rows, left=(0,)),
             f"not in this program: {', '.join(data['absent'])}", "",
             "BITS are of the span of the launches, in steps; SURELY, what pairs of equal places allow to say (95 %)",
             "", "correlation; chance alone gives up to ±" + f"{data['chance']:.2f}"]
    return lines + table([[f"{p['a']}, {p['b']}", "-" if p["r"] is None else f"{p['r']:+.3f}",
                           relation(p, data["chance"])] for p in data["correlation"]], left=(0,))


def page(data):
    """The HTML page, as text."""
    data = dict(data, remarks={name: remark(region) for name, region in data["regions"].items()},
                relations=[relation(pair, data["chance"]) for pair in data["correlation"]])
    parts = {"STYLE": report.style(), "DATA": json.dumps(data).replace("<", "\\u003c"),
             "SCRIPT": "\n".join(report.text(name) for name in SCRIPTS)}
    return report.fill("aslr.html", parts)


def main(opts):
    """Launch, measure, tell; the exit status."""
    if not LEAST <= opts.count <= MOST:
        raise HostError(f"-n {opts.count}: from {LEAST} launches on there is something to tell, and up to {MOST} it "
                        "does not take too long")
    data = {"program": opts.target, "append": opts.append, **analyse(launches(opts))}
    print(json.dumps(data) if opts.json else "\n".join(text(data)))
    if opts.output:
        write(opts.output, page(data))
        print(f"vm: {os.path.relpath(opts.output)}", file=sys.stderr)
    return 0

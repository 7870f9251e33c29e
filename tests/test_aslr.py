"""./vm aslr: what it measures is what docs/aslr.md says, what is fixed has no bits, its page works in a browser.

The measuring is tried on places of which it is known how they were drawn, too.
"""
import json
import os
import random
import subprocess

import pytest
from browser import Browser
from conftest import ROOT
from vitrine import aslr

DYNAMIC = "/tests/layouts_are_drawn"
TRUE_BITS = {"program": 33, "libraries": 33, "mappings": 33, "stack": 33, "arguments": 41, aslr.GAP: 28}
TOGETHER = [{"program", "heap"}, {"libraries", "mappings"}, {"stack", "arguments"}]  # the one is put beside the other


def vm_aslr(*words, status=0):
    done = subprocess.run([os.path.join(ROOT, "vm"), "aslr", *map(str, words)], capture_output=True, text=True,
                          check=False, timeout=900, env=dict(os.environ, VITRINE_NO_BUILD="1"))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if not status else done.stderr


@pytest.fixture(name="measured", scope="module")
def fixture_measured(built, tmp_path_factory):  # pylint: disable=unused-argument
    """What is known about 500 launches, and the page about them."""
    path = tmp_path_factory.mktemp("aslr") / "aslr.html"
    return json.loads(vm_aslr(DYNAMIC, "-o", path, "--json")), str(path)


def test_the_widths_are_those_of_the_documentation(measured):
    data, _ = measured
    assert data["launches"] == 500 and data["absent"] == ["vdso"]
    for name, bits in TRUE_BITS.items():
        region = data["regions"][name]
        assert abs(region["bits"] - bits) <= region["error"] < 0.03, (name, region)
        assert region["even"] > aslr.UNEVEN and region["distinct"] == 500 and 15 < region["surely"] < bits
    assert {name: r["step"] for name, r in data["regions"].items()} == \
        {name: 16 if name == "arguments" else 4096 for name in data["regions"]}
    page = open(os.path.join(ROOT, "docs", "aslr.md"), encoding="utf-8").read()
    for name, row in (("program", "program"), ("mappings", "mappings and libraries"), ("stack", "stack"),
                      (aslr.GAP, "the heap's distance from the program")):
        assert f"| {row} | 2^{TRUE_BITS[name]} |" in page


def test_what_is_drawn_apart_is_unrelated(measured):
    data, _ = measured
    assert len(data["correlation"]) == 15
    for pair in data["correlation"]:
        together = {pair["a"], pair["b"]} in TOGETHER
        assert pair["r"] > 0.999 if together else abs(pair["r"]) < data["chance"], pair


def test_what_is_fixed_has_no_bits(built):  # pylint: disable=unused-argument
    data = json.loads(vm_aslr("true", "-n", 50, "--append", "aslr=off", "--json"))
    assert {r["bits"] for r in data["regions"].values()} == {0} == {r["surely"] for r in data["regions"].values()}
    assert {pair["r"] for pair in data["correlation"]} == {None}
    assert data["absent"] == ["libraries", "vdso"]  # busybox is static


def test_a_program_that_is_not_position_independent(built, tmp_path):  # pylint: disable=unused-argument
    """It ends at once, and still it is seen; its own place is fixed.  Another seed gives other launches."""
    lines = {seed: vm_aslr("true", "-n", 50, "--seed", seed, "-o", tmp_path / "page").splitlines() for seed in (1, 2)}
    words = {seed: {line.split("  ")[0]: line.split() for line in found} for seed, found in lines.items()}
    for found in words.values():
        assert found["program"][-5:] == "always at the same place".split()
        assert found["heap"][1] != found["heap"][2] and "evenly spread" in " ".join(found["stack"])
        assert found["true, 50 launches in one machine"]
    assert words[1]["stack"] != words[2]["stack"]


@pytest.mark.parametrize("words, wrong", [
    (["no_such_program"], "there is no program no_such_program in the guest"),
    (["/etc/passwd"], "/etc/passwd is not an x86-64 program"),
    (["/glibc", "--add", "/usr/bin/true:/glibc"], "/glibc ended at once, before its first instruction"),
    (["true", "-n", "49"], "from 50 launches on"),
    (["true", "-n", "0"], "'0' is not a number above 0"),
    (["true", "-o", "/nowhere/page"], "/nowhere/page: the folder to write to does not exist"),
    (["true", "--add", "/nowhere:/x"], "--add /nowhere:/x: no such file"),
    (["true", "--append", "policy=best"], "policy is one of"),
    (["true", "--", "x"], "vm aslr PROGRAM"),
    ([], "PROGRAM"),
])
def test_refusals(built, words, wrong):  # pylint: disable=unused-argument
    err = vm_aslr(*words, status=125)
    assert wrong in err and err.startswith("vm: ") and "vm: vm:" not in err and "Traceback" not in err


@pytest.mark.parametrize("bits", [1, 3, 8, 16, 28])
@pytest.mark.parametrize("count", [50, 500, 3000])
def test_known_places(bits, count):
    """Drawn evenly: the estimate is right within its error, and what is sure is not more."""
    draw = random.Random(bits * count)
    region = aslr.measure([0x7000 + draw.randrange(1 << bits) * 4096 for _ in range(count)])
    assert abs(region["bits"] - bits) <= region["error"] + 1 / 2 ** bits
    assert region["surely"] <= bits + 0.2
    assert region["surely"] > min(bits, 12) - 4


def test_known_places_that_are_not_even():
    """Half of the launches lie close together: the span says nothing, and that is said."""
    draw = random.Random(1)
    region = aslr.measure([draw.randrange(1 << 20) << (12 + 8 * (n % 2)) for n in range(500)])
    assert region["even"] < aslr.UNEVEN and "not evenly" in aslr.remark(region)
    halves = aslr.measure([n % 2 << 12 for n in range(500)])
    assert halves["bits"] == pytest.approx(1, abs=0.01) and halves["even"] is None


def test_chi_square():
    """Against the tables: the value that chance exceeds in 5 % and in 0.1 %."""
    for degrees, five, rare in ((7, 14.067, 24.322), (15, 24.996, 37.697)):
        assert aslr.chi_square_tail(five, degrees) == pytest.approx(0.05, rel=0.02)
        assert aslr.chi_square_tail(rare, degrees) == pytest.approx(0.001, rel=0.1)


# --- the page --------------------------------------------------------------------------------------------

@pytest.fixture(name="shown", scope="module")
def fixture_shown(measured, tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    browser.open(measured[1])
    browser.wait("document.querySelector('[data-ready], #broken:not([hidden])') !== null")
    yield browser
    browser.close()


def painted(browser, view):
    """How many pixels of a view's chart are not empty, once it is in sight."""
    browser.run(f"document.querySelector('#{view} .chart').scrollIntoView({{behavior: 'instant', block: 'center'}})")
    pixels = ("(c => { if (!c.width) return 0; const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', "
              "{willReadFrequently: true}); copy.drawImage(c, 0, 0); return copy.getImageData(0, 0, c.width, c.height)"
              f".data.filter((v, i) => i % 4 === 3 && v).length; }})(document.querySelector('#{view} canvas'))")
    return browser.wait(pixels)


def test_the_page_shows_the_numbers(shown, measured):
    data, _ = measured
    rows = shown.run("[...document.querySelectorAll('#bits tbody tr')]"
                     ".map(row => [...row.children].map(cell => cell.textContent))")
    assert [row[0] for row in rows] == list(data["regions"])
    for row in rows:
        region = data["regions"][row[0]]
        assert row[1:3] == [hex(region["low"]), hex(region["high"])]
        assert row[5] == f"{region['bits']:.2f} ± {region['error']:.2f}"
    shown_r = shown.run("[...document.querySelectorAll('#correlation td button')].map(b => [b.value, b.textContent])")
    assert len(shown_r) == 15
    for value, r in shown_r:
        assert float(r) == pytest.approx(data["correlation"][int(value)]["r"], abs=0.0006)
    assert not shown.errors


def test_picture_for_the_documentation(shown):
    """PICTURES=docs/pictures writes it; without it this looks at whether it could be written."""
    folder = os.environ.get("PICTURES")
    painted(shown, "places")
    shown.settle()
    place = shown.run("(([a, b]) => [a.x, a.y + scrollY, a.width, b.bottom - a.y])"
                      "(['places', 'spread'].map(id => document.getElementById(id).getBoundingClientRect()))")
    data = shown.picture(folder and os.path.join(ROOT, folder, "aslr.png"), place)
    assert data.startswith(b"\x89PNG") and len(data) > 5000


@pytest.mark.parametrize("dark", [False, True])
def test_each_view_draws(shown, dark):
    shown.dark(dark)
    for view in ("places", "spread", "correlation"):
        assert painted(shown, view) > 1000, view
    assert not shown.errors


def test_the_keyboard_reaches_a_launch_and_a_pair(shown, measured):
    data, _ = measured
    painted(shown, "places")
    shown.run("document.querySelector('#places canvas').focus()")
    for key in ("Home", "ArrowRight"):
        shown.key(key)
    shown.settle()
    second = sorted(data["places"]["program"])[1]
    launch = data["places"]["program"].index(second) + 1
    assert shown.run("document.getElementById('spoken').textContent") == \
        f"program at {second:#x}. launch {launch} of 500"
    last = len(data["correlation"]) - 1
    shown.run(f"document.querySelector('#correlation button[value=\"{last}\"]').focus()")
    shown.key("Enter")
    shown.settle()
    assert shown.run("document.getElementById('pair').textContent") == \
        "stack (to the right) and arguments (upwards): the one tells about the other"
    assert not shown.errors

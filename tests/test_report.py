"""The report of `vm trace -o`, in a real browser: it loads, every view draws, and every number is the trace's.

Most tests look at a trace that tests/trace_model.py writes and of which it knows what is true; the last ones at
traces of the kernel.
"""
import collections
import csv
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import time

import pytest
import trace_model
from browser import Browser
from conftest import ROOT
from trace_model import ANON, FREE, OBJECT, PAGE, story
from vitrine import machine, report, runs
from vitrine.schema import Schema
from vitrine.state import State

CHARTS = ["frames", "faults", "spaces", "family", "swap", "cpus"]
READY = "document.querySelector('[data-ready], #broken:not([hidden])') !== null"


@pytest.fixture(name="browser", scope="module")
def fixture_browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(name="model", scope="module")
def fixture_model():
    return story(20000)


def show(browser, path):
    browser.errors.clear()
    browser.ask("Page.navigate", url="about:blank")
    browser.open(path)
    browser.wait(READY)
    assert not browser.run("document.getElementById('broken').textContent")
    browser.settle()
    assert not browser.errors


@pytest.fixture(name="page", scope="module")
def fixture_page(browser, model, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("report") / "report.html")
    with open(path, "w", encoding="utf-8") as out:
        out.write(report.page(model.bytes(), model.meta()))
    return path


@pytest.fixture(name="shown")
def fixture_shown(browser, page):
    """The browser with the model's report, freshly loaded, its axes by time."""
    show(browser, page)
    choose_axis(browser, "time")
    yield browser
    assert not browser.errors


def choose_axis(browser, axis):
    browser.run(f"(s => {{ s.value = '{axis}'; s.onchange({{target: s}}); }})(document.getElementById('axis'))")


def look_at(browser, view):
    """Scrolls a view into sight and returns where its chart is: (x, y, width, height)."""
    browser.run(f"document.querySelector('#{view}').scrollIntoView({{behavior: 'instant', block: 'center'}})")
    browser.settle()
    browser.settle()
    place = ("(e => { const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })"
             f"(document.querySelector('#{view} canvas'))")
    return browser.run(place)


def text(browser, selector):
    return browser.run(f"document.querySelector({json.dumps(selector)}).textContent")


def number(shown_text):
    return int(re.sub(r"\D", "", shown_text))


def legend(browser, view):
    """{name: number} of a legend."""
    return {name: number(value) for name, value in browser.run(
        f"[...document.querySelectorAll('#{view} .legend li')].map(e => "
        "[e.querySelector('span').textContent, e.querySelector('b')?.textContent ?? '0'])")}


def owners_after(model, count):
    """Owners of all frames after so many events, reckoned from the records alone."""
    owners = [FREE] * len(model.owners)
    for _, kind, _, detail, _, frame, pages in model.records[:count]:
        if kind in (trace_model.FRAME_ALLOC, trace_model.FRAME_FREE):
            owners[frame:frame + pages] = [detail if kind == trace_model.FRAME_ALLOC else FREE] * pages
    return owners


# --- the files ----------------------------------------------------------------------------------------------


def test_vendored_files_are_what_was_recorded():
    assert report.changed_vendor_files() == []


def test_a_changed_vendored_file_is_noticed(tmp_path, monkeypatch):
    folder = tmp_path / "vendor" / "thing"
    folder.mkdir(parents=True)
    (folder / "thing.js").write_text("one")
    (folder / "more.js").write_text("not named")
    (folder / "SHA256SUMS").write_text("0" * 64 + "  thing.js\n")
    monkeypatch.setattr(report, "HERE", str(tmp_path))
    assert report.changed_vendor_files() == ["vendor/thing/more.js", "vendor/thing/thing.js"]


def test_numbers_are_those_of_the_schema(shown):
    """What names.js and trace.js know by heart stands in kernel/trace/events.toml."""
    schema = Schema()
    assert shown.run("KINDS.slice(1)") == [schema.kinds[n].name for n in sorted(schema.kinds)]
    assert shown.run("FAULTS.length") == len(schema.flags["fault"])
    assert shown.run("UNKNOWN") == len(schema.choices["owner"])
    for word, names in (("owner", "OWNER"), ("fork", "FORK"), ("exec", "EXEC")):
        assert all(schema.choices[word][n].startswith(name.lower()) for name, n in shown.run(names).items()), word
    assert schema.flags["fault"][shown.run("FAULT_REFUSED")] == "refused"
    places = {f.name: (f.place, f.low, f.high) for f in schema.kinds[trace_model.FAULT].fields}
    assert places == {"error": ("detail", 0, 7), "address": ("a", 0, 63), "kinds": ("b", 0, 11),
                      "frame": ("b", 12, 35), "ticks": ("b", 36, 63)}


def test_page_is_one_file(shown, page):
    """Nothing is loaded besides, and the page itself forbids it."""
    assert shown.run("performance.getEntriesByType('resource').length") == 0
    with open(page, encoding="utf-8") as source:
        html = source.read()
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    assert "default-src 'none'" in html
    assert "blocked" in shown.run("fetch('https://localhost/').then(() => 'got through', () => 'blocked')")
    shown.errors.clear()  # it complained about that, as it should


# --- what is drawn ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_view_draws(shown, theme):
    shown.dark(theme == "dark")
    for view in CHARTS:
        look_at(shown, view)
        colours = shown.run(f"""(canvas => {{
            const pen = canvas.getContext('2d'), found = new Set();
            const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
            for (let i = 0; i < data.length; i += 4)
                if (data[i + 3] === 255) found.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
            return [...found]; }})(document.querySelector('#{view} canvas'))""")
        assert len(colours) >= (2 if view == "swap" else 4), view
    for view in ("memory", "working"):
        look_at(shown, view)
        assert shown.run(f"(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v))"
                         f"(document.querySelector('#{view} canvas'))")
    shown.dark(False)


def test_colours_follow_the_system_and_the_switch(shown):
    ground = "getComputedStyle(document.body).backgroundColor"
    shown.dark(False)
    light = shown.run(ground)
    shown.dark(True)
    dark = shown.run(ground)
    assert light != dark
    choose = "(s => {{ s.value = '{}'; s.onchange(); }})(document.getElementById('theme'))"
    shown.run(choose.format("light"))
    assert shown.run(ground) == light
    shown.dark(False)
    shown.run(choose.format("dark"))
    assert shown.run(ground) == dark
    shown.run(choose.format("auto"))


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read(shown, dark):
    """Contrast of at least 4.5 to 1 (WCAG 2.1, 1.4.3) for the text's colours on both grounds."""
    shown.dark(dark)

    def light(name):
        colour = shown.run(f"css('{name}')")
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    for ink in ("--ink", "--muted", "--accent", "--now"):
        for ground in ("--card", "--ground"):
            high, low = sorted((light(ink), light(ground)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, f"{ink} on {ground}"
    shown.dark(False)


# --- numbers ------------------------------------------------------------------------------------------------


def test_summary(shown, model):
    kinds = collections.Counter(record[1] for record in model.records)
    tiles = dict(shown.run("[...document.querySelectorAll('#tiles div')].map(e => "
                           "[...e.children].map(c => c.textContent))"))
    assert number(tiles["events"]) == len(model.records)
    assert number(tiles["page faults"]) == kinds[trace_model.FAULT]
    assert number(tiles["COW copies"]) == kinds[trace_model.COW_COPY]
    assert number(tiles["to swap"]) == kinds[trace_model.SWAP_OUT] > 100
    assert number(tiles["from swap"]) == kinds[trace_model.SWAP_IN] > 10
    assert number(tiles["lost events"]) == 0
    assert tiles["time"] == f"{(model.records[-1][0] - model.records[0][0]) / 1e6:.3f} ms"


@pytest.mark.parametrize("share", [0, 0.3, 0.77, 1])
def test_frames_at_a_moment(shown, model, share):
    count = int(len(model.records) * share)
    shown.run(f"vitrine.change({{now: {count}}})")
    owners = owners_after(model, count)
    assert shown.run("[...vitrine.machine.owners]") == owners
    counts = collections.Counter(owners)
    shown_counts = legend(shown, "frames")
    assert [shown_counts[name] for name in ("free", "anonymous page", "file page", "page table")] == [
        counts[owner] for owner in (FREE, ANON, OBJECT, trace_model.PAGETABLE)]


def test_going_back_equals_going_forward(shown, model):
    half = len(model.records) // 2
    state = "[[...vitrine.machine.owners], [...vitrine.machine.spaces].map(([i, s]) => [i, s.regions, [...s.pages]])]"
    shown.run(f"vitrine.change({{now: 0}}); vitrine.change({{now: {half}}})")
    forward = shown.run(f"JSON.stringify({state})")
    shown.run(f"vitrine.change({{now: {len(model.records)}}}); vitrine.change({{now: {half}}})")
    assert shown.run(f"JSON.stringify({state})") == forward


def test_address_spaces_are_the_models(shown, model):
    """At the end each process has the pages that the model knows, in their frames and slots, shared as there."""
    spaces = dict(shown.run("""[...vitrine.machine.spaces].map(([i, s]) => [vitrine.trace.processes[i].pid,
        [...s.pages].map(([n, p]) => [n, p.frame, p.slot, vitrine.machine.state(p)])])"""))
    assert sorted(spaces) == sorted(model.processes)
    states = collections.Counter()
    for pid, process in model.processes.items():
        expected = {page: (frame, -1, 3) for page, frame in process.files.items()}
        for at, page in process.pages.items():
            state = 5 if page.frame is None else 2 if page.users > 1 else 1
            expected[process.base // PAGE + at] = (-1 if page.frame is None else page.frame,
                                                   -1 if page.slot is None else page.slot, state)
        assert {page: tuple(rest) for page, *rest in spaces[pid]} == expected
        states.update(state for _, _, state in expected.values())
    shown_states = legend(shown, "spaces")
    names = ("own", "shared (COW)", "file", "in swap")
    assert [shown_states[name] for name in names] == [states[n] for n in (1, 2, 3, 5)]
    assert states[5] and states[2]


def test_slots_are_the_models(shown, model):
    shown_slots = legend(shown, "swap")
    assert shown_slots["only in swap"] == sum(page.frame is None for page in model.slots.values())
    assert shown_slots["also in memory"] == sum(page.frame is not None for page in model.slots.values())


def test_faults_by_kind(shown, model):
    expected = collections.Counter()
    for record in model.records:
        if record[1] == trace_model.FAULT:
            expected.update(n for n in range(12) if record[6] >> n & 1)
    assert list(legend(shown, "faults").values()) == [expected[n] for n in range(10)]


def test_lines_over_time(shown, model):
    """The plotted number of free frames at 1201 moments, and the working set at its peak."""
    start, end = model.records[0][0], model.records[-1][0]
    times = "Array.from({length: 1201}, (_, n) => vitrine.trace.end * n / 1200)"
    rows = shown.run(f"sampleOwners(vitrine.trace, vitrine.machine.first, {times}).map(row => [...row])")
    free, at, steps = len(model.owners), 0, []
    for point in range(1201):
        while at < len(model.records) and model.records[at][0] - start <= (end - start) * point / 1200:
            _, kind, _, _, _, _, pages = model.records[at]
            free += {trace_model.FRAME_ALLOC: -pages, trace_model.FRAME_FREE: pages}.get(kind, 0)
            at += 1
        steps.append(free)
    assert rows[0] == steps
    window = (end - start) * 0.05
    moment = (end - start) * 600 / 1200
    pages = {(r[4], r[5] // PAGE) for r in model.records if r[1] == trace_model.FAULT
             and moment - window < r[0] - start <= moment}
    working = f"sampleWorkingSet(vitrine.trace, vitrine.trace.end * 0.05, [], {times})[0][600]"
    assert shown.run(working) == len(pages) > 10


def test_shootdowns_between_processors(shown, model):
    expected = collections.Counter()
    for _, kind, cpu, _, _, mask, _ in model.records:
        if kind == trace_model.SHOOTDOWN:
            expected.update((cpu, to) for to in range(2) if mask >> to & 1)
    cells = shown.run("[...document.querySelectorAll('#cpus tbody tr')].map(r => "
                      "[...r.querySelectorAll('td')].map(c => c.textContent))")
    assert [int(cells[0][1]), int(cells[1][0])] == [expected[0, 1], expected[1, 0]] and expected[1, 0]


# --- hands --------------------------------------------------------------------------------------------------


def refused(model):
    """Index and record of the first refused fault."""
    return next((i, r) for i, r in enumerate(model.records)
                if r[1] == trace_model.FAULT and r[6] & trace_model.REFUSED)


def walk_cells(browser):
    return browser.run("[...document.querySelectorAll('#walk tbody tr')].map(r => "
                       "[...r.children].map(c => c.textContent))")


def test_pointing_at_a_frame_tells_its_numbers(shown, model):
    x, y, width, _ = look_at(shown, "frames")
    frame = model.owners.index(ANON, 200)
    columns = shown.run("(() => { for (let c = 14; ; c--) { const n = Math.floor(%f / c); "
                        "if (Math.ceil(vitrine.machine.frames / n) * c <= 400) return [n, c]; } })()" % width)
    at = (x + (frame % columns[0] + 0.5) * columns[1], y + (frame // columns[0] + 0.5) * columns[1])
    shown.hover(*at)
    bubble = shown.run("[...document.getElementById('bubble').children].map(e => e.textContent)")
    process, number_in = next((p, n) for p in model.processes.values() for n, page in p.pages.items()
                              if page.frame == frame)
    assert bubble[:3] == [f"frame {frame}", f"physical address {frame * PAGE:#x}", "anonymous page"]
    assert any(line.endswith(f"{process.base + number_in * PAGE:#x}") for line in bubble[3:])
    shown.click(*at)
    assert text(shown, "#frames .detail h3") == f"Frame {frame}"


def test_click_on_a_fault_shows_its_walk(shown, model):
    index, record = refused(model)
    x, y, width, _ = look_at(shown, "faults")
    left = shown.run(f"new TimeScale(vitrine.range, {width}).x(vitrine.trace.time[{index}])")
    shown.click(x + left, y + 9 * 30 + 20)
    assert shown.run("vitrine.fault") == index
    assert [row[3] for row in walk_cells(shown)] == ["0", "0", "0", "0", str(record[5])]
    story_text = text(shown, "#walk .story")
    assert "refused" in story_text and f"{record[4]} " in story_text and f"CPU {record[2]}" in story_text
    assert f"({record[6] >> 36:,} ticks)".replace(",", "\u202f") in story_text


def test_walk_of_a_fault(shown, model):
    """Indices are those of the address, tables that were made meanwhile are named, the frame is the fault's."""
    made, seen = [], 0
    for index, (_, kind, _, detail, tid, a, b) in enumerate(model.records):
        if kind == trace_model.FRAME_ALLOC and detail == trace_model.PAGETABLE:
            made.append(a)
        elif kind == trace_model.FAULT:
            if made:
                shown.run(f"vitrine.change({{fault: {index}}})")
                cells = walk_cells(shown)
                assert [int(row[3]) for row in cells] == [*(a >> shift & 511 for shift in (39, 30, 21, 12)), a & 4095]
                assert [int(row[4], 16) for row in cells[:4]] == [8 * int(row[3]) for row in cells[:4]]
                expected = [f"was missing: made in frame {frame}" for frame in made]
                found = [row[6].removesuffix("; its entry was empty") for row in cells[1:4]]
                assert found == ["was there"] * (3 - len(made)) + expected
                assert cells[4][6].startswith(f"frame {b >> 12 & 0xffffff} ")
                assert text(shown, "#walk .story").startswith(f"{tid} ")
                seen += 1
            made = []
        if seen == 5:
            return
    pytest.fail("the model made too few page tables")


def test_keyboard(shown, model):
    """Everything by keys: the slider, single events, a fault and its walk, zoom; and it is read out."""
    faults = [i for i, r in enumerate(model.records) if r[1] == trace_model.FAULT]
    look_at(shown, "faults")
    shown.run("document.querySelector('#faults canvas').focus()")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        shown.key(key)
    spoken = text(shown, "#spoken")
    same = [i for i in faults if model.records[i][6] & model.records[faults[0]][6] & 0xfff]
    assert f"{model.records[same[2]][5]:#x}" in spoken
    shown.key("Enter")
    assert shown.run("vitrine.fault") == same[2] and shown.run("vitrine.now") == same[2] + 1
    shown.key(".")
    assert shown.run("vitrine.now") == same[2] + 2
    shown.key(",")
    assert shown.run("vitrine.now") == same[2] + 1
    shown.key("+")
    zoomed = shown.run("vitrine.range")
    assert zoomed[1] - zoomed[0] < shown.run("vitrine.trace.end")
    shown.key("0")
    assert shown.run("vitrine.range") == [0, shown.run("vitrine.trace.end")]
    shown.run("document.getElementById('slider').focus()")
    shown.key("Home")
    assert shown.run("vitrine.time") == 0
    shown.key("ArrowRight")
    assert shown.run("vitrine.time") == shown.run("vitrine.trace.end / STEPS")
    shown.run("vitrine.change({now: vitrine.trace.length})")
    for view in CHARTS:
        look_at(shown, view)
        shown.run("document.getElementById('spoken').textContent = ''")
        shown.run(f"document.querySelector('#{view} canvas').focus()")
        shown.key("End")
        assert text(shown, "#spoken"), view


def test_tab_reaches_everything(shown):
    """Going through the page by Tab comes by every control and every chart, in the order of the page."""
    shown.run("document.activeElement.blur(); scrollTo({top: 0, behavior: 'instant'})")
    reached = []
    for _ in range(60):
        shown.key("Tab")
        reached.append(shown.run("(e => e.id || e.closest('section')?.id + ' ' + e.tagName)(document.activeElement)"))
    wanted = ["theme", "first", "slider", "next", "play", *(f"{view} CANVAS" for view in CHARTS)]
    assert [name for name in dict.fromkeys(reached) if name in wanted] == wanted


def test_screen_readers_have_names(shown):
    """Each control and chart has a name, headings do not skip a level, tables say what their columns are."""
    unnamed = shown.run("""[...document.querySelectorAll(
        'button, select, input, canvas[tabindex], [role=application]')].filter(e => !(e.getAttribute('aria-label') ||
        e.textContent.trim() || e.closest('label'))).map(e => e.outerHTML)""")
    assert unnamed == []
    levels = shown.run("[...document.querySelectorAll('h1, h2, h3')].map(e => +e.tagName[1])")
    assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    assert shown.run("[...document.querySelectorAll('thead th')].every(e => e.scope === 'col')")


def test_dragging_enlarges(shown):
    x, y, width, _ = look_at(shown, "faults")
    for kind, at in (("mousePressed", 400), ("mouseMoved", 500), ("mouseMoved", 600), ("mouseReleased", 600)):
        shown.ask("Input.dispatchMouseEvent", type=kind, x=x + at, y=y + 40, button="left", buttons=1, clickCount=1)
    ends = shown.run(f"[400, 600].map(x => new TimeScale([0, vitrine.trace.end], {width}).ticks(x))")
    assert shown.run("vitrine.range") == pytest.approx(ends, rel=0.02)


def test_axis_by_events(shown, model):
    """Each event takes the same room: the slider's middle is the middle event, and a click finds the fault."""
    assert shown.run("document.getElementById('axis').options[0].value") == "events"  # the default
    choose_axis(shown, "events")
    shown.run("(s => { s.value = STEPS / 2; s.oninput(); })(document.getElementById('slider'))")
    assert abs(shown.run("vitrine.now") - len(model.records) / 2) <= 1
    for share in (0, 0.1, 0.5, 0.9, 1):
        ticks = (model.records[-1][0] - model.records[0][0]) * share
        assert shown.run(f"momentAt(placeOf({ticks}))") == pytest.approx(ticks, abs=2)
    index, _ = refused(model)
    x, y, width, _ = look_at(shown, "faults")
    left = shown.run(f"new TimeScale(vitrine.range, {width}).x(vitrine.trace.time[{index}])")
    assert left == pytest.approx(148 + (width - 212) * index / (len(model.records) - 1), abs=1)
    shown.click(x + left, y + 9 * 30 + 20)
    assert shown.run("vitrine.fault") == index
    for view in [*CHARTS, "memory", "working"]:
        look_at(shown, view)
    for axis in ("events", "time"):  # the lines stand above the ticks
        choose_axis(shown, axis)
        shown.settle()
        for share in (0.1, 0.4, 1):
            lines, tick = shown.run(f"""(t => [vitrine.series.map(s => s.plot.valToPos(t, 'x') + 148),
                new TimeScale(vitrine.range, {width}).x(t)])(vitrine.trace.end * {share})""")
            assert lines == pytest.approx([tick, tick], abs=2)
    choose_axis(shown, "events")
    shown.key("+")
    low, high = shown.run("vitrine.range.map(placeOf)")
    assert high - low == pytest.approx(len(model.records) / 2, rel=0.01)


# --- traces of all sizes ------------------------------------------------------------------------------------


def write_page(folder, records, **meta):
    path = os.path.join(folder, "report.html")
    with open(path, "w", encoding="utf-8") as out:
        out.write(report.page(b"".join(trace_model.RECORD.pack(*record) for record in records), meta))
    return path


@pytest.mark.parametrize("records", [
    [],
    [(5, 1, 0, 6, 3, 0x7fff_ffff_e123, 2 | 77 << 12 | 900 << 36)],
    [(5, 9, 0, 4, 3, 77, 1)],
    [(5, 200, 9, 99, -7, 2**64 - 1, 2**64 - 1), (5, 9, 0, 99, 3, 4, 1), (2**63, 1, 255, 255, 3, 2**64 - 1, 2**64 - 1)],
    [(5, 8, 3, 1, 3, 77, 12), (6, 10, 0, 4, 3, 77, 1), (9, 16, 3, 2, 3, 3, 0), (12, 13, 0, 1, 3, 9, 3)],
], ids=["empty", "one fault", "one frame", "nonsense", "begins in the middle"])
def test_small_and_strange_traces(browser, tmp_path, records):
    show(browser, write_page(tmp_path, records))
    for view in [*CHARTS, "memory", "working", "walk", "events"]:
        browser.run(f"document.getElementById('{view}').scrollIntoView({{behavior: 'instant'}})")
        browser.settle()
    for axis in ("events", "time"):
        choose_axis(browser, axis)
        for key in ("+", "-", "0", ".", ","):
            browser.key(key)
        browser.settle()
    browser.run("vitrine.seekTime(0); for (const fault of vitrine.trace.faults) vitrine.change({fault, frame: 77})")
    browser.settle()
    assert browser.run("vitrine.trace.length") == len(records)
    assert not browser.errors


def test_text_cannot_break_out(browser, tmp_path):
    """A program's name and the command are text, whatever they hold."""
    evil = "</script><img src=x onerror=alert(1)>"
    name = struct.unpack("<QQ", b"</script><b>x\0\0\0")
    show(browser, write_page(tmp_path, [(5, 12, 0, 1, 3, *name), (6, 1, 0, 6, 3, 4096, 2)], command=evil,
                             names={3: [3, evil]}))
    assert text(browser, "#title") == evil
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert not browser.errors


def test_a_damaged_page_says_so(browser, tmp_path):
    """Say, one that a mail program cut short."""
    path = tmp_path / "report.html"
    html = report.page(b"", {})
    path.write_text(re.sub(r'(id="records">)[^<]*', r"\1eJwrSS0u", html), encoding="utf-8")
    browser.open(path)
    browser.wait("document.querySelector('#broken:not([hidden])') !== null")
    assert text(browser, "#broken").startswith("The trace in this page cannot be read: ")
    assert browser.errors
    browser.errors.clear()


def test_lost_events_are_told(browser, tmp_path):
    show(browser, write_page(tmp_path, [(5, 9, 0, 4, 3, 77, 1)], lost=1234))
    assert "first 1\u202f234 events" in text(browser, "#lost")
    assert browser.run("document.getElementById('lost').hidden") is False


def test_a_hundred_thousand_events(browser, tmp_path, capsys):
    model = story(100_000, frames=4096)
    path = tmp_path / "large.html"
    began = time.monotonic()
    path.write_text(report.page(model.bytes(), model.meta()), encoding="utf-8")
    written = time.monotonic() - began
    began = time.monotonic()
    show(browser, str(path))
    opened = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{len(model.records)} events: {path.stat().st_size / 1e6:.2f} MB, written in {written:.1f} s, "
              f"opened in {opened:.2f} s ({browser.run('document.documentElement.dataset.ready')} ms in the page)")
    assert path.stat().st_size < 5e6
    assert browser.run("[...vitrine.machine.owners]") == model.owners
    assert opened < 60  # two seconds when the machine has nothing else to do


# --- traces of the kernel -----------------------------------------------------------------------------------

MIB = 16


@pytest.fixture(name="family", scope="module", params=[1, 2], ids=["1 CPU", "2 CPUs"])
def fixture_family(built, request, tmp_path_factory):  # pylint: disable=unused-argument
    """A guest that forks, copies and swaps, and holds still: (its report, its table, what its memory says)."""
    folder = tmp_path_factory.mktemp("family")
    program, page, table = folder / "family", folder / "report.html", folder / "events.csv"
    subprocess.run([f"{ROOT}/tools/ucc", f"{ROOT}/tests/guest/family.c", program, f"{program}.d"], cwd=ROOT, check=True)
    command = [f"{ROOT}/vm", "run", "--keep", "--mem", "28M", "--swap", "64M", "--cpus", str(request.param), "--trace",
               "6M" if request.param == 1 else "3M", "--add", f"{program}:/family", "--", "sh", "-c",
               f"/family {MIB}; true"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, VITRINE_NO_BUILD="1")) as process:
        run = None
        try:
            assert any(line == "=== ready\n" for line in process.stdout), "the guest ended early"
            run = glob.glob(f"{machine.RUNS}/*-{process.pid:x}")[0]
            done = subprocess.run([f"{ROOT}/vm", "trace", run, "-o", page, "--csv", table], capture_output=True,
                                  text=True, check=False)
            assert done.returncode == 0, done.stderr
            with runs.look(run) as kernel:
                truth = anons(kernel)
            process.stdin.write("\n")
        finally:
            process.stdin.close()  # the guest ends, whatever happened
            process.stdout.read()
            assert process.wait(300) == 0
            if run:
                shutil.rmtree(run)
    with open(table, encoding="utf-8", newline="") as rows:
        yield page, list(csv.DictReader(rows)), truth


def anons(kernel):
    """({pid: {page: [frame or -1, slot or None, references]}} of the private pages of all processes, owners)"""
    now, found = State(kernel), {}
    for pid, process in now.processes.items():
        pages = now.space_of(process).private.items()
        found[pid] = {page: [now.number(anon.frame) if anon.frame else -1, anon.slot, anon.refs]
                      for page, anon in ((page, now.anon(address)) for page, address in pages)}
    return found, report.frame_owners(kernel)


def test_report_agrees_with_the_machine(browser, family):
    """From the records alone the page finds each private page where the kernel has it, shared by as many."""
    page, _, (pages, owners) = family
    show(browser, str(page))
    assert bytes(browser.run("[...vitrine.machine.owners]")) == owners
    spaces = dict(browser.run("""[...vitrine.machine.spaces].map(([i, s]) => [vitrine.trace.processes[i].pid,
        [...s.pages].map(([n, p]) => [n, p.frame, p.slot, p.refs])])"""))
    assert sorted(spaces) == sorted(pages) and len(pages) >= 6
    in_swap = 0
    for pid, expected in pages.items():
        shown = {number: rest for number, *rest in spaces[pid]}
        for number, (frame, slot, refs) in expected.items():
            assert (shown[number][0], shown[number][2]) == (frame, refs), (pid, number)
            if frame < 0:
                assert shown[number][1] == slot, (pid, number)
                in_swap += 1
    assert in_swap > 100
    assert max(refs for expected in pages.values() for _, _, refs in expected.values()) == 4


def test_report_agrees_with_the_table(browser, family):
    """The page counts what vm trace --csv lists."""
    page, rows, _ = family
    show(browser, str(page))
    counts = collections.Counter(row["event"] for row in rows)
    assert browser.run("KINDS.slice(1).map((_, k) => vitrine.trace.ofKind(k + 1).length)") == [
        counts[kind] for kind in browser.run("KINDS.slice(1)")]
    faults = [row for row in rows if row["event"] == "fault"]
    shown = browser.run("vitrine.trace.faults.map(i => [hex(vitrine.trace.a(i)), vitrine.trace.frame(i), "
                        "vitrine.trace.duration(i), vitrine.trace.tid[i], vitrine.trace.cpu[i]])")
    assert shown == [[row["address"], *(int(row[name]) for name in ("frame", "ticks", "tid", "cpu"))] for row in faults]
    assert text(browser, "#title") == f"sh -c '/family {MIB}; true'"
    times = browser.run("[...document.querySelectorAll('#events tbody tr')].map(r => r.children[1].textContent)")
    assert times == [f"{int(row['time_ns']) / 1e6:.3f} ms" for row in rows[-16:]]
    assert not browser.errors


def test_report_of_a_trace_that_lost_most(browser, built, tmp_path):  # pylint: disable=unused-argument
    """What is left of two small rings is consistent: it begins when both do, and ends at what memory holds."""
    page, table = tmp_path / "report.html", tmp_path / "events.csv"
    command = [f"{ROOT}/vm", "run", "--keep", "--cpus", "2", "--trace", "8K", "--", "sh", "-c", "ls | sort; ls / | wc"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ, VITRINE_NO_BUILD="1")) as process:
        assert process.wait(300) == 0
    run = glob.glob(f"{machine.RUNS}/*-{process.pid:x}")[0]
    try:
        done = subprocess.run([f"{ROOT}/vm", "trace", run, "-o", page, "--csv", table], capture_output=True, text=True,
                              check=True)
        with runs.look(run) as kernel:
            owners = report.frame_owners(kernel)
    finally:
        shutil.rmtree(run)
    written = int(re.search(r"([\d,]+) events", done.stderr)[1].replace(",", ""))
    show(browser, str(page))
    assert bytes(browser.run("[...vitrine.machine.owners]")) == owners
    shown, lost = browser.run("[vitrine.trace.length, vitrine.trace.meta.lost]")
    assert 0 < shown <= 512 and shown + lost == written
    assert "were full" in text(browser, "#lost")
    with open(table, encoding="utf-8", newline="") as rows:
        events = list(csv.DictReader(rows))
    first = max(next(int(row["time_ns"]) for row in events if row["cpu"] == cpu) for cpu in "01")
    assert shown == sum(int(row["time_ns"]) >= first for row in events)
    assert not browser.errors


def test_walk_of_a_fault_of_the_kernel(browser, family):
    """A COW copy: the story, the event in between, and the frame that the page had before."""
    page, rows, _ = family
    show(browser, str(page))
    copy = next(row for row in reversed(rows) if row["event"] == "cow_copy")
    browser.run("vitrine.change({fault: vitrine.trace.faults.findLast(i => vitrine.trace.kinds(i) >> 5 & 1)})")
    assert "COW copy: a store to a page that others share" in text(browser, "#walk .story")
    assert f"frame {copy['old']} to frame {copy['new']}" in text(browser, "#walk .events")
    assert walk_cells(browser)[4][6].startswith(f"frame {copy['new']} ")


@pytest.mark.parametrize("family", [2], indirect=True, ids=["2 CPUs"])
def test_pictures_for_the_documentation(browser, family):
    """PICTURES=docs/pictures writes them; without it this looks at whether they could be written."""
    page, _, _ = family
    show(browser, str(page))
    choose_axis(browser, "time")
    folder = os.environ.get("PICTURES")
    browser.run("""(() => { const { trace } = vitrine, out = trace.ofKind(KIND.SWAP_OUT);
        const copies = trace.faults.filter(i => trace.kinds(i) >> 5 & 1);
        vitrine.change({ fault: copies[Math.floor(copies.length / 2)] });
        vitrine.change({ now: out[Math.floor(out.length / 2)] }); })()""")
    for view in ("frames", "memory", "faults", "walk", "spaces", "family", "swap", "cpus"):
        browser.run(f"document.getElementById('{view}').scrollIntoView({{behavior: 'instant', block: 'center'}})")
        browser.settle()
        browser.settle()
        place = browser.run("(b => [b.x, b.y + scrollY, b.width, b.height])"
                            f"(document.getElementById('{view}').getBoundingClientRect())")
        data = browser.picture(folder and os.path.join(ROOT, folder, f"report-{view}.png"), place)
        assert data.startswith(b"\x89PNG") and len(data) > 5000

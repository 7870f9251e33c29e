"""vm policies: the algorithms against the plainest possible ones, the string of references, the page, the kernel."""
import array
import itertools
import json
import os
import random
import re
import subprocess

import pytest
from browser import Browser
from conftest import ROOT
from vitrine import policies, replacement

EXACT = policies.EXACT
BELADY = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]
POLICIES = ["opt", "lru", "clock", "fifo", "random"]


# --- the algorithms -----------------------------------------------------------------------------------------

def plain(refs, size, victim):
    """Misses of a policy that is told by victim(held, at): held lists the pages in the order in which they came."""
    held, misses = [], 0
    for at, page in enumerate(refs):
        if page not in held:
            misses += 1
            if len(held) == size:
                held.remove(victim(held, at))
            held.append(page)
    return misses


def plain_lru(refs, size):
    return plain(refs, size, lambda held, at: min(held, key=lambda page: max(
        n for n in range(at) if refs[n] == page)))


def plain_opt(refs, size):
    return plain(refs, size, lambda held, at: max(held, key=lambda page: next(
        (n for n in range(at, len(refs)) if refs[n] == page), len(refs))))


def plain_fifo(refs, size):
    return plain(refs, size, lambda held, at: held[0])


def plain_clock(refs, size):
    """As a textbook draws it: an array, a hand, a bit for each place."""
    places, bits, hand, misses = [None] * size, [0] * size, 0, 0
    for page in refs:
        if page in places:
            bits[places.index(page)] = 1
            continue
        misses += 1
        while places[hand] is not None and bits[hand]:
            bits[hand], hand = 0, (hand + 1) % size
        places[hand], bits[hand], hand = page, 1, (hand + 1) % size
    return misses


def least_possible(refs, size):
    """The fewest misses of any demand paging at all, by trying every choice."""
    best = {frozenset(): 0}
    for page in refs:
        after = {}
        for held, misses in best.items():
            ways = [(held, 0)] if page in held else [
                (held - {gone} | {page}, 1) for gone in (held if len(held) == size else [None])]
            for way, more in ways:
                after[way] = min(after.get(way, len(refs)), misses + more)
        best = after
    return min(best.values())


def strings():
    """Strings of all sorts: any page, a few favourites, walks that turn round, a loop."""
    dice = random.Random(5)
    for length, pages in itertools.product((1, 13, 60, 200), (1, 3, 8, 20)):
        yield [dice.randrange(pages) for _ in range(length)]
        yield [min(dice.randrange(pages), dice.randrange(pages)) for _ in range(length)]
        yield [abs(n % (2 * pages) - pages) for n in range(length)]
        yield [n % pages for n in range(length)]


def test_algorithms_are_the_plain_ones():
    for pages in strings():
        refs, count = replacement.dense(pages)
        sizes = list(range(1, count + 2))
        found = replacement.curves(refs, count, sizes)
        for name, model in (("opt", plain_opt), ("lru", plain_lru), ("clock", plain_clock), ("fifo", plain_fifo)):
            assert found[name] == [model(refs, size) for size in sizes], (name, pages)
        assert all(count <= misses <= len(refs) for misses in found["random"])
        assert found["random"][-1] == found["random"][-2] == count


def test_the_optimum_is_the_optimum():
    for seed in range(20):
        refs, count = replacement.dense([random.Random(seed).randrange(6) for _ in range(24)])
        for size in range(1, 6):
            assert replacement.opt(refs, count, size) == least_possible(refs, size)


def test_stack_distances_of_a_long_string():
    """Long enough that the marks move together many times: a walk to and fro over 50 pages."""
    refs, count = replacement.dense([abs(n % 98 - 49) for n in range(20000)])
    hits = replacement.stack_distances(refs, count)
    assert [len(refs) - sum(hits[:size + 1]) for size in (1, 7, 49, 50)] == [plain_lists(refs, size)
                                                                             for size in (1, 7, 49, 50)]


def plain_lists(refs, size):
    """LRU as a list, the page used last in front."""
    held, misses = [], 0
    for page in refs:
        if page in held:
            held.remove(page)
        else:
            misses += 1
        held = [page, *held][:size]
    return misses


def test_beladys_anomaly():
    """More memory, more misses: only under fifo."""
    refs, count = replacement.dense(BELADY)
    found = replacement.curves(refs, count, [3, 4])
    assert found["fifo"] == [9, 10]
    assert found["lru"] == [10, 8] and found["opt"] == [7, 6]


def test_random_is_fair():
    """In a loop over n pages random keeps most of them, lru none."""
    refs, count = replacement.dense([n % 100 for n in range(5000)])
    assert replacement.fifo(refs, count, 90) == 5000
    assert 100 < replacement.random(refs, count, 90) < 2000
    assert len({replacement.random_once(refs, count, 90, seed) for seed in range(8)}) > 1


# --- the string --------------------------------------------------------------------------------------------

@pytest.fixture(name="reduce", scope="module")
def fixture_reduce(tmp_path_factory):
    """reduce(pages, limit) -> (touched, share, what refs.c keeps of them)."""
    folder = tmp_path_factory.mktemp("refs")
    program, out = folder / "refs", folder / "out"
    subprocess.run([os.environ.get("CC") or "gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
                    "-o", program, f"{ROOT}/tests/refs_driver.c"], check=True)

    def run(pages, limit=1 << 20):
        subprocess.run([program, f"out={out}", f"limit={limit}"], input=" ".join(map(str, pages)), text=True,
                       check=True)
        with open(out, "rb") as file:
            touched, count, share, _ = map(int, file.readline().split())
            kept = array.array("Q", file.read())
        assert len(kept) == count
        return touched, share, list(kept)
    return run


def mixed(length, pages, seed):
    """A program's sort of string: a few pages all the time, the rest by phases."""
    dice = random.Random(seed)
    for n in range(length):
        phase = n * 7 // length
        yield dice.choice([dice.randrange(6), dice.randrange(20), phase * 10 + dice.randrange(pages // 2),
                           n // 9 % pages])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_out_does_not_matter(reduce, seed):
    """LRU and the optimum miss as often, exactly, in any memory that is not tiny; the others almost."""
    pages = list(mixed(30000, 150 + 40 * seed, seed))
    touched, share, kept = reduce(pages)
    assert share == 1 and touched == sum(1 for _ in itertools.groupby(pages)) and len(kept) < 0.9 * touched
    full, count = replacement.dense(pages)
    short, same = replacement.dense(kept)
    assert same == count
    sizes = [EXACT, EXACT + 1, EXACT + 9, 64, 100, count - 1]
    all_of_them, left = replacement.curves(full, count, sizes), replacement.curves(short, count, sizes)
    assert left["lru"] == all_of_them["lru"] and left["opt"] == all_of_them["opt"]
    for name in ("clock", "fifo", "random"):
        for long, few in zip(all_of_them[name], left[name]):
            assert few == pytest.approx(long, rel=0.05), name


def test_a_loop_among_few_pages_leaves_little(reduce):
    touched, _, kept = reduce([n % 10 for n in range(50000)])
    assert touched == 50000 and len(kept) == 20  # the first and the last of each


def test_a_sample_tells_about_the_whole(reduce):
    """When there are too many, whole pages are left out, and what is left, made larger, is near the truth."""
    pages = list(mixed(60000, 2000, 7))
    _, share, kept = reduce(pages, limit=12000)
    assert share > 1 and 1000 < len(kept) <= 12000
    everything = reduce(pages)[2]
    assert kept == [page for page in everything if page in set(kept)]
    full, count = replacement.dense(everything)
    sample, few = replacement.dense(kept)
    assert few * share == pytest.approx(count, rel=0.15)
    for size in (400, 800, 1200):
        truth = replacement.curves(full, count, [size])
        guess = replacement.curves(sample, few, [size // share])
        for name in POLICIES:
            assert guess[name][0] * share == pytest.approx(truth[name][0], rel=0.2), (name, size)


# --- a program -----------------------------------------------------------------------------------------------

MIB = 18
PAGES, TURNS = MIB * 256, 8


def command(*words, status=0):
    done = subprocess.run([f"{ROOT}/vm", "policies", *map(str, words)], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, VITRINE_NO_BUILD="1"))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture(name="loop", scope="module")
def fixture_loop(built, tmp_path_factory):  # pylint: disable=unused-argument
    """(what vm policies --json says of a loop over 18 MiB, its string, its page)."""
    folder = tmp_path_factory.mktemp("loop")
    found = json.loads(command("--json", "--mem", "16M", "--refs", folder / "refs", "-o", folder / "page.html",
                               "patterns", "loop", MIB))
    with open(folder / "refs", encoding="ascii") as file:
        return found, [int(line, 16) for line in file], folder / "page.html"


def test_string_is_what_the_program_does(loop):
    """patterns stores to all its pages in turn and then goes round eight times: nothing else is in the string."""
    _, string, _ = loop
    pages = sorted(set(string))
    start = next(page for at, page in enumerate(pages) if pages[at:at + PAGES] == [*range(page, page + PAGES)])
    touched = [page for page, _ in itertools.groupby(page for page in string if start <= page < start + PAGES)]
    assert touched == [*range(start, start + PAGES)] * (1 + TURNS)
    assert len(pages) < PAGES + 60


def test_curves_of_a_loop(loop):
    """lru and fifo miss every time below the size of the loop; the optimum keeps what it can."""
    found, _, _ = loop
    assert found["share"] == 1 and PAGES < found["pages"] < PAGES + 60 and found["status"] == 0
    for at, size in enumerate(found["sizes"]):
        here = {name: found["curves"][name][at] for name in POLICIES}
        if size < PAGES:
            assert here["lru"] == pytest.approx(TURNS * PAGES, rel=0.01)
            if size > 500:  # in less the few pages that are used all the time come and go, too
                assert here["fifo"] == pytest.approx(TURNS * PAGES, rel=0.02)
            assert here["opt"] == pytest.approx(TURNS * PAGES * (PAGES - size) / PAGES, rel=0.05, abs=60)
        assert here["opt"] <= min(here.values())
    assert found["sizes"][-1] == found["pages"] and all(curve[-1] == 0 for curve in found["curves"].values())


def test_the_kernel_does_what_the_curves_say(loop):
    """fifo, clock and lru read as many pages as the simulation, within 3 %; random, which is luck, within 20 %."""
    found, _, _ = loop
    points = {point["policy"]: point for point in found["measured"]}
    assert sorted(points) == ["clock", "fifo", "lru", "random"]
    for name, point in points.items():
        assert point["memory"] == 16 << 20 and 2048 < point["size"] < 4096
        assert point["simulated"] == found["curves"][name][found["sizes"].index(point["size"])] > 1000
        assert point["reads"] == pytest.approx(point["simulated"], rel=0.2 if name == "random" else 0.03), name
        assert 0 < point["waits"] <= 1.01 * point["reads"]


def test_the_kernel_where_neighbours_are_of_no_use(built):  # pylint: disable=unused-argument
    """Under any order the kernel sees that none are wanted: each read is one page, and as many as simulated."""
    found = json.loads(command("--json", "--mem", "16M", "--policy", "lru", "--", "patterns", "chance", MIB))
    point, = found["measured"]
    assert point["waits"] == pytest.approx(point["simulated"], rel=0.15)
    assert point["waits"] <= point["reads"] <= 1.02 * point["waits"]


def test_text(built):  # pylint: disable=unused-argument
    """A program that fits in any machine, and one with children, whose accesses are told."""
    said = command("--", "sh", "-c", "exit 3")
    assert "not measured: the smallest machine, of 16 MiB, has room for all of it" in said
    assert "ended with status 3" in said and "child processes" not in said
    rows = re.findall(r"^ *([\d,]+) +[\d.]+ MiB((?: +[\d,]+){5})$", said, re.M)
    assert len(rows) > 8 and rows[-1][1].split() == ["0"] * 5
    assert re.search(r"child processes, with [\d,]{4,} accesses", command("--", "sh", "-c", "ls | wc; true"))


def test_its_errors_are_heard_once(built):  # pylint: disable=unused-argument
    """Of several runs of the program only the first one's complaints come through."""
    words = ["--mem", "16M", "--policy", "fifo", "--policy", "lru"]
    done = subprocess.run([f"{ROOT}/vm", "policies", *words, "--", "sh", "-c", "echo once >&2; exec patterns loop 4"],
                          capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, VITRINE_NO_BUILD="1"))
    assert done.stderr == "once\n" and "fifo" in done.stdout


REFUSALS = [
    ([], "no program to run: vm policies [options] [--] PROGRAM"),
    (["--mem", "8M", "true"], "'8M' is not a number of MiB, of which the kernel needs 16"),
    (["--policy", "best", "true"], "invalid choice: 'best'"),
    (["--limit", "7", "true"], "'7' is not a number of references"),
    (["-o", "/nosuch/x.html", "true"], "/nosuch/x.html: the folder to write to does not exist"),
    (["--add", "/nosuch:/x", "true"], "no such file or folder on the host"),
    (["nosuch"], "nosuch ended with status 127 and touched 0 pages, too few to choose from"),
    (["--timeout", "2", "--", "sh", "-c", "while :; do :; done"], "timeout"),
]


@pytest.mark.parametrize("words, message", REFUSALS, ids=lambda value: " ".join(value) or "none" if
                         isinstance(value, list) else "")
def test_refusals(built, words, message):  # pylint: disable=unused-argument
    assert message in command(*words, status=125)


# --- the page -------------------------------------------------------------------------------------------------

@pytest.fixture(name="browser", scope="module")
def fixture_browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(name="shown")
def fixture_shown(browser, loop):
    show(browser, loop[2])
    yield browser, loop[0]
    assert not browser.errors


def show(browser, path):
    browser.errors.clear()
    browser.ask("Page.navigate", url="about:blank")
    browser.open(path)
    browser.wait("document.querySelector('[data-ready], #broken:not([hidden])') !== null")
    assert not browser.run("document.getElementById('broken').textContent")
    browser.settle()


def cells(browser, section):
    rows = browser.run(f"[...document.querySelectorAll('#{section} tbody tr')].map(r => "
                       "[...r.children].map(c => c.textContent))")
    return [[cell.replace("\u202f", "") for cell in row] for row in rows]


def test_page_has_all_numbers(shown):
    browser, found = shown
    rows = cells(browser, "numbers")
    assert [int(row[0]) for row in rows] == found["sizes"]
    for at, name in enumerate(POLICIES):
        assert [int(row[2 + at]) for row in rows] == found["curves"][name]
    assert [[row[0], *map(int, row[2:])] for row in cells(browser, "kernel")] == [
        [point["policy"], point["size"], point["waits"], point["reads"], point["simulated"]]
        for point in found["measured"]]
    assert browser.run("document.getElementById('title').textContent") == f"patterns loop {MIB}"
    assert browser.run("performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize("dark", [False, True])
def test_page_draws(shown, dark):
    browser, found = shown
    browser.dark(dark)
    for section in ("curves", "string"):
        browser.run(f"document.getElementById('{section}').scrollIntoView({{behavior: 'instant', block: 'center'}})")
        browser.settle()
        browser.settle()
        colours = browser.run(f"""(c => {{ const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            const found = new Set(); for (let i = 0; i < d.length; i += 4) if (d[i + 3] === 255)
            found.add('#' + [d[i], d[i + 1], d[i + 2]].map(v => v.toString(16).padStart(2, '0')).join(''));
            return [...found]; }})(document.querySelector('#{section} canvas'))""")
        wanted = [browser.run(f"css(COLOUR['{name}'])") for name in POLICIES if name not in ("lru", "clock")]
        if section == "curves":  # fifo lies on lru and clock
            assert set(wanted) <= set(colours)
            assert len(found["measured"]) == 4
    browser.dark(False)


def test_numbers_by_mouse_and_keyboard(shown):
    """A ring tells its run; an arrow key reads a size; the legend tells the numbers under the pointer."""
    browser, found = shown
    browser.run("document.getElementById('curves').scrollIntoView({behavior: 'instant', block: 'center'})")
    browser.settle()
    browser.settle()
    for n, point in enumerate(found["measured"]):
        x, y = browser.run(f"""(() => {{ const box = vitrine.curves.plot.over.getBoundingClientRect();
            const at = vitrine.curves.place(vitrine.data.measured[{n}], false);
            return [box.x + at.x, box.y + at.read]; }})()""")
        browser.hover(x, y)
        said = browser.run("[...document.getElementById('bubble').children].map(e => e.textContent)")
        assert said[0] == f"the kernel, {point['policy']}"
        assert said[2].replace("\u202f", "").startswith(f"pages read from swap: {point['reads']} (")
    browser.run("document.querySelector('#curves .plot').focus()")
    for key, at in (("End", -1), ("ArrowLeft", -2), ("Home", 0), ("ArrowRight", 1)):
        browser.key(key)
        spoken = browser.run("document.getElementById('spoken').textContent").replace("\u202f", "")
        assert spoken.startswith(f"{found['sizes'][at]} pages (")
        assert f"opt {found['curves']['opt'][at]} (" in spoken
    legend = browser.run("[...document.querySelectorAll('.u-legend .u-value')].map(e => e.textContent)")
    assert legend[1].replace("\u202f", "").startswith(f"{found['curves']['opt'][1]} (")
    browser.run("document.querySelector('#string').scrollIntoView({behavior: 'instant', block: 'center'})")
    browser.settle()
    browser.run("document.querySelector('#string canvas').focus()")
    browser.key("ArrowRight")
    assert "references 1 to" in browser.run("document.getElementById('spoken').textContent")


def test_picture_for_the_documentation(built, browser, tmp_path):  # pylint: disable=unused-argument
    """PICTURES=docs/pictures writes it; without it this looks at whether it could be written."""
    folder, size = os.environ.get("PICTURES"), 26 if os.environ.get("PICTURES") else 4
    command("-o", tmp_path / "page.html", "patterns", "hot", size)
    show(browser, tmp_path / "page.html")
    browser.settle()
    place = browser.run("(b => [b.x, b.y + scrollY, b.width, b.height])"
                        "(document.getElementById('curves').getBoundingClientRect())")
    data = browser.picture(folder and os.path.join(ROOT, folder, "policies.png"), place)
    assert data.startswith(b"\x89PNG") and len(data) > 5000
    assert not browser.errors

"""The chart of `vm bench --chart`: for each metric how far from tuned Linux, goal and floor, as one SVG."""
import math

ROW, LEFT, WIDTH, TOP = 17, 140, 560, 46
LEAST, MOST = 0.01, 2.0  # of tuned Linux's count, on a logarithmic scale; what is less stands at the edge
COLOURS = {"Vitrine": "#1565c0", "goal": "#ef6c00", "floor": "#757575"}


def place(share):
    """Where a share of tuned Linux's count lies, in pixels from the left."""
    share = min(max(share, LEAST), MOST)
    return LEFT + WIDTH * math.log(share / LEAST) / math.log(MOST / LEAST)


def text(x, y, words, colour="#424242", anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def line(x, top, bottom, colour):
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.0f}" y2="{bottom:.0f}" stroke="{colour}" stroke-width="2"/>'


def row(y, name, shares):
    """One metric: a bar for Vitrine, a stroke each for goal and floor."""
    end = place(shares["Vitrine"])
    parts = [text(LEFT - 8, y + 11, name, anchor="end"),
             f'<rect x="{LEFT}" y="{y + 3}" width="{end - LEFT:.1f}" height="9" fill="{COLOURS["Vitrine"]}"/>']
    return parts + [line(place(shares[key]), y, y + 15, COLOURS[key]) for key in ("goal", "floor") if shares.get(key)]


def svg(rows):
    """The chart of [(name, {"Vitrine", "goal", "floor": share of tuned Linux's count})]."""
    bottom = TOP + ROW * len(rows) + 4
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{bottom + 8}" '
             'font-family="sans-serif" font-size="11">', '<rect width="100%" height="100%" fill="#ffffff"/>',
             text(8, 16, "Instructions per operation, as a share of what tuned Linux needs (logarithmic)")]
    parts += [text(LEFT + WIDTH - 150 + 55 * n, 16, key, colour) for n, (key, colour) in enumerate(COLOURS.items())]
    for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2):
        parts += [text(place(share), TOP - 8, f"{share:g}", anchor="middle"),
                  line(place(share), TOP - 4, bottom, "#bdbdbd" if share == 1 else "#eeeeee")]
    for number, (name, shares) in enumerate(rows):
        parts += row(TOP + ROW * number, name, shares)
    return "\n".join([*parts, "</svg>", ""])

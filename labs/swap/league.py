"""The league of the lab swap: a policy plays orders of uses that it cannot know, beside fifo and the optimum.

Each order is drawn from the run's seed, and a word LEAGUE in the grader's environment, for which no machine can be
asked.  The program in the guest (swap_league.c) gets it a little at a time.  What counts is QEMU's count of what was
read from the swap disk: 0 is what fifo would have read in as much memory, 1 is Belady's optimum.
"""
import itertools
import os
import random
import struct

from vitrine import replacement
from vitrine.memory import PAGE

FRAMES = 3100  # about what a program can have on the machine of this test
LEAST = 2900  # a kernel in which it has fewer wastes them
USES, ORDER = 12288, 256  # of pages: in a game; told at a time
NEVER = 0.95  # of the optimum: who reads less has kept pages elsewhere


def loop(dice):
    """All pages in turn, and there are more than memory holds."""
    pages = int(FRAMES * dice.uniform(1.2, 1.5))
    return [n % pages for n in range(USES)]


def favourites(dice, pages=3 * FRAMES, uses=USES):
    """A page is used the more often the higher its rank is (Zipf)."""
    order = dice.sample(range(pages), pages)
    return [order[rank] for rank in dice.choices(range(pages), [(rank + 1) ** -0.9 for rank in range(pages)], k=uses)]


def scan(dice):
    """Some pages are used all the time; between, many others in turn."""
    hot, turn = int(FRAMES * dice.uniform(0.4, 0.6)), itertools.count()
    return [dice.randrange(hot) if dice.random() < 0.5 else hot + next(turn) % (3 * FRAMES) for _ in range(USES)]


def phases(dice):
    """The favourites are others in the second half."""
    return [page for _ in range(2) for page in favourites(dice, uses=USES // 2)]


def two_loops(dice):
    """A short loop and a long one, which take turns."""
    short, long = int(FRAMES * dice.uniform(0.3, 0.5)), int(FRAMES * dice.uniform(1.2, 1.6))
    return [n // 2 % short if n % 2 else short + n // 2 % long for n in range(USES)]


GAMES = (loop, favourites, scan, phases, two_loops)


class Player:
    """The program, as it goes from order to order."""

    def __init__(self, look):
        self.look, self.size, self.number, self.stop = look, 0, 1, look.at(1)

    def order(self, pages, fresh):
        """Let it use these pages."""
        where = self.stop.args[0]
        self.look.write(where, struct.pack(f"<II{len(pages)}H", len(pages), fresh, *pages))
        if not pages:
            return
        self.number += 1
        self.stop = self.look.at(self.number)

    def play(self, uses):
        """How many pages were missing in a game: those that are used first, and those read from swap."""
        before = self.look.disks("swap")["rd_bytes"]
        for at in range(0, len(uses), ORDER):
            self.order(uses[at:at + ORDER], at == 0)
            if at // ORDER % 8 == 7:
                _, start, pages = self.stop.args
                self.size = max(self.size, sum(map(bool, self.stop.entries(start, pages))))
        return len(set(uses)) + (self.look.disks("swap")["rd_bytes"] - before) // PAGE


def league(look):
    """The mean of all games, between fifo and the optimum."""
    player, dice = Player(look), random.Random(f"{os.environ.get('LEAGUE', '')} {look.seed}")
    games = [game(dice) for game in GAMES]
    missing = [player.play(uses) for uses in games]
    player.order([], False)
    look.expect(player.size >= LEAST, f"the program never had more than {player.size} frames, where {LEAST} can be had")
    scores = []
    for game, uses, mine in zip(GAMES, games, missing):
        refs, pages = replacement.dense(uses)
        fifo, opt = (policy(refs, pages, max(player.size, LEAST)) for policy in (replacement.fifo, replacement.opt))
        look.expect(mine >= NEVER * opt, f"{game.__name__}: {mine} pages were missing, where {opt} is the optimum: "
                    "they were kept where no page belongs")
        scores.append(min(1, max(0, (fifo - mine) / (fifo - opt))))
        look.notes.append(f"{game.__name__:<12} missing {mine:>6,}   fifo {fifo:>6,}   optimum {opt:>6,}   "
                          f"score {scores[-1]:.2f}")
    look.value = sum(scores) / len(scores)

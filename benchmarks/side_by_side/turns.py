"""Taking turns: cases that run one after another, round after round, and what their ratios were.

A peer is a process of its own that answers a line of JSON when it has done what the line asks
(`answer`, in the peer; the standard library is all that this module needs, so that an environment
without ours can import it). The parent holds the clock.
"""

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from typing import NamedTuple


class Peer:
    """A process that waits for its turn."""

    def __init__(self, python, script, *arguments, **environment):
        command = [str(part) for part in (python, script, *arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip

    def ask(self, request):
        """Has it begin."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def answered(self):
        """Waits until it is done, and gives what it says.

        Raises:
            RuntimeError: If it has ended instead.
        """
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended without an answer")
        return json.loads(line)

    def close(self):
        """Has it end."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def answer(function):
    """A peer's main loop: the function of each line's fields, as a line."""
    for line in sys.stdin:
        print(json.dumps(function(**json.loads(line))), flush=True)


class Case(NamedTuple):
    """What is timed: peers at once, each with its request; `parts` of it make the whole work."""

    asked: tuple
    parts: float = 1.0

    def run(self):
        """Seconds that the whole work would take, and the peers' answers."""
        begin = time.perf_counter()
        for peer, request in self.asked:
            peer.ask(request)
        answers = [peer.answered() for peer, _ in self.asked]
        return self.parts * (time.perf_counter() - begin), answers


def in_turns(cases, rounds):
    """Seconds by case, one for each round, and first answers; the first run of each is not counted.

    Args:
        cases: By name, each with a method `run`.
        rounds: How many times every case has its turn.
    """
    answers, seconds = {}, {name: [] for name in cases}
    for name, case in cases.items():
        _, answers[name] = case.run()
    for _, (name, case) in itertools.product(range(rounds), cases.items()):
        seconds[name].append(case.run()[0])
    return seconds, answers


def better(*columns):
    """Round by round, the faster of several ways to do the same."""
    return [min(row) for row in zip(*columns, strict=True)]


def over(first, second):
    """Round by round, the first over the second."""
    return [a / b for a, b in zip(first, second, strict=True)]


class Row(NamedTuple):
    """A row of the table: values by round, and what they must reach, if anything."""

    work: str
    against: str
    values: list
    target: float | None = None
    at_most: bool = False
    unit: str = ""

    def text(self):
        """As markdown; a target is met where three quarters of the rounds meet it."""
        low, middle, high = quartiles(self.values)
        told = "|".join(f" {value:.3g}{self.unit} " for value in (low, middle, high))
        if self.target is None:
            return f"| {self.work} | {self.against} |{told}| | |"
        worst = high if self.at_most else low
        met = worst <= self.target if self.at_most else worst >= self.target
        verdict = "met" if met else f"missed by {abs(worst / self.target - 1):.0%}"
        bound = f"{'at most' if self.at_most else 'at least'} {self.target:g}{self.unit}"
        return f"| {self.work} | {self.against} |{told}| {bound} | {verdict} |"


HEAD = (
    "| work | against | lower quartile | median | upper quartile | target | |\n"
    "|---|---|---|---|---|---|---|"
)


def quartiles(values):
    """Lower quartile, median and upper quartile."""
    return statistics.quantiles(values, n=4) if len(values) > 1 else 3 * list(values)

"""The picture: the cores in use over time, by who used them, and the moments at which loans came back.

Run as `python -m tests.lending.proof.plot RECORD PNG` with the packages of the suite soak, which has matplotlib
(packaging/prepare --with soak), on PYTHONPATH; RECORD is what `--record` wrote.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.lending.proof.figures import CORES
from tests.lending.proof.usage import KINDS

PACKAGES: Final = Path(__file__).resolve().parents[3] / ".build/soak/packages"
BIN_S: Final = 1.0
TURNS: Final = 8
SHOWN: Final = (
    ("owner", "Spark, the owner", "#c0504d"),
    ("regular", "regular pods, and the executors", "#4f81bd"),
    ("revocable", "revocable pods, on lent cpus", "#9bbb59"),
)


def draw(record: Path, picture: Path) -> None:
    """In a process of its own, which has matplotlib."""
    environment = {**os.environ, "PYTHONPATH": f"{PACKAGES}:{Path(__file__).resolve().parents[3]}"}
    subprocess.run([sys.executable, "-m", __name__, str(record), str(picture)], env=environment, check=True)


def binned(samples: Sequence[Mapping[str, Any]], begin_s: float, end_s: float) -> tuple[list[float], list[list[float]]]:
    """The middles of bins in seconds from `begin_s`, and for each kind the cores that it used in them."""
    times: list[float] = []
    cores: list[list[float]] = [[] for _ in KINDS]
    last: Mapping[str, Any] | None = None
    for sample in samples:
        if not begin_s <= sample["at_s"] <= end_s:
            continue
        if last is None:
            last = sample
        passed_s = sample["at_s"] - last["at_s"]
        if passed_s >= BIN_S:
            times.append(last["at_s"] + passed_s / 2 - begin_s)
            for number, values in enumerate(cores):
                values.append((sample["used_s"][number] - last["used_s"][number]) / passed_s)
            last = sample
    return times, cores


def main(record: str, picture: str) -> None:
    import matplotlib as mpl  # of its own directory, not the venv

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    run = json.loads(Path(record).read_text())
    turns = run["turns"][:TURNS]
    begin_s, end_s = turns[0]["began_s"], turns[-1]["ended_s"]
    times, cores = binned(run["samples"], begin_s, end_s)
    by_kind = dict(zip(KINDS, cores, strict=True))
    by_kind["regular"] = [one + other for one, other in zip(by_kind["regular"], by_kind["executors"], strict=True)]
    figure, axes = plt.subplots(figsize=(11, 4.2), layout="constrained")
    axes.stackplot(
        times,
        [by_kind[kind] for kind, _, _ in SHOWN],
        labels=[label for _, label, _ in SHOWN],
        colors=[colour for _, _, colour in SHOWN],
        linewidth=0,
    )
    for number, turn in enumerate(each for each in turns if not each["lending"]):
        label = "lending off" if number == 0 else None
        axes.axvspan(
            turn["began_s"] - begin_s, turn["ended_s"] - begin_s, color="#000000", alpha=0.07, lw=0, label=label
        )
    returned = [at for turn in turns for at in turn["freed_s"]]
    for number, at in enumerate(returned):
        label = "loans are back" if number == 0 else None
        axes.axvline(at - begin_s, color="#1a7f37", linewidth=1.1, label=label)
    starts = [at for turn in turns if turn["lending"] for at in turn["process_s"]]
    for number, at in enumerate(starts):
        label = "Spark's executor process begins" if number == 0 else None
        axes.axvline(at - begin_s, color="#7a1f1c", linewidth=1.1, linestyle=":", label=label)
    axes.set(
        xlim=(0, end_s - begin_s),
        ylim=(0, min(CORES, 1.15 * max(map(sum, zip(*cores, strict=True))))),
        xlabel="seconds",
        ylabel="cores in use",
    )
    axes.set_title("Two agents of one core each: Spark in bursts, and what is lent between them", loc="left")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False, fontsize=9)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The vault's promises measured here, beside plain restic in the same run.

    .venv/bin/python bench/vault.py [--quick] [--json] [--only PART ...] [--rounds N] [--keep FOLDER]
    .venv/bin/python bench/vault.py --offsite            the shaped link alone: 100 Mbit/s, 20 ms
    .venv/bin/python bench/vault.py --full               growth, 8 GB database, 10 GB over the link
    .venv/bin/python bench/vault.py --full --only files --files 1000000

Each part adds its figures to one object: a function `(Ground, Chosen) -> Figures` in PARTS. Local
parts drop nothing from the page cache: figures are warm ones. Times are medians over the rounds, and
in each round ours and restic's run one after the other, the first of them in turn. Needs root, FUSE,
overlayfs and the embedded PostgreSQL (`make setup`).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import practice
import recovering
import vault_catalogue
from recovering import RELEVE, Recovery
from vault_ground import Ground, ground

from releve.adapters.restic import tools

Figures = dict[str, float | int | str | None]


class Chosen(argparse.Namespace):
    """The words of the command."""

    quick: bool
    json: bool
    full: bool
    offsite: bool
    rounds: int
    only: list[str]
    files: list[int]
    keep: Path | None
    window_s: float


# backup


def backup(at: Ground, chosen: Chosen) -> Figures:
    """The same restic into a new repository behind the gate, and at a bare append-only server."""
    ours, plain, gate_cpu = [], [], []
    for number in range(chosen.rounds):
        name = f"b{os.getpid()}-{number}"

        def gate(name: str = name) -> None:
            at.through_gate("init", host=name)
            before = at.gate.cpu_s()
            ours.append(at.through_gate("backup", str(at.source), host=name))
            gate_cpu.append(at.gate.cpu_s() - before)

        def bare(name: str = name) -> None:
            at.plain("init", host=name)
            plain.append(at.plain("backup", str(at.source), host=name))

        in_turn(number, gate, bare)
        shutil.rmtree(at.root / "bare" / name)
    own_s = float((at.root / "filled").read_text())
    return {
        "backup_s": middle(ours),
        "restic_backup_s": middle(plain),
        "backup_mb_per_s": round(at.bytes / statistics.median(ours) / 1e6, 1),
        "restic_backup_mb_per_s": round(at.bytes / statistics.median(plain) / 1e6, 1),
        "backup_vs_restic": ratio(plain, ours),
        "backup_gate_cpu_s": middle(gate_cpu),
        # As a host makes it: consistent copies of databases and fingerprints of files besides.
        "host_backup_s": own_s,
        "host_backup_mb_per_s": round(at.bytes / own_s / 1e6, 1),
    }


# restore


def instant(at: Ground, chosen: Chosen) -> Figures:
    """From the order to everything local, people working all the time; `restic restore` beside."""
    at.fill_plain()
    ours: list[Recovery] = []
    plain: list[float] = []
    for number in range(chosen.rounds):

        def recover(number: int = number) -> None:
            target = at.root / f"retour-{number}" / "cabinet"
            ours.append(recovering.recover(at, target, finish=number == 0))
            shutil.rmtree(target.parent)

        in_turn(number, recover, lambda: plain.append(restored(at)))
    found: Figures = dict(recovering.medians(ours))
    found |= {
        "restic_restore_s": middle(plain),
        "all_local_vs_restic": round(
            statistics.median(b / a.seconds["all_local"] for a, b in zip(ours, plain, strict=True)),
            2,
        ),
        "database_first_write_mb": at.size.database_mb,
        "all_local_mb_per_s": round(
            at.bytes / statistics.median(a.seconds["all_local"] for a in ours) / 1e6, 1
        ),
    }
    return found


def restored(at: Ground, host: str = "plain", folder: Path | None = None) -> float:
    """All of it by `restic restore`, with everything on disk at the end, as ours has it."""
    into = at.root / "plain-restored"
    practice.settle()
    begun = time.perf_counter()
    at.plain(
        *("--no-lock", "restore", f"latest:{folder or at.source}", "--target", str(into)), host=host
    )
    os.sync()
    took = time.perf_counter() - begun
    shutil.rmtree(into)
    practice.settle()
    return took


def scrub(at: Ground, _chosen: Chosen) -> Figures:
    """The whole store without a key; beside it restic's own look at every byte, with the key."""
    at.fill_plain()
    practice.settle()
    words = [*RELEVE, "vault", "scrub", "--json", "--data", str(at.gate.data)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    told = json.loads(said.splitlines()[-1])
    held = sum(p.stat().st_size for p in (at.root / "bare/plain").rglob("*") if p.is_file())
    check_s = at.plain("check", "--no-lock", "--read-data")
    return {
        "scrub_mb_per_s": round(told["mb_per_s"], 1),
        "scrub_objects": told["objects"],
        "scrub_bytes": told["bytes"],
        "restic_check_read_data_mb_per_s": round(held / check_s / 1e6, 1),
    }


# off site


def offsite(at: Ground, chosen: Chosen) -> Figures:
    """Over 100 Mbit/s and 20 ms with a cold cache: what is needed first, then as much as comes."""
    with recovering.Link(at.gate.url) as link:
        got = recovering.offsite(at, link, chosen.window_s)
    shutil.rmtree(at.root / "loin")
    rate = got.bytes_home / got.window_s
    is_real = got.window_s >= 899 or (got.bytes_home >= 10e9 and got.window_s <= 900)
    return {
        "offsite_link": "100 Mbit/s, 20 ms round trip, user-space proxy (this kernel has no netem)",
        **{f"offsite_{step}_s": seconds for step, seconds in got.seconds.items()},
        "offsite_rest_mb_home_before_needed_ones": round(got.rest_before_needed / 1e6, 1),
        "offsite_mb_home": round(got.bytes_home / 1e6),
        "offsite_in_s": round(got.window_s, 1),
        "offsite_link_mb_per_s": round(got.link_bytes / got.window_s / 1e6, 2),
        f"offsite_mb_in_15_min{'' if is_real else '_extrapolated'}": round(rate * 900 / 1e6),
    }


# growth, with --full


def growth_of_snapshots(at: Ground, _chosen: Chosen) -> Figures:
    """3, 30, 100 snapshots of 2,000 texts of which five change."""
    source, host, found = at.root / "axe-instantanes", f"snapshots-{os.getpid()}", Figures()
    practice.wide(source, 2_000)
    _both(at, source, host, "init")
    texts = sorted(source.rglob("*.txt"))
    for number in range(1, 101):
        for path in texts[number * 5 : number * 5 + 5]:
            path.write_bytes(path.read_bytes() + b"suite")
        _both(at, source, host, "backup")
        if number in {3, 30, 100}:
            found |= _grown(at, source, host, f"snapshots_{number}")
    shutil.rmtree(source)
    return found


def growth_of_files(at: Ground, chosen: Chosen) -> Figures:
    """20,000, 200,000, 1,000,000 texts of 1 to 3 kB."""
    found = Figures()
    for files in chosen.files:
        source, host = at.root / f"axe-fichiers-{files}", f"files-{files}-{os.getpid()}"
        practice.wide(source, files)
        _both(at, source, host, "init")
        seconds = _both(at, source, host, "backup")
        found |= {f"files_{files}_{name}_s": round(took, 2) for name, took in seconds.items()}
        print(json.dumps(found), file=sys.stderr)
        found |= _grown(at, source, host, f"files_{files}")
        found[f"files_{files}_view_s"] = vault_catalogue.view(at, host)
        shutil.rmtree(source)
    return found


def growth_of_catalogue(at: Ground, chosen: Chosen) -> Figures:
    """The same files judged for the first time, and what a plan over them costs."""
    found = Figures()
    for files in chosen.files:
        source, host = at.root / f"axe-catalogue-{files}", f"judged-{files}-{os.getpid()}"
        practice.wide(source, files)
        at.through_gate("init", host=host)
        at.through_gate("backup", str(source), host=host)
        judged = vault_catalogue.judged(at, source, host)
        found |= {f"catalogue_{files}_{name}": value for name, value in judged.items()}
        shutil.rmtree(source)
        print(json.dumps(found), file=sys.stderr)
    source, host = at.root / "axe-epars", f"spread-{os.getpid()}"
    spread = vault_catalogue.spread(at, source, host)
    shutil.rmtree(source)
    return found | {f"catalogue_spread_{name}": value for name, value in spread.items()}


def _both(at: Ground, source: Path, host: str, verb: str) -> dict[str, float]:
    more = [str(source)] if verb == "backup" else []
    return {
        "backup": at.through_gate(verb, *more, host=host),
        "restic_backup": at.plain(verb, *more, host=host),
    }


def _grown(at: Ground, source: Path, host: str, name: str) -> Figures:
    target = at.root / "retour-axe" / "cabinet"
    got = recovering.recover(at, target, host=host, folder=source)
    shutil.rmtree(target.parent)
    plain = restored(at, host, source)
    found: Figures = {
        f"{name}_first_file_s": got.seconds["first_file"],
        f"{name}_all_local_s": got.seconds["all_local"],
        f"{name}_restic_restore_s": round(plain, 2),
    }
    print(json.dumps(found), file=sys.stderr)
    return found


def database_of_8_gb(at: Ground, _chosen: Chosen) -> Figures:
    """The first write into a database of 8 GB, which brings it home whole."""
    source, host = at.root / "grande-base", f"base-{os.getpid()}"
    source.mkdir()
    practice.sqlite(source / practice.DATABASE, 8_000)
    at.through_gate("init", host=host)
    took = at.through_gate("backup", str(source), host=host)
    target = at.root / "retour-base" / "cabinet"
    size = (source / practice.DATABASE).stat().st_size
    got = recovering.recover(at, target, host=host, folder=source)
    shutil.rmtree(source)
    shutil.rmtree(target.parent)
    return {
        "database_8_gb_bytes": size,
        "database_8_gb_backup_s": round(took, 1),
        "database_8_gb_query_s": got.query_s,
        "database_8_gb_first_write_s": got.write_s,
    }


def middle(values: list[float]) -> float:
    return round(statistics.median(values), 2)


def ratio(plain: list[float], ours: list[float]) -> float:
    """How fast ours is, restic being 1: the median of the rounds' own ratios."""
    return round(statistics.median(p / o for p, o in zip(plain, ours, strict=True)), 2)


def in_turn(number: int, first: Callable[[], object], second: Callable[[], object]) -> None:
    for work in (first, second) if number % 2 else (second, first):
        practice.settle()
        work()


# A part adds its row here.
Part = Callable[[Ground, Chosen], Figures]
PARTS: dict[str, Part] = {"backup": backup, "instant": instant, "scrub": scrub, "offsite": offsite}
FULL: dict[str, Part] = {
    "database": database_of_8_gb,
    "snapshots": growth_of_snapshots,
    "files": growth_of_files,
    "catalogue": growth_of_catalogue,
}


def arguments() -> Chosen:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small practice, under a minute")
    parser.add_argument("--json", action="store_true", help="one object of named figures")
    parser.add_argument("--full", action="store_true", help="growth, 8 GB database, 10 GB off site")
    parser.add_argument("--offsite", action="store_true", help="the shaped link alone")
    parser.add_argument("--rounds", type=int, default=0, help="of backup and instant [3, quick 1]")
    parser.add_argument("--only", nargs="*", choices=[*PARTS, *FULL], help="parts [all]")
    sizes = [20_000, 200_000, 1_000_000]
    parser.add_argument("--files", nargs="*", type=int, default=sizes, help="sizes of that growth")
    parser.add_argument("--keep", type=Path, help="work here, and leave it for the next run")
    parser.add_argument("--window-s", type=float, default=0, help="of the link [60; 15; full 900]")
    chosen = parser.parse_args(namespace=Chosen())
    usual = [*PARTS, *(FULL if chosen.full else ())]
    chosen.only = chosen.only or (["offsite"] if chosen.offsite else usual)
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 3)
    windows = (900.0 if chosen.full else 60.0, 8.0)
    chosen.window_s = chosen.window_s or windows[chosen.quick]
    return chosen


def measure(chosen: Chosen, root: Path) -> Figures:
    is_small = chosen.quick or not set(chosen.only) & set(PARTS)  # growth makes its own
    size = practice.QUICK if is_small else practice.WHOLE
    if chosen.full and "offsite" in chosen.only:
        size = practice.TEN_GB
    found: Figures = {"load_before": round(os.getloadavg()[0], 1)}
    with ground(root, size) as at:
        found |= {"corpus_bytes": at.bytes, "corpus_files": at.files, "rounds": chosen.rounds}
        for name in chosen.only:
            part = (PARTS | FULL)[name](at, chosen)
            part[f"load_after_{name}"] = round(os.getloadavg()[0], 1)
            print(json.dumps(part), file=sys.stderr)  # a long run that ends early told this much
            found |= part
    return found | {"cpus": os.cpu_count() or 0, "restic": tools.find(tools.RESTIC).version}


def main() -> None:
    chosen = arguments()
    if os.geteuid():
        raise SystemExit("bench/vault.py: FUSE and overlayfs need root.")
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
        found = measure(chosen, chosen.keep.absolute())
    else:
        with tempfile.TemporaryDirectory(prefix="releve-bench-vault-") as scratch:
            found = measure(chosen, Path(scratch))
    if chosen.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:44} {value}")


if __name__ == "__main__":
    main()

"""Realistic simulations to report on: one with a loss and holes, one that held, one of nothing."""

import msgspec

from releve.model.lines import Folder, Point, Ready, RolledBack, Stopped
from releve.model.proof import (
    AttackResult,
    CareResult,
    Environment,
    HonestResult,
    Simulation,
    WindowResult,
)

SHARE = "/srv/partage_sante/patients/MARTIN Lucie"
FILES = (
    f"{SHARE}/DUPONT_Jean_CR.docx",
    f"{SHARE}/ordonnance Bernard 2026.pdf",
    f"{SHARE}/IRM_genou_LEFEBVRE.dcm",
)
# (name, kind, files touched, first write to stop, rollback): orders of magnitude really seen.
PROFILES = (
    ("gpg-rm", "encryptor", 3, 38.0, 4.1),
    ("openssl-rm", "encryptor", 3, 51.2, 3.8),
    ("openssl-mv", "encryptor", 3, 29.0, 3.9),
    ("7z-sdel", "encryptor", 10, 229.0, 11.0),
    ("zip-move", "encryptor", 12, 51.0, 12.4),
    ("ccrypt", "encryptor", 3, 21.0, 3.1),
    ("age-rm", "encryptor", 2, 44.0, 2.9),
    ("in-place-fast", "encryptor", 14, 1.2, 9.0),
    ("rename-over", "evasion", 3, 10.0, 3.3),
    ("intermittent", "evasion", 3, 10.4, 3.0),
    ("base64", "evasion", 5, 22.0, 5.2),
    ("mmap", "evasion", 3, 33.0, 2.7),
    ("fork-per-file", "evasion", 3, 31.0, 3.6),
    ("slow", "evasion", 3, 2033.0, 3.2),
    ("wipe-random", "wiper", 3, 15.0, 3.0),
    ("wipe-unlink", "wiper", 1532, 35.0, 812.0),
    ("decoy-storm", "breaking", 199, 31.0, 88.0),
    ("racer", "breaking", 18, 12.0, 14.0),
    ("hardlink-alias", "breaking", 3, 8.0, 3.3),
)


def points(count: int = 4) -> tuple[Point, ...]:
    return tuple(
        Point(
            why="« DUPONT_Jean_CR.docx » : type zip devenu inconnu"
            if turn % 2 == 0
            else "contenu devenu uniforme dans /srv/partage_sante/patients, rien ne se décompresse",
            why_en="type zip became unknown, windows became uniform"
            if turn % 2 == 0
            else "content became uniform, nothing inflates",
            score=3.0 if turn % 2 == 0 else 1.5,
            path=FILES[turn % 3],
        )
        for turn in range(count)
    )


def lines(touched: int, stop_ms: float, back_ms: float, lost: int = 0) -> tuple[object, ...]:
    family = "f-12"
    return (
        Ready(
            folders=(
                Folder(
                    path="/srv/partage_sante",
                    mode="reflink",
                    attribution="exact",
                    room_bytes=10**10,
                ),
            ),
            enforce=True,
            pid=4242,
            store="/srv/.releve",
        ),
        Stopped(
            family=family,
            points=points(),
            first_write_to_stop_ms=stop_ms,
            action="killed",
            files_touched=touched,
            at="2026-11-22T00:41:07.120+00:00",
            program="/usr/bin/gpg",
            user="secretariat",
        ),
        RolledBack(
            family=family,
            restored=touched - lost,
            lost=FILES[:lost],
            newest_save_lost=(),
            quarantined=(f"{FILES[0]}.gpg",),
            kept_both=(FILES[1],),
            rollback_ms=back_ms,
            at="2026-11-22T00:41:07.160+00:00",
        ),
    )


def attack(name: str, kind: str, touched: int, stop: float, back: float, fs: str) -> AttackResult:
    return AttackResult(
        name=name,
        fs=fs,
        kind=kind,
        files_touched=touched,
        files_lost=0,
        newest_save_lost=0,
        first_write_to_stop_ms=stop,
        rollback_ms=back,
        lines=lines(touched, stop, back),
        started_at="2026-11-22T00:41:00+00:00",
    )


def environment(**changed: object) -> Environment:
    facts: dict[str, object] = {
        "at": "2026-11-22T00:52:10+00:00",
        "host": "srv-cabinet",
        "kernel": "6.18.44",
        "cpus": 2,
        "memory_bytes": 8_200_000_000,
        "load": 0.84,
        "root": True,
        "file_systems": ("ext4", "btrfs"),
        "mode": "exact",
        "files": 2000,
        "bytes": 88_600_000,
        "versions": {"releve": "0.1.0", "gpg": "2.2.40", "7z": "16.02"},
        "not_shown": (
            "Les clients Windows et macOS ne sont pas montrés : cette machine n’en a pas.",
            "xfs n’est pas montré : mkfs.xfs manque sur cette machine.",
        ),
    }
    return Environment(**{**facts, **changed})


HONEST = (
    HonestResult(name="untar", fs="ext4", stopped=False, slowdown=1.3),
    HonestResult(name="git-clone", fs="ext4", stopped=False, slowdown=1.42, points=0.4),
    HonestResult(name="grep", fs="ext4", stopped=False, slowdown=1.02),
    HonestResult(name="docx-save", fs="ext4", stopped=False, slowdown=1.09, points=1.5),
    HonestResult(name="dd", fs="ext4", stopped=False, slowdown=None),
    HonestResult(
        name="gpg-rm",
        fs="ext4",
        stopped=True,
        slowdown=None,
        wanted_stop=True,
        points=10.5,
    ),
    HonestResult(name="mailbox", fs="ext4", stopped=False, slowdown=None, held_out=True),
    HonestResult(
        name="pdf-stamp", fs="ext4", stopped=False, slowdown=1.04, held_out=True, points=0.5
    ),
)


def held() -> Simulation:
    """Every promise that it measured is held."""
    return Simulation(
        attacks=tuple(attack(*profile, fs=fs) for fs in ("ext4", "btrfs") for profile in PROFILES),
        honest=HONEST,
        environment=environment(),
        windows=(
            WindowResult(fs="btrfs", saves=4700, p50_ms=0.4, p99_ms=1.0, worst_ms=8.2),
            WindowResult(fs="ext4", saves=4700, p50_ms=0.2, p99_ms=0.6, worst_ms=12.0),
        ),
        care=(
            CareResult(
                name="backup",
                ok=True,
                ms=2310.0,
                detail="Première sauvegarde hors de portée faite.",
            ),
            CareResult(
                name="restore", ok=True, ms=1840.0, detail="Un fichier repris, empreinte égale"
            ),
            CareResult(
                name="incident_visible",
                ok=True,
                ms=412.0,
                detail="L’incident était visible à l’écran.",
            ),
        ),
        command="releve simulate --quick",
        seconds=104.0,
    )


def lossy() -> Simulation:
    """Twenty attacks on ext4, of which one lost files, one could not run, one was never stopped."""
    ran = [attack(*profile, fs="ext4") for profile in PROFILES]
    unlinked = AttackResult(
        name="wipe-truncate",
        fs="ext4",
        kind="wiper",
        files_touched=1999,
        files_lost=2,
        newest_save_lost=3,
        first_write_to_stop_ms=None,
        rollback_ms=2410.0,
        stopped=False,
        wrong=(f"{FILES[0]}: perdu", f"{FILES[2]}: mode 0600 au lieu de 0644"),
        lines=lines(1999, 0.0, 2410.0, lost=2),
    )
    absent = AttackResult(
        name="smb-client",
        fs="ext4",
        kind="smb",
        files_touched=0,
        files_lost=0,
        newest_save_lost=0,
        first_write_to_stop_ms=None,
        rollback_ms=None,
        skipped="Samba n’est pas installé sur cette machine",
    )
    wrongly = HonestResult(
        name="dicom-deflate",
        fs="ext4",
        stopped=True,
        slowdown=None,
        points=11.0,
        why=("« IRM_genou_LEFEBVRE.dcm » : contenu devenu uniforme",),
    )
    return Simulation(
        attacks=(*ran, unlinked, absent),
        honest=(*HONEST, wrongly),
        environment=environment(file_systems=("ext4",)),
        windows=(WindowResult(fs="ext4", saves=4700, p50_ms=0.2, p99_ms=2400.0, worst_ms=3100.0),),
        command="releve simulate --full",
        seconds=612.0,
    )


def dreadful() -> Simulation:
    """Every attack lost something, nobody was stopped: the report must still say so on one page."""
    bad = lossy()
    (lost,) = [attack for attack in bad.attacks if attack.files_lost]
    wrong = (*lost.wrong, "a: propriétaire (0, 0) au lieu de (1, 1)", "b: de trop")
    return msgspec.structs.replace(
        bad,
        attacks=tuple(
            msgspec.structs.replace(lost, name=profile[0], kind=profile[1], wrong=wrong)
            for profile in PROFILES
        ),
    )


def empty() -> Simulation:
    """Nothing could be measured."""
    return Simulation(
        attacks=(),
        honest=(),
        environment=environment(root=False, mode="portable", file_systems=(), files=0, bytes=0),
    )

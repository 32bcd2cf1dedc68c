"""Honest work of a practice and its administrator: none of it may be stopped."""

from releve.apps.simulate.honest import held_out, second, tuned
from releve.apps.simulate.profile import Workload

# Held-out first: a wanted stop (bulk gpg with deletion) comes last, so that it lowers no threshold for others.
WORKLOADS: tuple[Workload, ...] = (
    *second.SECOND,
    *held_out.WORKLOADS,
    *tuned.WORKLOADS,
)

# What `--quick` shows on each file system.
QUICK: dict[str, tuple[str, ...]] = {
    "ext4": ("migrate-rtf", "mailbox", "untar", "gzip", "docx-save"),
    "btrfs": ("pdf-stamp", "rename-scans", "unzip-over", "dicom-deflate", "sed"),
}
PORTABLE_QUICK: tuple[str, ...] = ("migrate-rtf", "mailbox", "gzip", "docx-save", "pdf-stamp")


def by_name(name: str) -> Workload | None:
    """The workload of that name."""
    return next((row for row in WORKLOADS if row.name == name), None)

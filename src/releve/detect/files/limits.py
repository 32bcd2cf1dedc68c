"""Every number of the judgement of snapshots, each with its reason."""

import msgspec


class FileLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Points are those of detect/ransom: three say that one file was destroyed."""

    # --- one file
    destroyed: float = 2.0  # points from which a file counts as destroyed: an emptied or an
    # overwritten one has 2, a document saved with a password 1.5, a shortened text 1
    added_opaque: float = 3.0  # a document's name on bytes that nobody can read: one file lost
    incomplete: float = 1.0  # a new file that begins well: a copy under way when the backup read it
    pair: float = 3.0  # a readable file went and an unreadable one stands for it
    pair_footer: int = 4096  # encryptors append keys and marks of up to some kilobytes
    scan_bytes: int = 64 << 20  # rules look at so much of a file: 26 to 87 MB/s were measured

    # --- what the guard plants in each folder (adapters/store/canaries.py; a test holds them equal)
    witnesses: tuple[str, ...] = (".000-sommaire.docx", ".~zz-sommaire.txt")

    # --- one data set between two snapshots
    suspect_points: float = 2.0  # one destroyed file is never called clean: encryptors may be slow
    bad_points: float = 10.0  # the guard's own measure for a conviction: three files and a bit
    weak_files: int = 8  # weak signs (passwords, shortened texts) count from so many files on ...
    weak_share: float = 0.2  # ... if they are so much of what changed: people do one or two a day
    removed_files: int = 20  # fewer deletions are daily tidying
    removed_suspect: float = 0.25  # the guard freezes whoever deletes a quarter
    removed_bad: float = 0.5  # nobody tidies half of a data set away in an hour
    new_extension_files: int = 10  # an ending never seen here, on so many unreadable files
    opaque_files: int = 10  # new unreadable files without a known sealed type: exports are few
    opaque_share: float = 0.5  # ... and most of what was added
    unread_share: float = 0.5  # of many changed files: as many that nothing recognises
    changed_files: int = 20
    changed_share: float = 0.3  # a third of a set rewritten at once is read with care
    note_folders: int = 3  # one small new text, the same in so many folders, beside a loss
    note_bytes: int = 64 << 10  # ransom notes are 1 to 20 kB; pictures of them are not judged
    shown_paths: int = 20  # paths named in a reason: a person reads no more

    # --- databases
    rows_least: int = 50  # smaller tables come and go
    rows_lost: float = 0.3  # share of a table's rows gone in one snapshot: no practice deletes so


LIMITS = FileLimits()

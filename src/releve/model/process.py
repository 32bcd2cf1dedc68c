"""Processes and families: who wrote, as far as the kernel or the evidence tells."""


class Process:
    """One process, known beyond its exit.

    The one record in the model that changes: only the Processes adapter does so (a program is
    executed, a child is born, it ends). `start_ns` is the boot-time clock at its start; pid and
    start together name it for ever. `is_boundary`: never touched, and scores stop below it.
    """

    __slots__ = (
        "children",
        "ended",
        "exe",
        "exe_file",
        "former",
        "is_boundary",
        "known",
        "parent",
        "pid",
        "program",
        "start_ns",
        "uid",
    )

    def __init__(
        self,
        pid: int,
        start_ns: int,
        parent: "Process | None" = None,
        *,
        uid: int = -1,
        exe: str = "",
        exe_file: tuple[int, int, int] | None = None,
        program: str = "",
        is_boundary: bool = False,
        known: bool = True,
    ) -> None:
        self.pid, self.start_ns, self.parent = pid, start_ns, parent
        self.uid, self.exe, self.program = uid, exe, program
        self.is_boundary, self.known = is_boundary, known
        self.exe_file = exe_file  # which file `exe` was when it was run: device, inode, ctime
        self.children: list[Process] = []
        self.former: list[str] = []  # ids of descendants that are forgotten but were its family
        self.ended = 0.0  # steady seconds, 0 while it lives

    @property
    def id(self) -> str:
        """Stable on this host for as long as it is up."""
        return f"{self.pid}-{self.start_ns // 10_000_000}"

    def chain(self) -> "list[Process]":
        """Itself and its ancestors up to, and without, the first that must never be touched."""
        found: list[Process] = []
        at: Process | None = self
        while at is not None and not at.is_boundary and len(found) < 64:
            found.append(at)
            at = at.parent
        return found

    def ancestors(self) -> "list[Process]":
        """Itself and all its ancestors, those that must never be touched too."""
        found: list[Process] = []
        at: Process | None = self
        while at is not None and len(found) < 64:
            found.append(at)
            at = at.parent
        return found

    def tree(self) -> "list[Process]":
        """Itself and all descendants, ended ones included, never-touch ones left out."""
        found, todo = [], [self]
        while todo:
            at = todo.pop()
            if at.is_boundary and at is not self:
                continue
            found.append(at)
            todo.extend(at.children)
        return found

    def __repr__(self) -> str:
        return f"<{self.id} {self.program or '?'}>"

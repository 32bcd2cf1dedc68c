"""What /proc says of a process, each question one small read that never raises."""

import fcntl
import os
from typing import Final

TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_NS_GET_PARENT: Final = 0xB702
_DEAD: Final = frozenset("ZXx")
_STILL: Final = frozenset("TtZXx")


def stat(pid: int) -> tuple[str, int, int, str] | None:
    """(state, parent, start in ns since boot, command); None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            line = file.read()
    except OSError:
        return None
    left, right = line.find(b"("), line.rfind(b")")
    rest = line[right + 2 :].split()
    if len(rest) < 20:
        return None
    return (
        rest[0].decode(),
        int(rest[1]),
        int(rest[19]) * TICK_NS,
        line[left + 1 : right].decode(errors="replace"),
    )


def is_foreground(pid: int) -> bool:
    """Somebody works with it at a terminal: its shell would take it for stopped by them (proc_pid_stat(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return len(fields) > 5 and fields[4] != b"0" and fields[5] == fields[2]


def is_alive(pid: int) -> bool:
    """Zombies are dead: they write no more, and waiting for them never ends.

    Unless only the first thread ended (pthread_exit in main): the others go on under its number.
    """
    found = stat(pid)
    return found is not None and (found[0] not in _DEAD or bool(_living_threads(pid)))


def _living_threads(pid: int) -> list[str]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    if len(threads) < 2:
        return []
    return [thread for thread in threads if _thread_state(pid, thread) not in _DEAD]


def is_still(pid: int) -> bool:
    """Every thread was seen stopped, or the process is dead."""
    found = stat(pid)
    if found is None:
        return True
    if found[0] not in _STILL:
        return False
    return all(_thread_state(pid, thread) in _STILL for thread in _living_threads(pid))


def _thread_state(pid: int, thread: str) -> str:
    try:
        with open(f"/proc/{pid}/task/{thread}/stat", "rb", buffering=0) as file:
            line = file.read()
    except OSError:
        return "X"
    return line[line.rfind(b")") + 2 : line.rfind(b")") + 3].decode()


def user(pid: int) -> int:
    """Effective user id, -1 when it is gone."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def exe(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def exe_file(pid: int) -> tuple[int, int, int] | None:
    """Device, inode and ctime of the very file that it runs, whatever stands under its path now."""
    try:
        st = os.stat(f"/proc/{pid}/exe")
    except OSError:
        return None
    return st.st_dev, st.st_ino, st.st_ctime_ns


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def pid_namespace(pid: int, *, for_children: bool = False) -> int:
    """Inode number of its PID namespace, 0 when it is gone."""
    try:
        return os.stat(f"/proc/{pid}/ns/pid" + ("_for_children" if for_children else "")).st_ino
    except OSError:
        return 0


def is_inside(pid: int, namespace: int) -> bool:
    """Its PID namespace is `namespace` or lies below it."""
    try:
        fd = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        while os.fstat(fd).st_ino != namespace:
            try:
                parent = fcntl.ioctl(fd, _NS_GET_PARENT)
            except OSError:
                return False  # the parent lies outside what we may see: not inside
            os.close(fd)
            fd = parent
        return True
    finally:
        os.close(fd)


def is_init(pid: int, namespace: int) -> bool:
    """It is pid 1 of exactly this PID namespace, which keeps all inside alive."""
    try:
        if os.stat(f"/proc/{pid}/ns/pid").st_ino != namespace:
            return False
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            numbers = next((line.split() for line in status if line.startswith("NSpid:")), [])
    except OSError:
        return False
    return numbers[-1:] == ["1"]

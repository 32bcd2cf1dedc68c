"""What the box refuses, writes and hides; no Samba runs here."""

import grp
import os
import socket
import stat
from pathlib import Path, PurePath

import msgspec
import pytest

from releve.adapters.durable import write
from releve.adapters.linux.samba_names import AuditLog
from releve.adapters.linux.samba_proc import look, sockets
from releve.apps.box import cli as _loaded  # noqa: F401
from releve.apps.box.errors import (
    BoxFileError,
    FolderAccessError,
    ShareNameError,
    UnsuitableFolderError,
)
from releve.apps.box.folders import check_folder, check_name, group_of
from releve.apps.box.home import Home, protected, read
from releve.apps.box.host import host_isolation
from releve.apps.box.smbconf import NOBODY, BoxConfig, Share, render
from releve.apps.box.unit import resume_unit, unit
from releve.apps.cli.main import run
from releve.flow.clients import NeverBlockedError, refuse_protected, unmapped
from releve.flow.isolation import CareRoleError, IsolationRequest


@pytest.mark.parametrize("name", ["cabinet", "Dossier médical", "a", "IRM_2-b"])
def test_ordinary_names_are_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "global", "IPC$", "a\nb", "[x]", "a/b", "é" * 31, " a", "%u"])
def test_names_that_mean_something_else_are_refused(name: str) -> None:
    with pytest.raises(ShareNameError):
        check_name(name)


@pytest.mark.parametrize(
    "path", ["/", "/etc", "/usr/share", "/home", "/proc", "/var/log", "/nowhere"]
)
def test_folders_of_the_system_are_refused(path: str) -> None:
    with pytest.raises(UnsuitableFolderError):
        check_folder(Path(path), Path("/var/lib/releve/box"), ())


def test_a_link_to_the_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "innocent").symlink_to("/etc")
    with pytest.raises(UnsuitableFolderError, match="system"):
        check_folder(tmp_path / "innocent", tmp_path / "home", ())


def test_a_name_that_samba_would_substitute_is_refused(tmp_path: Path) -> None:
    (tmp_path / "%u").mkdir()
    with pytest.raises(UnsuitableFolderError, match="character"):
        check_folder(tmp_path / "%u", tmp_path / "home", ())


def test_shares_do_not_overlap_each_other_or_the_home(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    other = Share(name="autre", path=str(tmp_path / "a"), group="users")
    with pytest.raises(UnsuitableFolderError, match="autre"):
        check_folder(inside, Path("/elsewhere"), (other,))
    with pytest.raises(UnsuitableFolderError, match="own state"):
        check_folder(tmp_path / "a", inside, ())


def test_a_folder_behind_a_closed_door_is_refused(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    (shut / "cabinet").mkdir(parents=True)
    shut.chmod(0o700)
    with pytest.raises(UnsuitableFolderError, match="pass through"):
        check_folder(shut / "cabinet", tmp_path / "home", ())


def test_a_group_that_cannot_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(FolderAccessError):
        group_of(tmp_path)


@pytest.mark.root
def test_a_group_that_can_write_is_taken(tmp_path: Path) -> None:
    group = next(entry for entry in grp.getgrall() if entry.gr_gid != 0)
    os.chown(tmp_path, -1, group.gr_gid)
    tmp_path.chmod(0o2770)
    assert group_of(tmp_path) == group.gr_name


def test_the_configuration_is_hard() -> None:
    share = Share(name="cabinet", path="/srv/cabinet", group="releve-share")
    text = render(
        BoxConfig(shares=(share,), interfaces=("lo", "10.0.0.0/24")), Path("/h"), ("ana",)
    )

    for line in (
        "server min protocol = SMB2_10",
        "server signing = mandatory",
        "server smb encrypt = desired",
        "map to guest = never",
        "restrict anonymous = 2",
        "disable netbios = yes",
        "load printers = no",
        "follow symlinks = no",
        "wide links = no",
        "bind interfaces only = yes",
        "full_audit:prefix = %I|%u|%m|%S|%d",
        "valid users = ana",
        "passdb backend = tdbsam:/h/private/passdb.tdb",
    ):
        assert f"    {line}\n" in text
    assert "guest ok = yes" not in text


def test_a_share_whose_people_are_all_gone_is_nobodys() -> None:
    share = Share(name="cabinet", path="/srv/cabinet", group="g", users=("ana",))
    assert f"valid users = {NOBODY}\n" in render(
        BoxConfig(shares=(share,)), PurePath("/h"), ("bea",)
    )


def test_a_share_without_people_lets_nobody_in() -> None:
    share = Share(name="cabinet", path="/srv/cabinet", group="releve-share")
    assert f"valid users = {NOBODY}\n" in render(BoxConfig(shares=(share,)), PurePath("/h"), ())


@pytest.mark.root
def test_the_guards_list_follows_the_shares(tmp_path: Path) -> None:
    home = Home(tmp_path / "box")
    home.make()
    shares = tuple(Share(name=n, path=f"/srv/{n}", group="g") for n in ("a", "b"))
    home.save(BoxConfig(shares=shares), "conf")
    assert [p.path for p in protected(home.path)] == ["/srv/a", "/srv/b"]

    home.save(BoxConfig(shares=shares[:1]), "conf")

    assert [p.path for p in protected(home.path)] == ["/srv/a"]
    assert home.config().shares == shares[:1]
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.smb_conf.stat().st_mode) == 0o600


def test_a_damaged_file_is_named_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "box.json"
    write(path, b'{"shares": 3}')
    with pytest.raises(BoxFileError, match=r"box\.json"):
        read(path, BoxConfig)


def test_the_unit_starts_this_installation() -> None:
    assert "share serve --home /var/lib/releve/box" in unit(Path("/var/lib/releve/box"))
    assert "isolate --resume --home /h\n" in resume_unit(Path("/h"))


HEAD = "[2026/11/22 00:37:44.020896,  1, pid=12033] ../../source3/modules/full_audit.c:6(do_log)\n"


def test_the_log_names_who_connected_and_is_read_on_from_there(tmp_path: Path) -> None:
    path = tmp_path / "smbd.log"
    path.write_text(HEAD + "  10.0.0.7|accueil|pc-1|IPC_|12033|connect|ok|IPC$\n" + HEAD[:20])
    log = AuditLog(path)
    assert [(n.pid, n.address, n.user, n.machine) for n in log.news()] == [
        (12033, "10.0.0.7", "accueil", "pc-1")
    ]
    assert list(log.news()) == []
    with path.open("a") as file:
        file.write(HEAD[20:] + "  fd00::7|dr-martin|mac|cabinet|12040|connect|ok|cabinet\n")
    assert [n.user for n in log.news()] == ["dr-martin"]


def test_a_rotated_log_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "smbd.log"
    path.write_text("  10.0.0.7|a|m|s|1|connect|ok|s\n" * 3)
    log = AuditLog(path)
    assert len(list(log.news())) == 3
    path.rename(tmp_path / "smbd.log.old")
    path.write_text("  10.0.0.8|b|m|s|2|connect|ok|s\n")
    assert [n.user for n in log.news()] == ["b"]


def test_other_lines_name_nobody(tmp_path: Path) -> None:
    path = tmp_path / "smbd.log"
    path.write_text(
        "  10.0.0.7|accueil|m|cabinet|7|renameat|ok|a|10.0.0.9|x|m|s|1|connect|ok|\n"
        "  10.0.0.7|accueil|m|cabinet|7|connect|fail (Permission denied)|cabinet\n"
        "10.0.0.7|accueil|m|cabinet|7|connect|ok|no indent\n"
    )
    assert list(AuditLog(path).news()) == []
    assert list(AuditLog(tmp_path / "missing").news()) == []


def test_an_address_in_other_clothes_is_the_same_address() -> None:
    assert str(unmapped("::ffff:10.0.0.7")) == "10.0.0.7"
    assert str(unmapped("fe80::1%eth0")) == "fe80::1"
    with pytest.raises(NeverBlockedError, match="gateway"):
        refuse_protected("::ffff:10.0.0.1", [(unmapped("10.0.0.1"), "it is a gateway")])


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    seen = look(os.getpid())
    assert seen is not None
    assert (seen.pid, seen.parent, seen.dead) == (os.getpid(), os.getppid(), False)
    assert look(2**22 + 1) is None


def test_a_file_server_is_not_cut_without_a_person_who_answers_for_it(tmp_path: Path) -> None:
    share = Share(name="cabinet", path="/srv/cabinet", group="g")
    write(tmp_path / "box.json", msgspec.json.encode(BoxConfig(shares=(share,))))
    with pytest.raises(CareRoleError, match="cabinet"):
        host_isolation(tmp_path).isolate(IsolationRequest(servers=(), seconds=60))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_peer_of_a_socket_is_read_from_the_kernel(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect((address, port))
        accepted, _ = server.accept()
        with accepted:
            held = sockets(os.getpid())
        assert port in held.listens
        assert (port, address) in held.peers


@pytest.mark.root
@pytest.mark.parametrize("words", [("user", "list"), ("list",), ("status",)])
def test_other_users_are_told_that_it_needs_root(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "box").mkdir(mode=0o700)
    child = os.fork()  # the interpreter itself may be closed to them, so it is not started anew
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        os._exit(run(["share", *words, "--home", str(tmp_path / "box")]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 65

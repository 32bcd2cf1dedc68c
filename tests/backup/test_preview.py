"""What a version looks like before it is brought back: drawn apart, and never what may be harmful."""

import io
import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from releve.adapters.pdf import pdf
from releve.adapters.preview import drawing, sketch
from releve.adapters.preview.confined import confined
from releve.adapters.preview.drawing import Why, draw
from tests.backup.test_scan import docx
from tests.backup.test_wizard import RELEVE, Served, Visitor

pytestmark = [pytest.mark.root, pytest.mark.need("root")]
PYTHON = (sys.executable, "-I", "-c")
DROPPED = f"import sys; sys.path.insert(0, {str(Path(sketch.__file__).parent)!r}); import sketch; sketch.drop()"


def word(path: Path, body: str, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("word/document.xml", body)
        for name, content in more.items():
            whole.writestr(name.replace("__", "/"), content)
    return path


def tiff(path: Path) -> Path:
    Image.new("RGB", (2000, 3000), "teal").save(path)
    return path


def test_texts_words_pictures_and_pdfs_are_drawn(tmp_path) -> None:
    letter = tmp_path / "a.txt"
    letter.write_bytes("Élise\r\n\x1b[31mvue à l’hôpital".encode())
    assert draw(str(letter), "a.txt").text == "Élise\n[31mvue à l’hôpital"
    letter.write_bytes("Élise".encode("cp1252"))
    assert draw(str(letter), "a.txt").text == "Élise"
    docx(tmp_path / "b.docx", "Cher confrère")
    assert "Cher confrère" in draw(str(tmp_path / "b.docx"), "b.docx").text
    for name in ("c.png", "c.jpg", "c.tiff"):
        png = draw(str(tiff(tmp_path / name)), name).png
        assert max(Image.open(io.BytesIO(png)).size) == 900
    (tmp_path / "d.pdf").write_bytes(pdf("<html lang=fr><h1>Ordonnance</h1>"))
    assert Image.open(io.BytesIO(draw(str(tmp_path / "d.pdf"), "d.pdf").png)).size[1] == 1000


def test_what_is_harmful_broken_large_or_of_another_kind_is_only_told(
    tmp_path, monkeypatch
) -> None:
    macro = word(tmp_path / "m.docx", "<w:p>x</w:p>", word__vbaProject__bin=b"macro")
    macro.rename(tmp_path / "n.docx")
    with zipfile.ZipFile(tmp_path / "n.docx", "a") as whole:
        whole.writestr("word/vbaProject.bin", b"macro")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 \xff\xff")
    (tmp_path / "no.png").write_bytes(os.urandom(900))
    (tmp_path / "binary.txt").write_bytes(b"a\0b")
    (tmp_path / "x.exe").write_bytes(b"MZ")
    for name in ("n.docx", "broken.pdf", "no.png", "binary.txt"):
        assert draw(str(tmp_path / name), name).why is Why.FAILED, name
    for name in ("x.exe", "x.docm", "x.xlsm", "x.js", "x.html", "x.svg", "x"):
        assert draw(str(tmp_path / "x.exe"), name).why is Why.KIND, name
    monkeypatch.setattr(drawing, "MOST_BYTES", 1)
    assert draw(str(tmp_path / "x.exe"), "x.txt").why is Why.LARGE


def test_bombs_end_at_their_limit(tmp_path) -> None:
    entities = (
        "<!DOCTYPE z ["
        + "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))
        + "]><w:p>&a12;</w:p>"
    )
    assert len(draw(str(word(tmp_path / "e.docx", entities)), "e.docx").text) < 5_000
    huge = word(tmp_path / "h.docx", "<w:p>" + "x" * 200_000_000)
    assert len(draw(str(huge), "h.docx").text) <= 4_000
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\x86\xa0\0\1\x86\xa0\x08\2\0\0\0"
    (tmp_path / "p.png").write_bytes(header + bytes(40))
    assert draw(str(tmp_path / "p.png"), "p.png").why is Why.FAILED


_RIGHTS = """
import ctypes, os
libc, rights = ctypes.CDLL(None), (ctypes.c_uint32 * 6)()
libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), rights)
print(libc.prctl(39, 0, 0, 0, 0), os.getresuid(), list(rights))
"""


@pytest.mark.timeout(60)
def test_the_process_that_draws_has_no_network_no_rights_and_an_end(tmp_path) -> None:
    given = tmp_path / "given"
    given.write_text("x")
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)

    def said(program: str, most: int = 10_000) -> bytes | None:
        words = (*PYTHON, f"{DROPPED}\n{program}")
        return confined(words, str(given), most_bytes=most, drops_itself=True)

    assert (
        said("import os; print(os.getuid(), os.getgid(), os.getgroups(), len(os.environ))")
        == b"65534 65534 [] 2\n"
    )
    assert said(_RIGHTS) == b"1 (65534, 65534, 65534) [0, 0, 0, 0, 0, 0]\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert (
            said(f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print(1)")
            is None
        )
    for harm in (
        f"print(open({str(secret)!r}).read())",
        f"open({str(tmp_path / 'new')!r}, 'w').write('x'); print(1)",
        "f = open('/tmp/releve-preview-test', 'w'); f.write('x'); f.close(); print(1)",
        "x = bytearray(2 << 30); print(1)",
        "raise SystemExit(1)",
        "print('x' * 100_000)",
        "import time; time.sleep(100)",
    ):
        assert said(harm) is None, harm
    Path("/tmp/releve-preview-test").unlink(missing_ok=True)


@pytest.mark.parametrize("is_ours", [True, False])
def test_it_sees_no_other_program_and_nothing_of_anybody(tmp_path, is_ours) -> None:
    """A socket with a name leads out of a network namespace: to D-Bus, to a resolver."""
    given = tmp_path / "given"
    given.write_text("x")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o001)

    def said(program: str) -> bytes | None:
        start = (
            (*PYTHON, f"{DROPPED}\n{program}") if is_ours else ("/usr/bin/python3", "-c", program)
        )
        return confined(start, str(given), most_bytes=10_000, drops_itself=is_ours)

    readable = tmp_path / "everybodys"
    readable.write_text("read by all")
    readable.chmod(0o644)
    name = str(tmp_path / "out.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        Path(name).chmod(0o666)
        server.listen()
        assert said("print(1)") == b"1\n"
        assert said(f"import socket; socket.socket(1).connect({name!r}); print(1)") is None
    assert said(f"print(open({str(readable)!r}).read())") is None
    assert said("print(open('/etc/passwd').read())") is None
    assert (
        said("import os; print(max(int(n) for n in os.listdir('/proc') if n.isdigit()) < 10)")
        == b"True\n"
    )
    assert said("open('/proc/self/comm', 'w')") is None
    assert said("import os; os.mkdir('/dev/shm/releve-preview-test'); print(1)") is None
    assert said("import ctypes; print(ctypes.CDLL(None).unshare(0x10000000))") == b"-1\n"
    assert said("print(sorted(__import__('os').listdir('/etc')))") in (
        b"['alternatives', 'fonts', 'ld.so.cache']\n",
        b"['alternatives', 'ld.so.cache']\n",
    )


def test_a_secretary_sees_what_she_brings_back_in_three_clicks(
    share, state, back_up, tmp_path, chromium
) -> None:
    letter = share / "Courrier Dupont.txt"
    letter.write_text("Chère consœur, <b>première</b> version")
    (share / "Radio Martin.pdf").write_bytes(pdf("<html lang=fr><h1>Ordonnance</h1>"))
    (share / "Facture.docm").write_bytes(b"PK")
    back_up()
    letter.write_text("Chère consœur, seconde version")
    back_up()
    letter.write_text("abîmé")
    served = Served(state.folder, tmp_path / "restore")
    visitor = Visitor(chromium, served)
    try:
        visitor.go()
        sees_and_brings_back_a_letter(visitor)
        sees_a_picture_also_on_a_phone(visitor)
        is_told_what_is_not_shown(visitor, served)
    finally:
        visitor.close()
        served.close()
    assert (visitor.found, visitor.complaints) == ([], [])
    assert len(list(share.glob("Courrier Dupont (repris du*"))) == 1
    assert [url for url in visitor.asked if not url.startswith(served.url)] == []
    assert not [url for url in visitor.asked if "dupont" in url.lower()]
    assert [line["what"] for line in served.log()].count("previewed") == 3
    assert not list(share.glob(".releve-reprise-*"))


def sees_and_brings_back_a_letter(visitor: Visitor) -> None:
    page = visitor.page
    visitor.search("courrier dupont")  # 1
    visitor.at("Courrier Dupont.txt", "p1-versions")
    page.click(".see >> nth=1")  # 2
    visitor.at("Courrier Dupont.txt", "p2-text")
    expect(page.locator(".preview pre")).to_have_text("Chère consœur, <b>première</b> version")
    expect(page.locator("input[name=version] >> nth=1")).to_be_checked()
    visitor.go()  # 3
    visitor.at("C’est fait", "p3-done")
    page.click("main a.strong")


def sees_a_picture_also_on_a_phone(visitor: Visitor) -> None:
    page = visitor.page
    visitor.search("radio martin")
    page.click(".see")
    visitor.at("Radio Martin.pdf", "p4-picture")
    drawn = page.locator(".preview img")
    expect(drawn).to_be_visible()
    assert drawn.evaluate("image => image.complete && image.naturalHeight") == 1000
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    if where := os.environ.get("RELEVE_SCREENSHOTS"):
        page.screenshot(path=f"{where}/p5-phone.png", full_page=True)
    page.click("main >> text=Chercher autre chose")


def is_told_what_is_not_shown(visitor: Visitor, served: Served) -> None:
    page = visitor.page
    visitor.search("facture")
    page.click(".see")
    expect(page.locator(".preview .note-box")).to_contain_text("ne se montre pas ici")
    visitor.at("Facture.docm", "p6-no-picture")
    page.goto(f"{served.url}/fichiers/0/apercu/99")
    expect(page.locator("h1")).to_have_text("1 réponse")
    page.click("header form button")
    expect(page.locator("h1")).to_have_text("Il faut un lien pour entrer")
    assert page.goto(f"{served.url}/apercu").status in (401, 403)
    with_less = subprocess.run(
        [*RELEVE, "restore", "link", "Stagiaire", "--no-preview", "--home", str(served.home), "--json"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    page.goto(json.loads(with_less.stdout)["link"])
    visitor.go()
    visitor.search("radio martin")
    expect(page.locator("input[name=version]")).to_have_count(1)
    expect(page.locator(".see")).to_have_count(0)
    for path in ("/fichiers/0/apercu/0", "/apercu"):
        assert page.goto(f"{served.url}{path}").status == 403, path

"""Makes docs/img/console.png: a real server, a real agent, an incident's lines, Chromium.

    .venv/bin/python scripts/console_picture.py [OUT] [--lang en] [--phone]

The lines in scripts/console_lines.jsonl have the form that the guard prints; they go the whole way
through agent, spool, signed batch, triage and page. The picture's figures are an example, not a
measurement.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pyotp
from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
RELEVE = [sys.executable, "-m", "releve.apps.cli.main"]
COLOURS = 128
PASSWORD = "une phrase assez longue"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", nargs="?", type=Path, default=HERE.parent / "docs/img/console.png")
    parser.add_argument("--lang", default="fr")
    parser.add_argument("--phone", action="store_true")
    parser.add_argument("--path", default="/")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = start_server(home / "server")
        try:
            secret = prepare(home, server["url"])
            take(words, server["url"], secret)
        finally:
            server["process"].terminate()
            server["process"].wait(10)


def start_server(home: Path) -> dict:
    process = subprocess.Popen(
        [*RELEVE, "server", "run", "--home", str(home), "--listen", "127.0.0.1:18700", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    url = json.loads(process.stdout.readline())["url"]
    for _ in range(100):
        try:
            httpx.get(f"{url}/up", trust_env=False)
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    return {"process": process, "url": url}


def releve(*words: str, stdin: str = "") -> str:
    done = subprocess.run(
        [*RELEVE, *words], input=stdin, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def prepare(home: Path, url: str) -> str:
    structure = "Cabinet médical des Tilleuls"
    server = ["--home", str(home / "server"), "--structure", structure]
    account = releve(
        "server",
        "user",
        "create",
        *server,
        "--login",
        "claire.morel",
        "--show-totp",
        "--json",
        stdin=PASSWORD + "\n",
    )
    hosts = (
        ("serveur-fichiers", "dossier patient", "file-server"),
        ("poste-imagerie", "imagerie", "imaging"),
    )
    for name, role, lines in hosts:
        token = releve("server", "token", "create", *server, "--url", url)
        agent = ["--home", str(home / name)]
        labels = ["--label", "/srv/cabinet=Dossiers du cabinet", "--label", "/srv/dicom=Imagerie"]
        releve(
            "agent", "enrol", *agent, "--token", token, "--name", name, "--care-role", role, *labels
        )
        text = at_now((HERE / f"console_{lines}.jsonl").read_text())
        releve("agent", "feed", *agent, "--send", stdin=text)
    return json.loads(account)["totp_secret"]


def at_now(text: str) -> str:
    """Lines say "+SECONDS": their place in the last quarter of an hour."""
    start = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=4)
    rows = []
    for line in text.splitlines():
        row = json.loads(line)
        if str(row.get("at", "")).startswith("+"):
            row["at"] = (start + dt.timedelta(seconds=float(row["at"]))).isoformat()
        rows.append(json.dumps(row))
    return "\n".join(rows) + "\n"


def take(words: argparse.Namespace, url: str, secret: str) -> None:
    size = {"width": 390, "height": 844} if words.phone else {"width": 1240, "height": 900}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        page = browser.new_page(viewport=size, device_scale_factor=1.5, locale=words.lang)
        page.on("console", lambda message: print("console:", message.text))
        page.goto(f"{url}/login?lang={words.lang}")
        page.fill("input[name=login]", "claire.morel")
        page.fill("input[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.fill("input[name=code]", pyotp.TOTP(secret).now())
        page.click("main button[type=submit]")
        page.wait_for_selector("#live .state")
        page.goto(url + words.path)
        if words.path == "/incident":
            page.goto(url + "/incidents")
            page.click("td a")
        page.wait_for_timeout(1200)
        words.out.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(words.out), full_page=True)
        browser.close()
    with Image.open(words.out) as taken:
        taken.convert("RGB").quantize(COLOURS).save(words.out, optimize=True)


if __name__ == "__main__":
    main()

"""Makes the pictures of docs/tour.md from the whole story as its test plays it: everything in them happened.

    .venv/bin/python scripts/screenshots.py [FOLDER]

As root, with restic, Chromium and namespaces, as tests/console/test_whole_story.py says.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent.parent
STORY = "tests/console/test_whole_story.py::test_from_the_attack_to_the_months_statement[fr]"
COLOURS = 128
MOST_BYTES = 150_000


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "docs/img"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "--show-capture=no", STORY],
            cwd=HERE,
            env=os.environ | {"RELEVE_PICTURES": folder},
            check=True,
        )
        for picture in sorted(Path(folder).glob("*.png")):
            place = out / f"tour-{picture.name}"
            with Image.open(picture) as taken:
                taken.convert("RGB").quantize(COLOURS).save(place, optimize=True)
            size = place.stat().st_size
            print(f"{place.name}  {size // 1000} kB")
            if size > MOST_BYTES:
                raise SystemExit(f"{place} is too big")


if __name__ == "__main__":
    main()

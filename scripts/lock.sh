#!/usr/bin/env bash
# Writes requirements.lock: every version and hash for run and test, no index address (uv.lock records them).
# hatchling and editables are in it because setup builds the project without a second download.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)
hatchling=$(grep -oE 'hatchling==[0-9.]+' pyproject.toml | head -1)
printf '%s\neditables\n' "$hatchling" | "$uv" pip compile pyproject.toml - --extra server --extra vault --extra scan --extra paper --extra dev \
  --generate-hashes --universal --python-version 3.11 --no-header --no-annotate -q \
  -o requirements.lock
if grep -nE '(https?|file)://' requirements.lock; then
  echo "lock: an address got into requirements.lock" >&2
  exit 1
fi

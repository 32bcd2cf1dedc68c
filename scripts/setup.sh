#!/usr/bin/env bash
# All that `make run` and `make test` need: Debian packages, .venv, restic and rest-server in .tools.
# Safe to repeat; quick when nothing changed. Starts no service, leaves none enabled.
# What it could not install it names, with what is therefore not shown; only Python is indispensable.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

mkdir -p .tools
exec 9>.tools/setup.lock # two `make` at once: the second waits, then finds everything done
flock 9 2>/dev/null || true

say() { printf 'setup: %s\n' "$*"; }
die() {
  printf 'setup: %s\n  %s\n' "$1" "$2" >&2
  exit 1
}

# --- Debian packages -------------------------------------------------------------------------------

wanted() { grep -vE '^ *(#|$)' scripts/debian-packages.txt; }

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | awk '$2 == "installed" {print $1}')
  wanted | awk '{print $1}' | grep -vxF -f <(printf '%s\n' "$installed") || true
}

# Debian's samba package would start smbd: a policy-rc.d that says no, unless the machine has its own.
policy=/usr/sbin/policy-rc.d
policy_is_ours=
forbid_services() {
  if [ ! -e "$policy" ]; then
    policy_is_ours=yes
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\n# set by the setup of releve for the time of one apt-get, then removed\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
}
allow_services() {
  if [ -n "$policy_is_ours" ]; then
    rm -f "$policy"
    trap - EXIT
  fi
}

apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends "$@" </dev/null; }

install_packages() { # names; one by one if the whole does not go (a name may not exist in this Debian)
  local package
  forbid_services
  apt update >.tools/apt.log 2>&1 || true
  if ! apt install "$@" >>.tools/apt.log 2>&1; then
    for package in "$@"; do apt install "$package" >>.tools/apt.log 2>&1 || true; done
  fi
  allow_services
  # Not started is not enough: at the next boot they would start.
  if command -v systemctl >/dev/null; then
    for package in "$@"; do
      dpkg -L "$package" 2>/dev/null | sed -nE 's#.*/systemd/system/([^/@]+\.(service|socket|timer))$#\1#p' |
        xargs -r systemctl disable >>.tools/apt.log 2>&1 || true
    done
  fi
}

debian() {
  command -v dpkg-query >/dev/null || { say "not a Debian system: see scripts/debian-packages.txt for what to install"; return; }
  local missing tried=
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  tried=$(find .tools/apt-tried -mmin -60 -exec cat {} + 2>/dev/null || true)
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ "$missing" != "$tried" ]; then
    say "installing Debian packages: $(echo $missing)"
    # shellcheck disable=SC2086 # a list of names
    install_packages $missing
    missing=$(missing_packages)
    printf '%s' "$missing" >.tools/apt-tried
  fi
  [ -n "$missing" ] || return 0
  say "missing Debian packages (install them as root, or run make setup as root); hence not shown:"
  wanted | awk 'NR == FNR {gone[$1]; next} $1 in gone {print "setup:   " $0}' <(printf '%s\n' "$missing") -
}

# --- Python ----------------------------------------------------------------------------------------

python_311() {
  local name
  for name in python3 python3.11 python3.12 python3.13 python3.14; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  die "no Python 3.11 or newer was found." "Install python3 (Debian 12 or later has it)."
}

fingerprint() { cat requirements.lock pyproject.toml scripts/setup.sh <(pwd) | sha256sum | cut -d' ' -f1; }

python_environment() {
  local stamp=.venv/.setup-done now
  now=$(fingerprint)
  if [ -x .venv/bin/releve ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then return; fi
  local python
  python=$(python_311)
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --clear .venv ||
      die "the Python environment could not be made." "Install python3-venv (as root: apt-get install python3-venv)."
  fi
  say "installing the locked Python packages"
  local pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input -q install)
  "${pip[@]}" --require-hashes -r requirements.lock </dev/null ||
    die "the locked packages could not be installed." "Is a package index reachable? Then run make setup again."
  # hatchling came with the lock, by hash: no second, unchecked download.
  "${pip[@]}" --no-deps --no-build-isolation -e . </dev/null ||
    die "the project itself could not be installed." "Remove .venv and run make setup again."
  compile .venv/lib
  printf '%s' "$now" >"$stamp"
}

# Every command is a process of its own, and reading sources anew is half of its start. Where the surroundings
# say PYTHONDONTWRITEBYTECODE, nobody else would write this down; what is up to date is left alone.
compile() { .venv/bin/python -m compileall -q -j 0 "$1" >/dev/null || true; }

debian
python_environment
compile src
# Without restic, everything but the backups works: said, not fatal (in CI the tests then fail).
.venv/bin/python scripts/tools.py || say "hence not shown: backups and restores from snapshots"

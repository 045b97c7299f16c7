#!/usr/bin/env bash
# Make .venv hold exactly the locked set. Does nothing when it does already.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.locked
locks=(requirements.lock requirements-bootstrap.lock pyproject.toml scripts/setup.sh)

fail() {
  echo "setup: $*" >&2
  exit 1
}

sha() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi
}

wanted="$(cat "${locks[@]}" | sha | cut -d' ' -f1) $PWD"
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ]; then
  exit 0
fi

case "$(uname -s) $(uname -m)" in
  "Linux x86_64" | "Linux aarch64") ;;
  "Darwin arm64")
    [ "$(sw_vers -productVersion | cut -d. -f1)" -ge 14 ] || fail "macOS 14 or newer is needed, this is $(sw_vers -productVersion)."
    ;;
  *) fail "Linux (x86_64, aarch64) and macOS on Apple silicon are supported, not $(uname -s) $(uname -m)." ;;
esac

fits() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null
}

find_python() {
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && fits "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11, 3.12 or 3.13 is needed; found $(python3 --version 2>&1 || echo none). Set PYTHON to name one."
}

if ! { [ -x "$venv/bin/python" ] && fits "$venv/bin/python"; }; then
  python="$(find_python)"
  echo "setup: creating $venv with $("$python" --version)" >&2
  rm -rf "$venv"
  "$python" -m venv "$venv" || fail "$python cannot make virtual environments (on Debian: apt install python3-venv)."
fi

pip=("$venv/bin/python" -m pip --disable-pip-version-check)

with_uv() {
  "${pip[@]}" install --quiet --require-hashes -r requirements-bootstrap.lock || return 1
  local index="${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$("${pip[@]}" config get global.index-url 2>/dev/null || true)}}"
  [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
  "$venv/bin/uv" pip install --python "$venv/bin/python" --require-hashes -r requirements.lock
}

count="$(grep -c '^[a-z0-9]' requirements.lock)"
echo "setup: installing $count locked packages, about 1 GB; a minute or two on a good line" >&2
rm -f "$stamp"
if ! with_uv; then
  echo "setup: uv could not reach the package index as it is set up here; going on with pip" >&2
  "${pip[@]}" install --progress-bar off --require-hashes -r requirements.lock
fi
"${pip[@]}" install --quiet --no-deps --no-build-isolation -e .
"$venv/bin/python" -m compileall -q -j 0 "$venv"/lib/python3.*/site-packages >/dev/null 2>&1 || true
echo "$wanted" >"$stamp"
echo "setup: done" >&2

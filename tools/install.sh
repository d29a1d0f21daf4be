#!/bin/sh
# Installs luodi from this folder, without any network: sh install.sh [/opt/luodi]
# Each version lies in a folder of its own; the name given leads to the newest, and only when that is whole.
set -eu
here="$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)"
prefix="${1:-/opt/luodi}"
python="${PYTHON:-python3}"

cd "$here"
sha256sum --quiet --check SHA256SUMS || { echo "the bundle is damaged: copy it again" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "luodi needs Python 3.11 or newer: PYTHON=/path/to/python3.11" >&2; exit 1; }
"$python" -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing: install the package python3-venv" >&2; exit 1; }
if [ -e "$prefix" ] && [ ! -L "$prefix" ]; then echo "$prefix is there and is no link: move it away" >&2; exit 1; fi

made="$prefix-$(cat VERSION)"
if [ ! -e "$made/.whole" ]; then
    rm -rf "$made"
    "$python" -m venv "$made"
    "$made/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --isolated --no-index --require-hashes --only-binary=:all: --find-links wheels --requirement requirements.txt
    install -d "$made/deploy"
    install -m 644 ./*.service luodi.env.example README.md "$made/deploy"
    "$made/bin/luodi" --help >/dev/null
    touch "$made/.whole"
fi
ln -sfn "$made" "$prefix.new"
mv -T "$prefix.new" "$prefix"
echo "installed: $prefix/bin/luodi"
echo "next: cp $prefix/deploy/*.service /etc/systemd/system/; install -D -m 600 $prefix/deploy/luodi.env.example /etc/luodi/luodi.env"
echo "      fill it in; systemctl daemon-reload; systemctl enable --now luodi luodi-worker"

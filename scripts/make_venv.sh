#!/bin/sh
# make_venv.sh FOLDER [PYTHON]: a virtual environment with Python 3.11 or newer.
set -eu
folder=$1
wanted=${2:-}

usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if [ -n "$wanted" ]; then
    usable "$wanted" || { echo "$wanted is not Python 3.11 or newer." >&2; exit 1; }
    python=$wanted
else
    python=
    for candidate in python3 python3.11 python3.12 python3.13 python; do
        if usable "$candidate"; then python=$candidate; break; fi
    done
    if [ -z "$python" ]; then
        echo "Python 3.11 or newer is needed and none was found;" \
            "install it, or name it: make PYTHON=/path/to/python3." >&2
        exit 1
    fi
fi

# Debian and Ubuntu keep ensurepip in a package of its own.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    line="apt-get update && apt-get install -y --no-install-recommends python$version-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        sh -c "$line"
    else
        echo "This Python cannot make virtual environments. On Debian or Ubuntu:" >&2
        echo "    sudo sh -c '$line'" >&2
        exit 1
    fi
fi

"$python" -m venv "$folder"

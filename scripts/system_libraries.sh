#!/bin/sh
# system_libraries.sh PYTHON [xvfb]: what Qt and OpenGL need from a Linux system.
#
# Does nothing where all is there. On Debian and Ubuntu as root it installs what
# is missing; elsewhere it prints the line to run, and fails. `xvfb` asks for the
# virtual display even where there is a real one.
set -eu
python=$1
want_xvfb=${2:-}
[ "$(uname -s)" = Linux ] || exit 0
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then want_xvfb=xvfb; fi

debian="libgl1 libegl1 libopengl0 libgl1-mesa-dri libglib2.0-0 libxkbcommon-x11-0
libdbus-1-3 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1
libxcb-util1 libfontconfig1 libxi6"
fedora="mesa-libGL mesa-libEGL libglvnd-opengl mesa-dri-drivers glib2
libxkbcommon-x11 dbus-libs xcb-util-cursor xcb-util-wm xcb-util-image
xcb-util-keysyms xcb-util-renderutil xcb-util fontconfig libXi"
if [ -n "$want_xvfb" ]; then
    debian="xvfb $debian"
    fedora="xorg-x11-server-Xvfb $fedora"
fi

installed() { # under its own name, or with Ubuntu's suffix for 64-bit time
    dpkg-query -W -f '${Status}\n' "$1" "$1t64" 2>/dev/null |
        grep -q 'install ok installed'
}

# What the loader says: right on every distribution, also where the libraries
# came from somewhere else than a package.
loader_is_content() {
    if [ -n "$want_xvfb" ] && ! command -v Xvfb >/dev/null; then return 1; fi
    "$python" - <<'PY'
import ctypes
import subprocess
import sys
from pathlib import Path

for name in ("libGL.so.1", "libEGL.so.1", "libOpenGL.so.0"):
    try:
        ctypes.CDLL(name)
    except OSError:
        sys.exit(1)
try:
    import PyQt6
except ImportError:  # another binding: its wheels bring the same plugin
    sys.exit(0)
plugin = next(Path(PyQt6.__file__).parent.rglob("libqxcb.so"), None)
if plugin is not None:
    found = subprocess.run(["ldd", plugin], capture_output=True, text=True)
    sys.exit("not found" in found.stdout)
PY
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    missing=
    for package in $debian; do
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || exit 0
    if [ "$(id -u)" = 0 ]; then
        echo "Installing system libraries for the window:$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $missing
        exit 0
    fi
    if loader_is_content; then exit 0; fi
    line="sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing"
elif loader_is_content; then
    exit 0
elif command -v dnf >/dev/null; then
    line="sudo dnf install -y $(echo $fedora)"
else
    line="(your package manager) the packages that hold what Debian calls: $(echo $debian)"
fi
echo "The window needs system libraries that are not here. Install them with:" >&2
echo "    $line" >&2
exit 1

# SPDX-License-Identifier: Apache-2.0
# Shared by scripts/run, scripts/test and scripts/check: messages, Debian packages, and configuring a preset.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkgconf libssl-dev zlib1g-dev"
# Libraries that a build may be without; scripts/run and scripts/test build with all of them.
OPTIONAL_PACKAGES="nettle-dev libsodium-dev libgcrypt20-dev libargon2-dev libxml2-dev libjansson-dev libp11-dev liburing-dev"
# The cross build for Windows, and what runs its results.
WINDOWS_PACKAGES="gcc-mingw-w64-x86-64-posix libz-mingw-w64-dev wine64 perl make"

say()
{
    printf '== %s\n' "$*"
}

die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# missing_packages NAME...: those that are not installed, on one line.
missing_packages()
{
    local name missing=""

    for name in "$@"; do
        case $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $name" ;;
        esac
    done
    printf '%s' "${missing# }"
}

# as_root COMMAND...: runs it as root, through sudo where we are somebody else.
as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif [ -t 0 ]; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# may_install: whether as_root works; sudo may ask for a password here.
may_install()
{
    [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && as_root true; }
}

# need_packages REQUIRED [OPTIONAL]: lists of names; installs what is missing and says so first. Without the right to install, we go on
# when nothing required is missing.
need_packages()
{
    local missing

    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        die "this is not Debian (no apt-get here); install the like of these yourself: $*"
    # shellcheck disable=SC2068 # lists of names
    missing=$(missing_packages $@)
    [ -n "$missing" ] || return 0

    say "installing: $missing"
    may_install || {
        # shellcheck disable=SC2086
        [ -z "$(missing_packages $1)" ] ||
            die "packages are missing, and there is neither root nor a sudo that lets you install them.
As root, run:  apt-get update && apt-get install --no-install-recommends -y $missing"
        say "no right to install packages; going on without"
        return 0
    }
    # A stale list of packages is the usual reason for a failed installation, and a broken mirror of something else no reason to stop.
    as_root apt-get update -q </dev/null || say "apt-get update failed; going on with the package lists that are here"
    # shellcheck disable=SC2086 # a list of names
    as_root apt-get install -q -y --no-install-recommends $missing </dev/null ||
        die "could not install: $missing"
}

# What is built once for all builds: --help of the scripts that do it.
cache_folder()
{
    printf '%s' "${NACRE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nacre}"
}

# openssl_version: of the OpenSSL that this Debian has.
openssl_version()
{
    local version

    version=$(apt-cache policy libssl-dev | sed -n 's/ *Candidate: *\([0-9.]*\).*/\1/p')
    [ -n "$version" ] || die "apt knows no libssl-dev; run apt-get update"
    printf '%s' "$version"
}

# fetch_openssl FOLDER: its source into FOLDER/openssl-*. Debian's sources with lists of our own: the system's stay as they are. The
# lists may fail, since old ones may do; and of the source package the .orig archive is enough, whatever else a mirror lacks.
fetch_openssl()
(
    cd "$1" || return
    . /etc/os-release
    printf 'deb-src http://deb.debian.org/debian %s main\ndeb-src http://deb.debian.org/debian-security %s-security main\n' \
        "$VERSION_CODENAME" "$VERSION_CODENAME" >sources.list
    mkdir -p lists/partial
    options=(-q -o "Dir::Etc::SourceList=$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$PWD/lists" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    apt-get "${options[@]}" source --download-only openssl
    tar xf openssl_*.orig.tar.gz
)

# use_ccache: compiles through ccache where there is one.
use_ccache()
{
    if command -v ccache >/dev/null; then
        export CMAKE_C_COMPILER_LAUNCHER=ccache
    fi
}

# build PRESET [CMAKE-ARGUMENT]...: configures build/PRESET and builds all of it.
build()
{
    local preset=$1 log

    shift
    log=$(cd "$ROOT" && cmake --preset "$preset" "$@" 2>&1) || {
        printf '%s\n' "$log"
        return 1
    }
    cmake --build "$ROOT/build/$preset" -j "${JOBS:-$(nproc)}"
}

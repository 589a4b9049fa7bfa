#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs a build into a folder, builds the examples outside of the tree in every documented way, and logs in to echo.
# install.sh BUILD SOURCE
. "$(dirname "$0")/../interop/lib.sh"
need ssh pkg-config cmake cc

BUILD=$1
SOURCE=$2
PREFIX=$T/prefix
OUT=$T/out
# Sanitizers of the build under test have to be in what links its static library, too.
FLAGS=$(sed -n 's/^CMAKE_C_FLAGS:STRING=//p' "$BUILD/CMakeCache.txt")
COMPILER=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$BUILD/CMakeCache.txt")

installed()
{
    cmake --install "$BUILD" --prefix "$PREFIX" >"$T/install.log" 2>&1 || {
        cat "$T/install.log"
        return 1
    }
    LIBS=$(dirname "$(find "$PREFIX" -name 'libnacre.so' | head -n 1)")
    export PKG_CONFIG_PATH=$LIBS/pkgconfig
    ls "$PREFIX/include/nacre/nacre.h" "$PREFIX/include/nacre/errors.h" "$PREFIX/include/nacre/errors.def" \
        "$LIBS/libnacre.a" "$LIBS/libnacre.so" "$LIBS/pkgconfig/nacre.pc" "$LIBS/cmake/nacre/nacreConfig.cmake" \
        "$PREFIX/bin/nacred" "$PREFIX/bin/nacre-bench" "$PREFIX/share/man/man1/nacred.1" "$PREFIX/share/man/man1/nacre-bench.1" \
        "$PREFIX/share/man/man3/nacre.3" "$PREFIX/share/man/man5/nacre-settings.5"
}

# The example with a port of the system's choice in place of 2222, which it says: one that is chosen here could be another's
# by the time it listens.
example()
{
    mkdir -p "$OUT"
    sed -e 's/2222/0/' -e '/^    while (nacre_do_events/ {
        i\    int port = 0;
        i\    if (nacre_get_local_port(server, \&port) == 0)
        i\        fprintf(stderr, "127.0.0.1:%d\\n", port);
    }' "$SOURCE/examples/echo.c" >"$OUT/echo.c"
}

# serves PROGRAM: a login with the example's user, and what is sent comes back.
serves()
{
    local pid status

    : >"$T/echo.log"
    LD_LIBRARY_PATH=$LIBS "$1" >"$T/echo.log" 2>&1 &
    pid=$!
    PIDS="$PIDS $pid"
    wait_for_port "$T/echo.log" $pid || return 1
    printf 'hello\n' >"$T/hello"
    prints hello echoed
    status=$?
    ends $pid
    return $status
}

echoed()
{
    WHO=guest ssh_password guest 127.0.0.1 anything <"$T/hello"
}

with_pkg_config()
{
    example
    # shellcheck disable=SC2046,SC2086 # lists of options
    "$COMPILER" $FLAGS -std=c17 -Wall -Wextra -Werror $(pkg-config --cflags nacre) "$OUT/echo.c" -o "$OUT/echo-shared" \
        $(pkg-config --libs nacre) || return 1
    readelf -d "$OUT/echo-shared" | grep -q 'libnacre.so' || {
        echo "not linked to libnacre.so"
        return 1
    }
    serves "$OUT/echo-shared"
}

with_pkg_config_static()
{
    example
    # -l:libnacre.a: both libraries lie there, and only ours is wanted static.
    # shellcheck disable=SC2046,SC2086 # lists of options
    "$COMPILER" $FLAGS -std=c17 $(pkg-config --cflags nacre) "$OUT/echo.c" -o "$OUT/echo-static" \
        $(pkg-config --static --libs nacre | sed 's/-lnacre/-l:libnacre.a/') || return 1
    if readelf -d "$OUT/echo-static" | grep 'libnacre.so'; then
        return 1
    fi
    serves "$OUT/echo-static"
}

# The other examples, and how long all of them are.
other_examples()
{
    local name

    for name in two_factor tunnel_gateway; do
        # shellcheck disable=SC2046,SC2086 # lists of options
        "$COMPILER" $FLAGS -std=c17 -Wall -Wextra -Werror $(pkg-config --cflags nacre) "$SOURCE/examples/$name.c" \
            -o "$OUT/$name" $(pkg-config --libs nacre) || return 1
        LD_LIBRARY_PATH=$LIBS "$OUT/$name" 2>&1 | grep -i "^usage: $name" || return 1
        [ "$(wc -l <"$SOURCE/examples/$name.c")" -le 100 ] || return 1
    done
    [ "$(wc -l <"$SOURCE/examples/echo.c")" -le 120 ]
}

# with_cmake TARGET
with_cmake()
{
    local build=$T/cmake-$1

    example
    cat >"$OUT/CMakeLists.txt" <<TEXT
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C)
find_package(nacre 0.1 REQUIRED)
foreach(example echo two_factor tunnel_gateway)
  add_executable(\${example} \${example}.c)
  target_link_libraries(\${example} PRIVATE nacre::$1)
endforeach()
TEXT
    cp "$SOURCE/examples/two_factor.c" "$SOURCE/examples/tunnel_gateway.c" "$OUT/"
    cmake -G Ninja -S "$OUT" -B "$build" -DCMAKE_PREFIX_PATH="$PREFIX" -DCMAKE_C_COMPILER="$COMPILER" "-DCMAKE_C_FLAGS=$FLAGS" \
        >"$T/cmake.log" 2>&1 && cmake --build "$build" >>"$T/cmake.log" 2>&1 || {
        cat "$T/cmake.log"
        return 1
    }
    serves "$build/echo"
}

check "everything is installed" installed
check "moved elsewhere" mv "$PREFIX" "$T/moved"
PREFIX=$T/moved
LIBS=$(dirname "$(find "$PREFIX" -name 'libnacre.so' | head -n 1)")
export PKG_CONFIG_PATH=$LIBS/pkgconfig
check "pkg-config, shared" with_pkg_config
check "pkg-config, static" with_pkg_config_static
check "pkg-config, the other examples" other_examples
for target in nacre shared static; do
    check "find_package, nacre::$target" with_cmake $target
done
check "nacred runs from there" "$PREFIX/bin/nacred" --version
check "nacre-bench runs from there" "$PREFIX/bin/nacre-bench" --version
finish

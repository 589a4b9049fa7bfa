# SPDX-License-Identifier: Apache-2.0
# Toolchain for 64-bit Windows with Debian's mingw-w64. scripts/windows-libraries makes NACRE_WINDOWS_LIBRARIES.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

set(NACRE_WINDOWS_LIBRARIES $ENV{NACRE_WINDOWS_LIBRARIES} CACHE PATH "OpenSSL for Windows")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES NACRE_WINDOWS_LIBRARIES)
set(CMAKE_FIND_ROOT_PATH ${NACRE_WINDOWS_LIBRARIES} /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# The optional libraries have no Windows packages in Debian; the build machine's own must not be found instead.
set(ENV{PKG_CONFIG_LIBDIR} ${NACRE_WINDOWS_LIBRARIES}/lib/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")

set(OPENSSL_USE_STATIC_LIBS ON)
set(ZLIB_USE_STATIC_LIBS ON)
# Programs and nacre.dll need no library of the compiler's at run time.
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -static)
# Debian's wine64 puts its program where no PATH leads. scripts/wine looks for it there, too.
find_program(NACRE_WINE NAMES wine64 HINTS /usr/lib/wine DOC "Whether programs for Windows can be run")
if(NACRE_WINE)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/../scripts/wine)
endif()

# SPDX-License-Identifier: Apache-2.0
# Warnings and definitions that every target of the project is compiled with.
add_library(nacre_flags INTERFACE)
target_compile_options(nacre_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wswitch-enum
  -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef -Wpointer-arith -Wwrite-strings -fno-common
  -fstack-protector-strong -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= $<$<BOOL:${NACRE_WERROR}>:-Werror>)
target_compile_definitions(nacre_flags INTERFACE _GNU_SOURCE)
# Where the stack's guard comes from.
if(WIN32)
  target_link_libraries(nacre_flags INTERFACE ssp)
endif()

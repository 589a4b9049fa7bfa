# SPDX-License-Identifier: Apache-2.0
# A layer is a folder under src/, an object library of its own, and an include path that shows only the layers named after USES.
#
# The path is made of links: build/layers/<layer>/<layer> -> src/core/<layer>. A target that lacks the link of a layer
# cannot include its headers, so a wrong include does not compile.

set(NACRE_LAYER_DIR ${CMAKE_BINARY_DIR}/layers)

# nacre_view(<name> <from>...): a folder of links to show to a target; each <from> is <path in view>=<path in source tree>.
function(nacre_view name)
  foreach(pair ${ARGN})
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 link)
    list(GET pair 1 target)
    get_filename_component(folder ${NACRE_LAYER_DIR}/${name}/${link} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${target} ${NACRE_LAYER_DIR}/${name}/${link} SYMBOLIC)
  endforeach()
endfunction()

nacre_view(errors nacre/errors.h=include/nacre/errors.h nacre/errors.def=include/nacre/errors.def)
nacre_view(io engine/io.h=src/core/engine/io.h engine/sock.h=src/core/engine/sock.h)
nacre_view(sock engine/sock_sys.h=src/core/engine/sock_sys.h)
nacre_view(public nacre=include/nacre)

# nacre_layer(<name> <folder> USES <layer>... [LINKS <library>...])
function(nacre_layer name folder)
  cmake_parse_arguments(LAYER "" "" "USES;LINKS" ${ARGN})
  nacre_view(${name} ${name}=${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
  if(WIN32)
    list(FILTER sources EXCLUDE REGEX "_posix\\.c$")
  else()
    list(FILTER sources EXCLUDE REGEX "_win\\.c$")
  endif()
  add_library(nacre_${name} OBJECT ${sources})
  set_target_properties(nacre_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
  foreach(layer errors ${name} ${LAYER_USES})
    target_include_directories(nacre_${name} PRIVATE ${NACRE_LAYER_DIR}/${layer})
  endforeach()
  target_link_libraries(nacre_${name} PRIVATE nacre_flags ${LAYER_LINKS})
  set_property(GLOBAL APPEND PROPERTY NACRE_LAYERS nacre_${name})
endfunction()

# nacre_sees(<target> <layer>...): shows layers to a program (tests and nacre-bench).
function(nacre_sees target)
  foreach(layer ${ARGN})
    target_include_directories(${target} PRIVATE ${NACRE_LAYER_DIR}/${layer})
  endforeach()
endfunction()

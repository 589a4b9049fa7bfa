# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: headers, both libraries, nacre.pc, the CMake package, the programs and the manual pages.
include(CMakePackageConfigHelpers)

set(NACRE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/nacre)

# What the static library needs at link time, as pkg-config modules; nacreConfig.cmake.in has the same for CMake.
set(NACRE_PC_PRIVATE "libcrypto >= 3.0.0 zlib")
get_property(modules GLOBAL PROPERTY NACRE_OPTIONAL_MODULES)
list(JOIN modules " " modules)
get_property(libraries GLOBAL PROPERTY NACRE_SYSTEM_LIBRARIES)
list(TRANSFORM libraries PREPEND " -l" OUTPUT_VARIABLE libraries)
list(JOIN libraries "" NACRE_PC_SYSTEM)
string(APPEND NACRE_PC_PRIVATE " ${modules}")

foreach(dir LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_${dir}})
    set(NACRE_PC_${dir} ${CMAKE_INSTALL_${dir}})
  else()
    set(NACRE_PC_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
# The prefix is found from the place of nacre.pc itself, so that an installation may be moved or staged.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(NACRE_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(NACRE_PC_PREFIX "\${pcfiledir}/${up}")
endif()
configure_file(cmake/nacre.pc.in ${CMAKE_BINARY_DIR}/nacre.pc @ONLY)
configure_package_config_file(cmake/nacreConfig.cmake.in ${CMAKE_BINARY_DIR}/nacreConfig.cmake
  INSTALL_DESTINATION ${NACRE_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/nacreConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(DIRECTORY include/nacre DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.def")
install(TARGETS nacre_static nacre_shared EXPORT nacre-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(EXPORT nacre-targets FILE nacreTargets.cmake NAMESPACE nacre:: DESTINATION ${NACRE_CMAKE_DIR})
install(FILES ${CMAKE_BINARY_DIR}/nacreConfig.cmake ${CMAKE_BINARY_DIR}/nacreConfigVersion.cmake
  DESTINATION ${NACRE_CMAKE_DIR})
install(FILES ${CMAKE_BINARY_DIR}/nacre.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

foreach(program nacred nacre-bench)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

foreach(section 1 3 5)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.${section})
  if(pages)
    install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
  endif()
endforeach()

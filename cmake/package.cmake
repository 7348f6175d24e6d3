# SPDX-License-Identifier: BSD-3-Clause
# What is installed: the library, its headers, the command, and what finds them (CMake and pkg-config).
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/verbcast)

install(TARGETS verbcast EXPORT verbcast
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT verbcast NAMESPACE verbcast:: FILE verbcastTargets.cmake DESTINATION ${package_folder})
if(TARGET verbcast_command)
    file(RELATIVE_PATH from_command_to_library
        ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
    set_target_properties(verbcast_command PROPERTIES INSTALL_RPATH "$ORIGIN/${from_command_to_library}")
    install(TARGETS verbcast_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES docs/verbcast.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()

if(TARGET softnic_ibverbs)
    # In a folder of their own: a program that is to have them is told so by its library path.
    install(TARGETS softnic_ibverbs softnic_rdmacm
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/verbcast/softnic NAMELINK_SKIP)
endif()

configure_package_config_file(cmake/verbcastConfig.cmake.in ${PROJECT_BINARY_DIR}/verbcastConfig.cmake
    INSTALL_DESTINATION ${package_folder})
# Before 1.0 a minor version may change the binary interface, as the SOVERSION says.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/verbcastConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/verbcastConfig.cmake ${PROJECT_BINARY_DIR}/verbcastConfigVersion.cmake
    DESTINATION ${package_folder})

# A static library is linked together with what it uses; a shared one knows that itself.
if(BUILD_SHARED_LIBS)
    set(requires_field Requires.private)
else()
    set(requires_field Requires)
endif()
file(RELATIVE_PATH from_pkgconfig_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/verbcast.pc.in ${PROJECT_BINARY_DIR}/verbcast.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/verbcast.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: programs, library, one header, CMake package, pkg-config file, man pages.
include(CMakePackageConfigHelpers)
target_include_directories(pim INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS pimopt pimsim RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS pim EXPORT pimoptTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/pim/pim.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pim)
install(FILES docs/pimopt.1 docs/pimsim.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(EXPORT pimoptTargets NAMESPACE pim:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pimopt)
configure_package_config_file(cmake/pimoptConfig.cmake.in ${CMAKE_BINARY_DIR}/pimoptConfig.cmake
	INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pimopt)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/pimoptConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/pimoptConfig.cmake ${CMAKE_BINARY_DIR}/pimoptConfigVersion.cmake
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pimopt)
file(RELATIVE_PATH PIM_PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/pimopt.pc.in ${CMAKE_BINARY_DIR}/pimopt.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/pimopt.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# SPDX-License-Identifier: Apache-2.0
# Debian installs lp_solve without a .pc file: the header in lpsolve/, a static library that also needs
# colamd, and a shared one in lib/lp_solve (package lp-solve). Defines LpSolve::LpSolve.
find_path(LpSolve_INCLUDE_DIR lpsolve/lp_lib.h)
find_library(LpSolve_LIBRARY NAMES lpsolve55_pic lpsolve55 PATH_SUFFIXES lp_solve)
find_library(LpSolve_COLAMD_LIBRARY colamd)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LpSolve REQUIRED_VARS LpSolve_LIBRARY LpSolve_INCLUDE_DIR LpSolve_COLAMD_LIBRARY)
if(LpSolve_FOUND AND NOT TARGET LpSolve::LpSolve)
	add_library(LpSolve::LpSolve INTERFACE IMPORTED)
	target_include_directories(LpSolve::LpSolve INTERFACE ${LpSolve_INCLUDE_DIR})
	target_link_libraries(LpSolve::LpSolve INTERFACE ${LpSolve_LIBRARY} ${LpSolve_COLAMD_LIBRARY} ${CMAKE_DL_LIBS} m)
endif()

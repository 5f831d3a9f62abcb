# SPDX-License-Identifier: MIT
#
# What is installed: headers, both libraries in both forms, pkg-config files, a CMake
# package and a script for gdb. All of it may be moved as a whole: nothing names the
# prefix, but the place where gdb looks for a library's script.

include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weft ${PROJECT_BINARY_DIR}/include/weft
	DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
	FILES_MATCHING PATTERN "*.h")

set(weft_installed weft-shared weft-static)
if(TARGET weft-hook-shared)
	list(APPEND weft_installed weft-hook-shared weft-hook-archive weft-hook-static)
endif()
install(TARGETS ${weft_installed} EXPORT weft-targets
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
	ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
	INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# --- CMake: find_package(weft) gives weft::weft, weft::hook and their -static ----

set_target_properties(weft-shared PROPERTIES EXPORT_NAME weft)
set_target_properties(weft-static PROPERTIES EXPORT_NAME weft-static)
if(TARGET weft-hook-shared)
	set_target_properties(weft-hook-shared PROPERTIES EXPORT_NAME hook)
	set_target_properties(weft-hook-archive PROPERTIES EXPORT_NAME hook-archive)
	set_target_properties(weft-hook-static PROPERTIES EXPORT_NAME hook-static)
endif()

set(weft_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(EXPORT weft-targets NAMESPACE weft:: FILE weftTargets.cmake DESTINATION ${weft_cmake_dir})
configure_package_config_file(cmake/weftConfig.cmake.in ${PROJECT_BINARY_DIR}/weftConfig.cmake
	INSTALL_DESTINATION ${weft_cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES
	${PROJECT_BINARY_DIR}/weftConfig.cmake
	${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
	DESTINATION ${weft_cmake_dir})

# --- pkg-config -----------------------------------------------------------------

# From the place of the .pc file back to the prefix, "../..", and on from there.
set(weft_pc_dir /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH WEFT_PC_PREFIX ${weft_pc_dir} /prefix)
string(REGEX REPLACE "/$" "" WEFT_PC_PREFIX ${WEFT_PC_PREFIX})
foreach(name weft weft-hook)
	configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
	install(FILES ${PROJECT_BINARY_DIR}/${name}.pc
		DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

# --- gdb -------------------------------------------------------------------------

# By itself with libweft.so, where gdb's own data lies under the same prefix (/usr): it
# looks below auto-load for the library's whole path. By "source" otherwise.
install(FILES tools/gdb/weft-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weft)
install(CODE "
	set(weft_prefix \"\${CMAKE_INSTALL_PREFIX}\")
	cmake_path(ABSOLUTE_PATH weft_prefix BASE_DIRECTORY / NORMALIZE)
	file(INSTALL \"${PROJECT_SOURCE_DIR}/tools/gdb/weft-gdb.py\"
		DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/gdb/auto-load\${weft_prefix}/${CMAKE_INSTALL_LIBDIR}\"
		RENAME \"libweft.so.${PROJECT_VERSION}-gdb.py\")
")

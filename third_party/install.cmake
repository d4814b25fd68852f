# What `cmake --install` puts where, and the package `find_package(ternvk)` finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ternvk")

install(TARGETS tvk tvk_loader EXPORT ternvk ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY runtime/include/ternvk loader/include/ternvk
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT ternvk NAMESPACE ternvk:: DESTINATION "${package_dir}")

configure_package_config_file(third_party/ternvkConfig.cmake.in ternvkConfig.cmake
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/ternvkConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/ternvkConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/ternvkConfigVersion.cmake"
  third_party/FindJansson.cmake third_party/FindPCRE2.cmake DESTINATION "${package_dir}")

if(TVK_BUILD_CLI)
  install(TARGETS tvk_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/ternvk")

# `cpack` in the build folder: what is installed, as one archive for the target.
if(top)
  set(CPACK_GENERATOR TGZ)
  set(CPACK_PACKAGE_FILE_NAME "ternvk-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
  set(CPACK_STRIP_FILES ON)
  include(CPack)
endif()

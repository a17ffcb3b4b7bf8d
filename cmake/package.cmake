# find_package(mts [COMPONENTS core data cuda]): the package installed, which can be moved, and the same of the build tree, which
# needs no install (mts_DIR or CMAKE_PREFIX_PATH names the build folder).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(mts_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mts)
set(mts_components core)
if(TARGET mts_data)
  list(APPEND mts_components data)
endif()
if(TARGET mts_cuda)
  list(APPEND mts_components cuda)
endif()

install(TARGETS mts EXPORT mts-core FILE_SET HEADERS)
if(TARGET mts_data)
  install(TARGETS mts_data EXPORT mts-data FILE_SET HEADERS)
endif()
if(TARGET mts_cuda)
  install(TARGETS mts_cuda EXPORT mts-cuda FILE_SET HEADERS)
endif()
foreach(component IN LISTS mts_components)
  install(EXPORT mts-${component} NAMESPACE mts:: FILE mts-${component}-targets.cmake DESTINATION ${mts_package_dir})
  export(EXPORT mts-${component} NAMESPACE mts:: FILE mts-${component}-targets.cmake)
endforeach()

configure_package_config_file(cmake/mts-config.cmake.in mts-config.cmake INSTALL_DESTINATION ${mts_package_dir})
write_basic_package_version_file(mts-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/mts-config.cmake ${PROJECT_BINARY_DIR}/mts-config-version.cmake
        DESTINATION ${mts_package_dir})
install(FILES LICENSE CHANGELOG.md CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})

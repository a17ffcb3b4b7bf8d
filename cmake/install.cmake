# Installs the headers and a relocatable package: find_package(mts [COMPONENTS core data]).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(mts_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mts)

install(TARGETS mts EXPORT mts-core FILE_SET HEADERS)
install(EXPORT mts-core NAMESPACE mts:: FILE mts-core-targets.cmake DESTINATION ${mts_package_dir})
if(TARGET mts_data)
  install(TARGETS mts_data EXPORT mts-data FILE_SET HEADERS)
  install(EXPORT mts-data NAMESPACE mts:: FILE mts-data-targets.cmake DESTINATION ${mts_package_dir})
endif()

configure_package_config_file(cmake/mts-config.cmake.in mts-config.cmake INSTALL_DESTINATION ${mts_package_dir})
write_basic_package_version_file(mts-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/mts-config.cmake ${PROJECT_BINARY_DIR}/mts-config-version.cmake
        DESTINATION ${mts_package_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

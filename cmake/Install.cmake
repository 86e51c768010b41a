# find_package(kindling) for users: headers, the layers' libraries, and a config that finds the dependencies again.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
get_property(layers GLOBAL PROPERTY KINDLING_LAYERS)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kindling)
install(TARGETS kindling kindling_fmt ${layers} EXPORT kindlingTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/kindling DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT kindlingTargets NAMESPACE kindling:: DESTINATION ${config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kindlingConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_package_config_file(cmake/kindlingConfig.cmake.in ${PROJECT_BINARY_DIR}/kindlingConfig.cmake
                              INSTALL_DESTINATION ${config_dir})
install(FILES ${PROJECT_BINARY_DIR}/kindlingConfig.cmake ${PROJECT_BINARY_DIR}/kindlingConfigVersion.cmake
              cmake/Dependencies.cmake DESTINATION ${config_dir})

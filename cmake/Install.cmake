# install(): the library, its headers, a CMake package and tinyllm.pc, the command, the embedded models and questions.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tinyllm)

install(TARGETS tinyllm EXPORT tinyllmTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/tinyllm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT tinyllmTargets NAMESPACE tinyllm:: DESTINATION ${package_dir})
get_target_property(library_type tinyllm TYPE)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/tinyllmConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/package/tinyllmConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/tinyllmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/tinyllmConfig.cmake ${PROJECT_BINARY_DIR}/package/tinyllmConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/Dependencies.cmake
        DESTINATION ${package_dir})

# A prefix that follows the file lets a package be moved; absolute install directories stay as they are.
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR libdir_is_absolute)
if(libdir_is_absolute)
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up ${up})
  set(pc_prefix "\${pcfiledir}/${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
set(pc_cuda_libs "")
if(TINYLLM_HAS_CUDA)
  get_target_property(cudart CUDA::cudart_static IMPORTED_LOCATION)
  cmake_path(GET cudart PARENT_PATH cudart_dir)
  set(pc_cuda_libs " -L${cudart_dir} -lcudart_static -ldl -lrt")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/tinyllm.pc.in ${PROJECT_BINARY_DIR}/package/tinyllm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/tinyllm.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(TINYLLM_TOOLS)
  # The command finds its library beside itself, so an installed tree may be moved.
  file(RELATIVE_PATH lib_from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(tinyllm-cli PROPERTIES INSTALL_RPATH "$ORIGIN/${lib_from_bin}")
  install(TARGETS tinyllm-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/tools/embedded/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tinyllm/embedded
          OPTIONAL PATTERN "*.py" EXCLUDE PATTERN "__pycache__" EXCLUDE)
endif()

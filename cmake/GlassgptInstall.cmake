# cmake --install: the program, its default weights, and one library, glassgpt::glassgpt, that find_package(glassgpt) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The folders' libraries as one archive, so that users link one thing.
add_library(glassgpt_library STATIC)
set_target_properties(glassgpt_library PROPERTIES OUTPUT_NAME glassgpt EXPORT_NAME glassgpt)
get_target_property(glassgpt_isas glassgpt_kernels GLASSGPT_ISAS)
list(TRANSFORM glassgpt_isas PREPEND glassgpt_kernels_)
foreach(part IN LISTS glassgpt_isas ITEMS glassgpt_io glassgpt_kernels glassgpt_tokenizer glassgpt_model glassgpt_search glassgpt_distributed glassgpt_train glassgpt_word2vec)
  target_sources(glassgpt_library PRIVATE $<TARGET_OBJECTS:${part}>)
endforeach()
target_compile_features(glassgpt_library PUBLIC cxx_std_20)
target_include_directories(glassgpt_library INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# Private: users link them, but compile without their flags and headers.
target_link_libraries(glassgpt_library PRIVATE OpenMP::OpenMP_CXX BLAS::BLAS ICU::uc)

set(glassgpt_package ${CMAKE_INSTALL_LIBDIR}/cmake/glassgpt)
install(TARGETS glassgpt_library EXPORT glassgptTargets COMPONENT library
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/glassgpt DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library
  FILES_MATCHING PATTERN "*.h")
install(EXPORT glassgptTargets NAMESPACE glassgpt:: DESTINATION ${glassgpt_package} COMPONENT library)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/glassgptConfig.cmake.in
  ${PROJECT_BINARY_DIR}/generated/glassgptConfig.cmake INSTALL_DESTINATION ${glassgpt_package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/generated/glassgptConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/generated/glassgptConfig.cmake ${PROJECT_BINARY_DIR}/generated/glassgptConfigVersion.cmake
  DESTINATION ${glassgpt_package} COMPONENT library)

install(TARGETS glassgpt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/weights DESTINATION ${CMAKE_INSTALL_DATADIR}/glassgpt COMPONENT program)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)

# cmake -D BUILD= -D WORK= -D SOURCE= -D CONFIG= -D COMPILER= -P build_and_run.cmake
set(prefix ${WORK}/prefix)
file(REMOVE_RECURSE ${prefix} ${WORK}/build)

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGV}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} --component library)

file(GLOB_RECURSE headers ${prefix}/include/*)
if(NOT headers)
  message(FATAL_ERROR "no headers were installed")
endif()
foreach(header IN LISTS headers)
  if(NOT header MATCHES "/include/glassgpt/[a-z0-9_]+[.]h$")
    message(FATAL_ERROR "${header} is not one of the public headers")
  endif()
  file(STRINGS ${header} leaks REGEX "xsimd|cblas|nlohmann|immintrin|omp[.]h|GLASSGPT_ISA|#include \"[^\"]*(src|kernels|io|model)/")
  if(leaks)
    message(FATAL_ERROR "${header} leaks what is behind the interface: ${leaks}")
  endif()
endforeach()

run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_BUILD_TYPE=${CONFIG}
  -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)

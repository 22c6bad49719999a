# Flags that every target of the project shares, as one interface library: glassgpt_options.
add_library(glassgpt_options INTERFACE)
target_compile_features(glassgpt_options INTERFACE cxx_std_20)
target_compile_options(glassgpt_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  # A vector's bytes must not depend on what the compiler felt like contracting: FMA is written out in the kernels.
  -ffp-contract=off
  # GCC 12 sees overlaps in std::string's own operator+ that are not there (its bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<BOOL:${GLASSGPT_WERROR}>:-Werror>)
if(GLASSGPT_SANITIZE)
  target_compile_options(glassgpt_options INTERFACE
    -fsanitize=${GLASSGPT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(glassgpt_options INTERFACE -fsanitize=${GLASSGPT_SANITIZE})
endif()
if(GLASSGPT_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "GLASSGPT_BUILD_FUZZERS needs clang (libFuzzer), the compiler is ${CMAKE_CXX_COMPILER_ID}")
  endif()
  target_compile_options(glassgpt_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

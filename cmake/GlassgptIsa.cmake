# glassgpt_add_isa(TARGET NAME MACRO FLAGS): compiles kernels/isa_entry.cpp for one instruction set into TARGET.
# glassgpt_finish_isas(TARGET): tells dispatch.cpp which were added, as GLASSGPT_FOR_EACH_ISA(f) = f(scalar) f(sse2) ...
# glassgpt_compile_per_isa(TARGET SOURCE SYMBOL): compiles one more source into TARGET for each ISA of glassgpt_kernels, in which
#   GLASSGPT_ISA_TABLE is SYMBOL_<isa> (the simd shim's tests use it).
function(glassgpt_compile_for_isa target source symbol name macro flags)
  set(library ${target}_${name})
  add_library(${library} OBJECT ${source})
  target_include_directories(${library} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${library} PRIVATE glassgpt_options)
  target_compile_definitions(${library} PRIVATE
    GLASSGPT_ISA_${macro} GLASSGPT_ISA_NAME="${name}" GLASSGPT_ISA_TABLE=${symbol}_${name})
  # Always optimised, also in a debug build: inline functions of headers that are not inlined would be emitted as weak
  # symbols, and the linker might keep this ISA's copy for everyone. GCC's own AVX-512 headers warn about uninitialised
  # values on purpose (_mm512_undefined).
  target_compile_options(${library} PRIVATE ${flags} -O3 -fno-lto -fno-exceptions -fno-rtti
    -Wno-uninitialized $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${library}>)
endfunction()

function(glassgpt_add_isa target name macro flags)
  glassgpt_compile_for_isa(${target} ${PROJECT_SOURCE_DIR}/kernels/isa_entry.cpp kernel_table
    ${name} ${macro} "${flags}")
  set_property(TARGET ${target} APPEND PROPERTY GLASSGPT_ISAS ${name})
  set_property(TARGET ${target} PROPERTY GLASSGPT_ISA_MACRO_${name} ${macro})
  set_property(TARGET ${target} PROPERTY GLASSGPT_ISA_FLAGS_${name} "${flags}")
endfunction()

function(glassgpt_compile_per_isa target source symbol)
  get_target_property(isas glassgpt_kernels GLASSGPT_ISAS)
  foreach(isa IN LISTS isas)
    get_target_property(macro glassgpt_kernels GLASSGPT_ISA_MACRO_${isa})
    get_target_property(flags glassgpt_kernels GLASSGPT_ISA_FLAGS_${isa})
    glassgpt_compile_for_isa(${target} ${source} ${symbol} ${isa} ${macro} "${flags}")
  endforeach()
endfunction()

function(glassgpt_finish_isas target)
  get_target_property(isas ${target} GLASSGPT_ISAS)
  set(list "")
  foreach(isa IN LISTS isas)
    string(APPEND list " f(${isa})")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/kernels/built_isas.h CONTENT
"// Written by CMake: the instruction sets that were built in, slowest first.
#pragma once
#define GLASSGPT_FOR_EACH_ISA(f)${list}
" @ONLY)
  target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
endfunction()

// The xsimd architecture of the ISA that this file is being compiled for (glassgpt_add_isa in CMake
// sets the macro).
#pragma once

#if defined(GLASSGPT_ISA_SCALAR)
#define GLASSGPT_ISA_ARCH ScalarArch
#elif defined(GLASSGPT_ISA_SSE2)
#define GLASSGPT_ISA_ARCH xsimd::sse2
#elif defined(GLASSGPT_ISA_AVX2)
#define GLASSGPT_ISA_ARCH xsimd::fma3<xsimd::avx2>
#elif defined(GLASSGPT_ISA_AVX512) || defined(GLASSGPT_ISA_AVX512BF16) || defined(GLASSGPT_ISA_AMX)
#define GLASSGPT_ISA_ARCH xsimd::avx512bw
#elif defined(GLASSGPT_ISA_NEON64)
#define GLASSGPT_ISA_ARCH xsimd::neon64
#endif

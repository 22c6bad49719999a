// The BLAS that this process is linked to, and the one place that tells it how many threads to use.
#pragma once

#include <string>

namespace glassgpt::kernels {

struct BlasInfo {
  std::string config;  // what the library says of itself, or "BLAS without a version query" for
                       // others than OpenBLAS
  int threads;         // that a product would use now; 0 where the library cannot say
  bool controllable;   // whether set_blas_threads() has an effect
};

BlasInfo blas_info();

// Holds the library to `threads` threads from now on (process-wide). Works for OpenBLAS's pthread,
// OpenMP and serial builds; does nothing for a BLAS without that control. gemm() and linear() call
// it before each product of the blas backend.
void set_blas_threads(int threads) noexcept;

// Ends the threads that OpenBLAS's pthread build starts as soon as it is loaded. Until they have
// had nothing to do for some 30 ms they call sched_yield() all the time, and OpenMP's threads,
// which spin too, wait for a core: starting the program took three times as long. The next product
// of the blas backend starts them again. Call it when no product runs; false for a BLAS without
// such threads.
bool stop_blas_threads() noexcept;

}  // namespace glassgpt::kernels

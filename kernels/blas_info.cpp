#include "kernels/blas_info.h"

// Weak: a BLAS that is not OpenBLAS does not have them, and the program links all the same.
extern "C" {
[[gnu::weak]] char* openblas_get_config();
[[gnu::weak]] char* openblas_get_corename();
[[gnu::weak]] int openblas_get_num_threads();
[[gnu::weak]] void openblas_set_num_threads(int threads);
// What OpenBLAS itself calls before a fork.
[[gnu::weak]] int blas_thread_shutdown_();
}

namespace glassgpt::kernels {

BlasInfo blas_info() {
  BlasInfo info{"BLAS without a version query", 0, openblas_set_num_threads != nullptr};
  if (openblas_get_config != nullptr) info.config = openblas_get_config();
  if (openblas_get_corename != nullptr &&
      info.config.find(openblas_get_corename()) == std::string::npos)
    info.config.append(" ").append(openblas_get_corename());
  if (openblas_get_num_threads != nullptr) info.threads = openblas_get_num_threads();
  return info;
}

void set_blas_threads(int threads) noexcept {
  if (openblas_set_num_threads == nullptr) return;
  if (openblas_get_num_threads != nullptr && openblas_get_num_threads() == threads) return;
  openblas_set_num_threads(threads);
}

bool stop_blas_threads() noexcept {
  if (blas_thread_shutdown_ == nullptr) return false;
  blas_thread_shutdown_();
  return true;
}

}  // namespace glassgpt::kernels

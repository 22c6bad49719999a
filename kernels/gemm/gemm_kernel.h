// The per-ISA part of the matrix product.
#pragma once

#include "kernels/common.h"

namespace glassgpt::kernels {

struct GemmKernel {
  std::size_t mr, nr;
};

}  // namespace glassgpt::kernels

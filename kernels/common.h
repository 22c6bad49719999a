// Types that every kernel header shares.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glassgpt::kernels {

using TokenId = std::uint32_t;

}  // namespace glassgpt::kernels

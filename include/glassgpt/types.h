// The few types that the whole public interface shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace glassgpt {

using TokenId = std::uint32_t;

// B sequences that lie one behind the other, without padding: sequence b is ids[offsets[b] ..
// offsets[b + 1]). offsets has B + 1 ascending entries, from 0 to ids.size(). An empty sequence is
// allowed and yields no rows.
struct Batch {
  std::span<const TokenId> ids;
  std::span<const std::size_t> offsets;

  std::size_t sequences() const noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }
  std::size_t rows() const noexcept { return ids.size(); }
};

}  // namespace glassgpt

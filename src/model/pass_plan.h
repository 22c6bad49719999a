// What one forward pass has to compute: the observer is asked before it starts, and not again while
// it runs.
#pragma once

#include <cstddef>
#include <vector>

#include "glassgpt/observer.h"

namespace glassgpt {

class PassPlan {
 public:
  // `observer` null: everything up to kFinal, announced to nobody. fills_cache: at least up to the
  // last block's values.
  PassPlan(std::size_t blocks, const Observer* observer, bool fills_cache);

  // Somebody wants this stage: announce it.
  bool wants(Stage stage, std::size_t layer = 0) const noexcept {
    return wanted_[place(stage, layer)];
  }
  // This stage or a later one is wanted: compute it.
  bool reaches(Stage stage, std::size_t layer = 0) const noexcept {
    return place(stage, layer) < end_;
  }

  // How many blocks have a stage to compute.
  std::size_t blocks_reached() const noexcept;

 private:
  // The stages of the whole pass in their order, numbered from 0.
  std::size_t place(Stage stage, std::size_t layer) const noexcept;

  std::size_t blocks_;
  std::size_t end_ = 0;  // one past the last stage to compute
  std::vector<bool> wanted_;
};

}  // namespace glassgpt

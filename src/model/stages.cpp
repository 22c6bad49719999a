#include <array>

#include "glassgpt/observer.h"

namespace glassgpt {
namespace {

// In the order of Stage.
constexpr std::array<std::string_view, 19> kNames = {"tokens",
                                                     "token_embedding",
                                                     "position",
                                                     "embedding",
                                                     "ln_1",
                                                     "q",
                                                     "k",
                                                     "v",
                                                     "scores",
                                                     "attention",
                                                     "attention_heads",
                                                     "attention_out",
                                                     "residual_mid",
                                                     "ln_2",
                                                     "mlp_hidden",
                                                     "mlp_out",
                                                     "residual",
                                                     "final",
                                                     "logits"};
static_assert(kNames.size() == static_cast<std::size_t>(Stage::kLogits) + 1);

}  // namespace

std::string_view stage_name(Stage stage) noexcept {
  return kNames[static_cast<std::size_t>(stage)];
}

std::optional<Stage> stage_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Stage>(i);
  return std::nullopt;
}

bool stage_is_per_block(Stage stage) noexcept {
  return stage >= Stage::kLn1 && stage <= Stage::kResidual;
}

}  // namespace glassgpt

#include <algorithm>
#include <cstdint>

#include "model/parts.h"

namespace glassgpt {
namespace {

constexpr std::size_t kCacheLineFloats = 16;

std::size_t round_up(std::size_t floats) noexcept {
  return (floats + kCacheLineFloats - 1) / kCacheLineFloats * kCacheLineFloats;
}

}  // namespace

void Activations::Buffer::grow(std::size_t floats) {
  if (floats + kCacheLineFloats <= storage_.size()) return;
  storage_.clear();  // nothing to keep: growing must not copy
  storage_.resize(floats + kCacheLineFloats);
}

float* Activations::Buffer::data() noexcept {
  const std::size_t line = kCacheLineFloats * sizeof(float);
  const std::size_t past = reinterpret_cast<std::uintptr_t>(storage_.data()) % line;
  return storage_.data() + (past == 0 ? 0 : (line - past) / sizeof(float));
}

Activations::Activations(const ModelConfig& config, KeepActivations keep)
    : config_(config), keep_(keep) {}

// Every part is a multiple of the rounded number of rows, so each starts on a cache line.
std::size_t Activations::floats_per_block() const noexcept {
  const std::size_t width = config_.n_embd;
  return rows_ * (8 * width + 2 * config_.inner() + config_.n_head + 4);
}

void Activations::reserve(std::size_t rows) {
  if (rows > rows_) rows_ = round_up(rows);
  const std::size_t width = config_.n_embd;
  const std::size_t around_blocks = rows_ * (2 * width + 2);  // embedding; final and its statistics
  const std::size_t blocks = keeps_all() ? config_.n_layer * floats_per_block()
                                         : rows_ * std::max(3 * width, config_.inner());
  storage_.grow(around_blocks + blocks);
}

float* Activations::embedding() noexcept { return storage_.data(); }

float* Activations::final() noexcept { return embedding() + rows_ * config_.n_embd; }

float* Activations::final_mean() noexcept {
  return keeps_all() ? final() + rows_ * config_.n_embd : nullptr;
}

float* Activations::final_rstd() noexcept { return keeps_all() ? final_mean() + rows_ : nullptr; }

BlockActivations Activations::block(std::size_t k) noexcept {
  const std::size_t width = config_.n_embd, inner = config_.inner();
  float* const blocks = final() + rows_ * (width + 2);
  BlockActivations a{};
  if (!keeps_all()) {
    // Three buffers suffice: what one stage wrote is dead when the next but one writes.
    a.input = a.residual_mid = a.output = embedding();
    a.ln_1 = a.heads = a.ln_2 = final();
    a.qkv = a.mlp_hidden = blocks;
    return a;
  }
  float* next = blocks + k * floats_per_block();
  const auto take = [&](std::size_t columns) {
    float* const part = next;
    next += rows_ * columns;
    return part;
  };
  // The output comes first, where the next block looks for it.
  a.output = take(width);
  a.input = k == 0 ? embedding() : blocks + (k - 1) * floats_per_block();
  a.ln_1 = take(width);
  a.ln_1_mean = take(1);
  a.ln_1_rstd = take(1);
  a.qkv = take(3 * width);
  a.heads = take(width);
  a.log_sum_exp = take(config_.n_head);
  a.residual_mid = take(width);
  a.ln_2 = take(width);
  a.ln_2_mean = take(1);
  a.ln_2_rstd = take(1);
  a.mlp_pre = take(inner);
  a.mlp_hidden = take(inner);
  return a;
}

void Activations::reserve_scratch(int threads, std::size_t floats) {
  scratch_floats_ = std::max(scratch_floats_, round_up(floats));
  scratch_.grow(scratch_floats_ * static_cast<std::size_t>(threads));
}

float* Activations::scratch(int thread) noexcept {
  return scratch_.data() + static_cast<std::size_t>(thread) * scratch_floats_;
}

float* Activations::watched(std::size_t floats) {
  watched_.grow(floats);
  return watched_.data();
}

std::size_t Activations::bytes() const noexcept {
  return storage_.bytes() + scratch_.bytes() + watched_.bytes();
}

}  // namespace glassgpt

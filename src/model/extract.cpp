#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "glassgpt/embed.h"
#include "model/parallel.h"

namespace glassgpt {
namespace {

std::string two_digits(std::size_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 2) digits.insert(digits.begin(), '0');
  return digits;
}

std::vector<std::string_view> split_list(std::string_view list) {
  std::vector<std::string_view> entries;
  for (;;) {
    const std::size_t comma = list.find(',');
    std::string_view entry = list.substr(0, comma);
    while (!entry.empty() && entry.front() == ' ') entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ') entry.remove_suffix(1);
    entries.push_back(entry);
    if (comma == std::string_view::npos) return entries;
    list.remove_prefix(comma + 1);
  }
}

std::optional<long> to_number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

VectorKind layer_kind(const ModelConfig& config, std::size_t number) {
  const bool input = number == 0;
  return {input ? Stage::kEmbedding : Stage::kResidual, input ? 0 : number - 1,
          std::string("layer_").append(two_digits(number)), std::to_string(number), config.n_embd};
}

VectorKind final_kind(const ModelConfig& config) {
  return {Stage::kFinal, 0, "final", "final", config.n_embd};
}

std::size_t stage_cols(const ModelConfig& config, Stage stage) {
  if (stage == Stage::kMlpHidden) return config.inner();
  if (stage == Stage::kLogits) return config.vocab_size;
  return config.n_embd;
}

bool has_row_per_token(Stage stage) {
  return stage != Stage::kTokens && stage != Stage::kScores && stage != Stage::kAttention;
}

std::string tap_names() {
  std::string names;
  for (int i = 0; i <= static_cast<int>(Stage::kLogits); ++i) {
    const Stage stage = static_cast<Stage>(i);
    if (!has_row_per_token(stage)) continue;
    if (!names.empty()) names += ", ";
    names += stage_name(stage);
  }
  return names;
}

// Embedding before block 0, block by block in the order of stages, then what follows the blocks.
bool in_order_of_pass(const VectorKind& a, const VectorKind& b) {
  const auto place = [](const VectorKind& kind) {
    const std::size_t part = stage_is_per_block(kind.stage) ? 1 : kind.stage < Stage::kLn1 ? 0 : 2;
    return std::tuple(part, kind.layer, static_cast<int>(kind.stage));
  };
  return place(a) < place(b);
}

std::vector<VectorKind> ordered_once(std::vector<VectorKind> kinds) {
  std::stable_sort(kinds.begin(), kinds.end(), in_order_of_pass);
  const auto same = [](const VectorKind& a, const VectorKind& b) { return a.name == b.name; };
  kinds.erase(std::unique(kinds.begin(), kinds.end(), same), kinds.end());
  return kinds;
}

void add_tap(const ModelConfig& config, std::string_view entry, std::vector<VectorKind>& kinds) {
  const std::size_t dot = entry.find('.');
  const std::string name(entry.substr(0, dot));
  const auto stage = stage_from_name(name);
  const std::string quoted = std::string("'").append(entry).append("'");
  if (!stage) {
    throw std::invalid_argument("there is no tap " + quoted + "; there are " + tap_names());
  }
  if (!has_row_per_token(*stage)) {
    throw std::invalid_argument("tap " + quoted + " is not a vector per token; there are " +
                                tap_names());
  }
  const bool per_block = stage_is_per_block(*stage);
  std::size_t begin = 0, end = per_block ? config.n_layer : 1;
  if (dot != std::string_view::npos) {
    const auto block = to_number(entry.substr(dot + 1));
    if (!per_block || !block || *block < 0 || static_cast<std::size_t>(*block) >= config.n_layer) {
      throw std::invalid_argument(
          "tap " + quoted + ": " +
          (per_block ? "blocks are numbered 0 to " + std::to_string(config.n_layer - 1)
                     : "this stage is not in a block"));
    }
    begin = static_cast<std::size_t>(*block);
    end = begin + 1;
  }
  for (std::size_t block = begin; block < end; ++block) {
    const std::string full = per_block ? name + "_" + two_digits(block) : name;
    kinds.push_back({*stage, block, full, full, stage_cols(config, *stage)});
  }
}

}  // namespace

std::vector<VectorKind> parse_layers(const ModelConfig& config, std::string_view list) {
  const long last = static_cast<long>(config.n_layer);
  std::vector<VectorKind> kinds;
  for (const std::string_view entry : split_list(list)) {
    const auto number = to_number(entry);
    if (entry == "final") {
      kinds.push_back(final_kind(config));
    } else if (entry == "all") {
      for (long k = 0; k <= last; ++k) {
        kinds.push_back(layer_kind(config, static_cast<std::size_t>(k)));
      }
      kinds.push_back(final_kind(config));
    } else if (number && *number >= -(last + 1) && *number <= last) {
      const long layer = *number >= 0 ? *number : last + 1 + *number;
      kinds.push_back(layer_kind(config, static_cast<std::size_t>(layer)));
    } else {
      throw std::invalid_argument(
          std::string("'").append(entry) + "' is no layer of this model: " + "expected 0 to " +
          std::to_string(last) + ", -1 to -" + std::to_string(last + 1) + ", final, or all");
    }
  }
  return ordered_once(std::move(kinds));
}

std::vector<VectorKind> parse_taps(const ModelConfig& config, std::string_view list) {
  std::vector<VectorKind> kinds;
  for (const std::string_view entry : split_list(list)) add_tap(config, entry, kinds);
  return ordered_once(std::move(kinds));
}

VectorExtractor::VectorExtractor(std::vector<VectorKind> kinds, ExtractionOptions options,
                                 VectorSink& sink)
    : kinds_(std::move(kinds)), options_(std::move(options)), sink_(&sink), open_(kinds_.size()) {
  if (options_.center.empty()) return;
  if (options_.center.size() != kinds_.size()) {
    throw std::invalid_argument("expected a centre for each of " + std::to_string(kinds_.size()) +
                                " kinds of vectors, got " + std::to_string(options_.center.size()));
  }
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    if (options_.center[i].size() == kinds_[i].cols) continue;
    throw std::invalid_argument("the centre of " + kinds_[i].name + " has " +
                                std::to_string(options_.center[i].size()) +
                                " values, its vectors have " + std::to_string(kinds_[i].cols));
  }
}

bool VectorExtractor::wants(Stage stage, std::size_t layer) const {
  return std::any_of(kinds_.begin(), kinds_.end(), [&](const VectorKind& kind) {
    return kind.stage == stage && kind.layer == layer;
  });
}

void VectorExtractor::set_ranges(std::span<const RowRange> ranges) {
  ranges_.assign(ranges.begin(), ranges.end());
  group_begin_.clear();
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    if (ranges_[i].begin >= ranges_[i].end) {
      throw std::invalid_argument("range " + std::to_string(i) + " of the rows is empty");
    }
    if (i == 0 || ranges_[i].first) group_begin_.push_back(i);
  }
  group_begin_.push_back(ranges_.size());
}

void VectorExtractor::on_stage(const StageView& view) {
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    if (kinds_[i].stage != view.stage || kinds_[i].layer != view.layer) continue;
    if (options_.pooling != Pooling::kNone) {
      hand_out_pooled(i, view);
    } else if (changes_rows()) {
      hand_out_changed(i, view);
    } else {
      hand_out_as_they_are(i, view);
    }
  }
}

// Each row of the pass once, in their order.
bool VectorExtractor::takes_all(std::size_t rows) const {
  std::size_t end = 0;
  for (const RowRange& range : ranges_) {
    if (range.begin != end) return false;
    end = range.end;
  }
  return end == rows;
}

// A second kind of the same stage gets its rows as a copy.
float* VectorExtractor::room(Stage stage, std::size_t layer, std::size_t rows, std::size_t) {
  if (options_.pooling != Pooling::kNone || changes_rows() || !takes_all(rows)) return nullptr;
  const auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&](const VectorKind& k) {
    return k.stage == stage && k.layer == layer;
  });
  if (kind == kinds_.end()) return nullptr;
  return sink_->room(static_cast<std::size_t>(kind - kinds_.begin()), rows);
}

void VectorExtractor::hand_out_as_they_are(std::size_t kind, const StageView& view) {
  for (std::size_t i = 0; i < ranges_.size();) {
    const std::size_t begin = ranges_[i].begin;
    std::size_t end = ranges_[i].end;
    for (++i; i < ranges_.size() && ranges_[i].begin == end; ++i) end = ranges_[i].end;
    sink_->on_rows(kind, view.data + begin * view.stride, end - begin, view.stride);
  }
}

void VectorExtractor::hand_out_changed(std::size_t kind, const StageView& view) {
  const std::size_t cols = view.cols;
  std::vector<const float*> from;
  for (const RowRange& range : ranges_) {
    for (std::size_t r = range.begin; r < range.end; ++r) {
      from.push_back(view.data + r * view.stride);
    }
  }
  if (from.empty()) return;
  rows_.resize(from.size() * cols);
  for_row_ranges(from.size(), cols, options_.threads, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      std::copy(from[r], from[r] + cols, rows_.data() + r * cols);
      finish_row(kind, rows_.data() + r * cols);
    }
  });
  sink_->on_rows(kind, rows_.data(), from.size(), cols);
}

// Groups are shared out among threads; each is summed by one. Only the first may have begun in the
// batch before, and only the last may go on in the next.
void VectorExtractor::hand_out_pooled(std::size_t kind, const StageView& view) {
  const std::size_t cols = view.cols;
  const std::size_t groups = group_begin_.size() - 1;
  if (groups == 0) return;
  const std::size_t closed = groups - (ranges_.back().last ? 0 : 1);
  rows_.resize(closed * cols);
  const int threads = threads_worth(view.rows * cols, std::max(1, options_.threads));
  std::vector<Accumulator> parts(static_cast<std::size_t>(threads));
  Accumulator begun;
  if (closed > 0) std::swap(begun, open_[kind]);
  for_tasks(groups, threads, [&](std::size_t g, int thread) {
    Accumulator& group = g == closed ? open_[kind]
                         : g == 0    ? begun
                                     : parts[static_cast<std::size_t>(thread)];
    if (ranges_[group_begin_[g]].first) group.restart();
    for (std::size_t i = group_begin_[g]; i < group_begin_[g + 1]; ++i) {
      for (std::size_t r = ranges_[i].begin; r < ranges_[i].end; ++r) {
        accumulate(group, view.data + r * view.stride, cols);
      }
    }
    if (g == closed) return;
    finish_group(group, rows_.data() + g * cols, cols);
    finish_row(kind, rows_.data() + g * cols);
  });
  if (closed > 0) sink_->on_rows(kind, rows_.data(), closed, cols);
}

void VectorExtractor::accumulate(Accumulator& group, const float* row, std::size_t cols) const {
  ++group.tokens;
  if (group.tokens == 1) group.sum.assign(cols, 0.0);
  switch (options_.pooling) {
    case Pooling::kFirst:
      if (group.tokens == 1) std::copy(row, row + cols, group.sum.begin());
      break;
    case Pooling::kLast:
      std::copy(row, row + cols, group.sum.begin());
      break;
    case Pooling::kMax:
      for (std::size_t c = 0; c < cols; ++c) {
        // A NaN stays: no comparison replaces it.
        if (group.tokens == 1 || row[c] > group.sum[c] || std::isnan(row[c])) group.sum[c] = row[c];
      }
      break;
    default: {
      const double weight =
          options_.pooling == Pooling::kWeightedMean ? static_cast<double>(group.tokens) : 1.0;
      group.weight += weight;
      for (std::size_t c = 0; c < cols; ++c) group.sum[c] += weight * row[c];
    }
  }
}

void VectorExtractor::finish_group(const Accumulator& group, float* out, std::size_t cols) const {
  const double divisor = group.weight > 0 ? group.weight : 1.0;
  for (std::size_t c = 0; c < cols; ++c) out[c] = static_cast<float>(group.sum[c] / divisor);
}

void VectorExtractor::finish_row(std::size_t kind, float* row) const {
  const std::size_t cols = kinds_[kind].cols;
  if (!options_.center.empty()) {
    for (std::size_t c = 0; c < cols; ++c) row[c] -= options_.center[kind][c];
  }
  if (!options_.normalize) return;
  double squares = 0;
  for (std::size_t c = 0; c < cols; ++c) squares += static_cast<double>(row[c]) * row[c];
  if (squares == 0) return;
  const double length = std::sqrt(squares);
  for (std::size_t c = 0; c < cols; ++c) row[c] = static_cast<float>(row[c] / length);
}

}  // namespace glassgpt

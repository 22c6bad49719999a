#include "train/validation.h"

#include <algorithm>
#include <numbers>

#include "glassgpt/error.h"

namespace glassgpt::training {

std::vector<std::uint32_t> token_byte_counts(const Tokenizer& tokenizer) {
  std::vector<std::uint32_t> counts(tokenizer.vocab_size(), 0);
  for (TokenId id = 0; id < counts.size(); ++id) {
    if (tokenizer.is_special(id)) continue;
    try {
      counts[id] = static_cast<std::uint32_t>(tokenizer.token_bytes(id).size());
    } catch (const Error&) {
      // An id without a token: it never comes out of the tokenizer.
    }
  }
  return counts;
}

Validator::Validator(const TokenFile& file, const std::vector<Source>& sources, std::size_t tokens,
                     std::vector<std::uint32_t> byte_counts)
    : byte_counts_(std::move(byte_counts)) {
  for (const Source& source : sources) {
    std::uint64_t count = file.streams()[source.stream].count;
    if (tokens > 0) count = std::min<std::uint64_t>(count, tokens);
    if (count < 2) continue;
    sources_.push_back({source.name, std::vector<TokenId>(count)});
    file.read(source.stream, 0, sources_.back().ids);
  }
}

ValidationResult Validator::run(const Held& source, Learner& learner,
                                std::size_t batch_tokens) const {
  const std::size_t context = learner.config().n_positions;
  const std::size_t batch_rows = std::max(context, batch_tokens / context * context);
  const std::span<const TokenId> ids(source.ids);
  const std::size_t rows = ids.size() - 1;
  std::vector<float> losses(std::min(rows, batch_rows));
  ValidationResult result{.source = source.name};
  double nats = 0;
  for (std::size_t begin = 0; begin < rows; begin += batch_rows) {
    const std::size_t count = std::min(batch_rows, rows - begin);
    std::vector<std::size_t> offsets;
    for (std::size_t at = 0; at < count; at += context) offsets.push_back(at);
    offsets.push_back(count);
    const auto targets = ids.subspan(begin + 1, count);
    learner.losses({ids.subspan(begin, count), offsets}, targets, losses.data());
    for (std::size_t row = 0; row < count; ++row) {
      nats += losses[row];
      result.bytes += byte_counts_[targets[row]];
    }
  }
  result.tokens = rows;
  result.nats_per_token = nats / static_cast<double>(rows);
  if (result.bytes > 0) {
    result.bits_per_byte = nats / (std::numbers::ln2 * static_cast<double>(result.bytes));
  }
  return result;
}

ValidationReport Validator::run(Learner& learner, std::size_t batch_tokens) const {
  ValidationReport report{};
  double nats = 0;
  std::size_t tokens = 0, bytes = 0;
  for (const Held& source : sources_) {
    report.sources.push_back(run(source, learner, batch_tokens));
    const ValidationResult& result = report.sources.back();
    nats += result.nats_per_token * static_cast<double>(result.tokens);
    tokens += result.tokens;
    bytes += result.bytes;
  }
  if (tokens > 0) report.nats_per_token = nats / static_cast<double>(tokens);
  if (bytes > 0) report.bits_per_byte = nats / (std::numbers::ln2 * static_cast<double>(bytes));
  return report;
}

}  // namespace glassgpt::training

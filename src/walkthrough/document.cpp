#include "walkthrough/document.h"

#include <optional>
#include <utility>
#include <vector>

namespace glassgpt::walkthrough {
namespace {

using nlohmann::ordered_json;

// What is given up, from what the page needs least: a format for some tensors, or the tensors
// themselves. SCHEMA.md lists the steps.
struct Step {
  std::vector<const char*> pointers;
  std::optional<NumberFormat> format;  // none: left out
};

const std::vector<Step>& steps() {
  static const std::vector<Step> list = {
      // Both are in other tensors too: layer 0, and rows of the table.
      {{"/embedding/input", "/positions/text"}, std::nullopt},
      {{"/skip_gram/corpora/0/vectors", "/skip_gram/corpora/1/vectors"}, NumberFormat::kByte},
      {{"/attention/heads", "/layers/attention_out", "/layers/mlp_out", "/layers/final",
        "/embedding/rows", "/embedding/formation/views/table/xy",
        "/embedding/formation/views/table/cosines", "/embedding/formation/views/final/xy",
        "/embedding/formation/views/final/cosines", "/positions/sinusoidal/rows",
        "/positions/sinusoidal/cosines", "/positions/learned/rows", "/positions/learned/cosines",
        "/uses/vectors"},
       NumberFormat::kHalf},
      {{"/layers/residual"}, NumberFormat::kHalf},
      {{"/attention/scores", "/attention/weights"}, NumberFormat::kFloat24},
      {{"/attention/q", "/attention/k", "/attention/v"}, NumberFormat::kFloat24},
      {{"/attention/scores", "/attention/weights"}, NumberFormat::kHalf},
      {{"/attention/heads"}, std::nullopt},
      {{"/layers/attention_out", "/layers/mlp_out"}, std::nullopt},
      {{"/attention/v"}, NumberFormat::kHalf},
      {{"/attention/q", "/attention/k"}, NumberFormat::kHalf},
  };
  return list;
}

}  // namespace

void Document::put(const std::string& pointer, Tensor tensor) {
  json[ordered_json::json_pointer(pointer)] = nullptr;
  tensors_.insert_or_assign(pointer, std::move(tensor));
}

std::string Document::dump(std::size_t budget) const {
  const auto dumped = [](const ordered_json& value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  };
  std::map<std::string, std::optional<NumberFormat>> formats;
  std::size_t size = budget > 0 ? dumped(json).size() : 0;
  for (const auto& [pointer, tensor] : tensors_) {
    formats[pointer] = NumberFormat::kFloat32;
    // The object around the digits is a hundred bytes at most.
    size += 100 + encoded_size(tensor.values.size(), NumberFormat::kFloat32);
  }
  for (const Step& step : steps()) {
    if (size <= budget || budget == 0) break;
    for (const char* pointer : step.pointers) {
      const auto tensor = tensors_.find(pointer);
      if (tensor == tensors_.end()) continue;
      const std::size_t values = tensor->second.values.size();
      std::optional<NumberFormat>& format = formats.at(pointer);
      size -= encoded_size(values, *format);
      format = step.format;
      if (format) size += encoded_size(values, *format);
    }
  }
  ordered_json whole = json;
  for (const auto& [pointer, tensor] : tensors_) {
    const std::optional<NumberFormat> format = formats.at(pointer);
    if (format) whole[ordered_json::json_pointer(pointer)] = encode(tensor, *format);
  }
  return dumped(whole);
}

}  // namespace glassgpt::walkthrough

// Chapter 5's second half: how the model's vectors came about, from the snapshots of its training.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cli/options.h"
#include "glassgpt/error.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kFile = "snapshots.safetensors";
constexpr const char* kFormat = "glassgpt snapshots 1";
constexpr std::size_t kNeighbours = 4;

// What scripts/snapshots.py writes.
class Snapshots {
 public:
  explicit Snapshots(const fs::path& path) : path_(path), file_(path) {
    const auto& metadata = file_.metadata();
    if (!metadata.contains("format") || metadata.at("format") != kFormat) {
      fail(fmt::format("is not of the format \"{}\"", kFormat));
    }
    if (metadata.contains("words")) {
      const json list = io::parse_json(metadata.at("words"), path.string());
      const bool strings = list.is_array() && std::all_of(list.begin(), list.end(), [](auto& one) {
                             return one.is_string();
                           });
      if (strings) words = list.get<std::vector<std::string>>();
    }
    const io::TensorView* step = file_.find("step");
    if (words.size() < 2 || step == nullptr || step->dtype_name != "I32" ||
        step->shape.size() != 1 || step->shape[0] == 0) {
      fail("has no words or no steps");
    }
    steps.resize(step->shape[0]);
    std::memcpy(steps.data(), step->data.data(), step->data.size());
  }

  // [S, W, C], each snapshot's words less their mean, and of length 1.
  std::vector<double> directions(const char* name, std::size_t& cols) const {
    const io::TensorView* tensor = file_.find(name);
    if (tensor == nullptr || tensor->shape.size() != 3 || tensor->shape[0] != steps.size() ||
        tensor->shape[1] != words.size() || tensor->shape[2] == 0) {
      fail(fmt::format("has no tensor {} of [{}, {}, C]", name, steps.size(), words.size()));
    }
    std::vector<float> values(tensor->elements());
    io::to_float(*tensor, values.data());
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      fail(fmt::format("{} has a number that is not finite", name));
    }
    cols = tensor->shape[2];
    std::vector<double> rows(values.begin(), values.end());
    for (std::size_t s = 0; s < steps.size(); ++s) {
      centre(std::span(rows).subspan(s * words.size() * cols, words.size() * cols), cols);
    }
    return rows;
  }

  std::vector<std::string> words;
  std::vector<std::int32_t> steps;

 private:
  [[noreturn]] void fail(const std::string& detail) const {
    throw Error(ErrorCode::kMalformed, path_.string(), detail,
                "scripts/snapshots.py makes it; without it the page leaves this part out");
  }

  void centre(std::span<double> rows, std::size_t cols) const {
    std::vector<double> mean(cols, 0.0);
    for (std::size_t i = 0; i < rows.size(); ++i) mean[i % cols] += rows[i];
    for (std::size_t w = 0; w < words.size(); ++w) {
      const auto row = rows.subspan(w * cols, cols);
      double squares = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        row[c] -= mean[c] / static_cast<double>(words.size());
        squares += row[c] * row[c];
      }
      for (double& value : row) value /= squares > 0 ? std::sqrt(squares) : 1.0;
    }
  }

  fs::path path_;
  io::SafetensorsFile file_;
};

// Groups of words of one kind, as places in the file's list.
ordered_json groups_json(const json& groups, const std::vector<std::string>& words) {
  ordered_json list = ordered_json::array();
  for (const json& group : groups) {
    ordered_json places = ordered_json::array();
    for (const json& word : group["words"]) {
      const auto at = std::find(words.begin(), words.end(), word.get<std::string>());
      if (at != words.end()) places.push_back(at - words.begin());
    }
    if (places.size() > 1) list.push_back({{"name", group["name"]}, {"words", std::move(places)}});
  }
  return list;
}

// The mean cosine of pairs of one group, and of pairs of two groups, in one snapshot.
struct Togetherness {
  double same = 0, different = 0;
};
Togetherness togetherness(const ordered_json& groups, const std::vector<double>& cosines,
                          std::size_t words) {
  Togetherness sums;
  std::size_t same = 0, different = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t h = 0; h <= g; ++h) {
      for (const std::size_t i : groups[g]["words"]) {
        for (const std::size_t j : groups[h]["words"]) {
          if (i == j || (g == h && j > i)) continue;
          (g == h ? sums.same : sums.different) += cosines[i * words + j];
          (g == h ? same : different) += 1;
        }
      }
    }
  }
  return {sums.same / static_cast<double>(std::max<std::size_t>(1, same)),
          sums.different / static_cast<double>(std::max<std::size_t>(1, different))};
}

void add_view(Document& document, const Snapshots& snapshots, const char* name) {
  const std::size_t words = snapshots.words.size(), steps = snapshots.steps.size();
  std::size_t cols = 0;
  const std::vector<double> rows = snapshots.directions(name, cols);
  const std::string pointer = std::string("/embedding/formation/views/") + name;
  ordered_json view = {
      {"xy", nullptr},      {"explained", nullptr},          {"nearest", nullptr},
      {"cosines", nullptr}, {"same", ordered_json::array()}, {"different", ordered_json::array()}};
  std::vector<std::uint16_t> nearest;
  const std::size_t count = std::min(kNeighbours, words - 1);
  Tensor near_cosines{{steps, words, count}, {}, {}};
  const ordered_json& groups = document.json["embedding"]["formation"]["groups"];
  for (std::size_t s = 0; s < steps; ++s) {
    std::vector<double> cosines(words * words);
    const auto row = [&](std::size_t w) { return rows.data() + (s * words + w) * cols; };
    for (std::size_t i = 0; i < words; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (std::size_t c = 0; c < cols; ++c) sum += row(i)[c] * row(j)[c];
        cosines[i * words + j] = cosines[j * words + i] = sum;
      }
    }
    for (std::size_t i = 0; i < words; ++i) {
      std::vector<double> others(cosines.begin() + static_cast<std::ptrdiff_t>(i * words),
                                 cosines.begin() + static_cast<std::ptrdiff_t>((i + 1) * words));
      others[i] = -2;
      for (const std::size_t j : largest(others, count)) {
        nearest.push_back(static_cast<std::uint16_t>(j));
        near_cosines.values.push_back(static_cast<float>(others[j]));
      }
    }
    const Togetherness mean = togetherness(groups, cosines, words);
    view["same"].push_back(nine_digits(mean.same));
    view["different"].push_back(nine_digits(mean.different));
  }
  // One plane for all snapshots, so that a word can be followed from one to the next.
  Components plane = principal_components(rows, cols, 2);
  view["explained"] = plane.explained;
  view["nearest"] = encode_u16(near_cosines.shape, nearest);
  document.json[ordered_json::json_pointer(pointer)] = std::move(view);
  document.put(pointer + "/xy", {{steps, words, 2}, {}, std::move(plane.coordinates)});
  document.put(pointer + "/cosines", std::move(near_cosines));
}

}  // namespace

void add_formation(Document& document, const Subject& subject, const json& examples) {
  ordered_json& formation = document.json["embedding"]["formation"];
  formation = nullptr;
  // weights/mini was trained without keeping snapshots; its sibling's show the same.
  const bool own = !is_bundled(subject.directory, "mini");
  const fs::path directory = own ? subject.directory : cli::bundled_model("mini-learned");
  std::error_code error;
  if (directory.empty() || !fs::exists(directory / kFile, error)) return;
  const Snapshots snapshots(directory / kFile);
  formation = {{"source", directory.filename().string() + "/" + kFile},
               {"model", directory.filename().string()},
               {"own", own},
               {"steps", snapshots.steps},
               {"words", snapshots.words},
               {"groups", groups_json(examples["formation"], snapshots.words)},
               {"views", ordered_json::object()}};
  for (const char* name : {"table", "final"}) add_view(document, snapshots, name);
}

}  // namespace glassgpt::walkthrough

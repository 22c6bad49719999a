// Chapters 5 and 6: rows of the table, and positions.
#include <algorithm>
#include <cmath>
#include <optional>

#include "cli/neighbours.h"
#include "glassgpt/error.h"
#include "kernels/dispatch.h"
#include "model/parts.h"
#include "walkthrough/chapters.h"
#include "walkthrough/mathematics.h"

namespace glassgpt::walkthrough {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::size_t kNeighbours = 8;
constexpr std::size_t kFewestPositions = 64;  // that the page shows, if the table has as many

std::span<const float> table_row(const Model& model, TokenId id) {
  const std::size_t width = model.config().n_embd;
  return {model.parts().tensors.token_embedding + id * width, width};
}

std::size_t place_in(const std::vector<TokenId>& ids, TokenId id) {
  return static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
}

// The command for the first token that is its own encoding; none need be, for example where every
// token is part of a character.
ordered_json nearest_command(const Subject& subject, const std::vector<TokenId>& ids) {
  for (const TokenId id : ids) {
    const std::string_view bytes = subject.tokenizer.token_bytes(id);
    if (is_valid_utf8(bytes) && subject.tokenizer.encode(bytes) == std::vector<TokenId>{id}) {
      return subject.command("nearest --json --top 8", {bytes});
    }
  }
  return subject.command("nearest --json --top 8");
}

// The tokens of the text and their neighbours on a plane.
void add_map(Document& document, const Subject& subject, std::vector<TokenId> ids,
             std::size_t of_text) {
  const std::size_t width = subject.model.config().n_embd;
  ordered_json of = ordered_json::array();
  std::vector<double> rows;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    of.push_back(i < of_text ? ordered_json(i) : ordered_json(nullptr));
    const auto row = table_row(subject.model, ids[i]);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  Components components = principal_components(rows, width, 2);
  document.json["embedding"]["map"] = {{"tokens", tokens_json(subject.tokenizer, ids)},
                                       {"of", of},
                                       {"xy", nullptr},
                                       {"explained", components.explained}};
  document.put("/embedding/map/xy", {{ids.size(), 2}, {}, std::move(components.coordinates)});
}

// A table of positions and where it comes from.
struct PositionTable {
  std::string source;
  std::size_t n_positions, width;
  std::vector<float> values;

  std::span<const float> row(std::size_t p) const { return {values.data() + p * width, width}; }
};

PositionTable table_of(const Model& model, std::string source) {
  const ModelConfig& config = model.config();
  const float* values = model.parts().tensors.position_embedding;
  return {std::move(source), config.n_positions, config.n_embd,
          std::vector<float>(values, values + config.n_positions * config.n_embd)};
}

PositionTable table_by_formula(const ModelConfig& config) {
  PositionTable table{"formula", config.n_positions, config.n_embd, {}};
  table.values.resize(table.n_positions * table.width);
  kernels::active_kernels().sinusoidal_positions(table.n_positions, table.width, 0,
                                                 table.values.data(), table.width);
  return table;
}

// Dot products of all pairs of positions, by their distance.
void add_distances(ordered_json& chapter, const PositionTable& table) {
  for (std::size_t distance = 0; distance < table.n_positions; ++distance) {
    double sum = 0, least = 0, most = 0, cosines = 0;
    const std::size_t pairs = table.n_positions - distance;
    for (std::size_t p = 0; p < pairs; ++p) {
      const auto x = table.row(p), y = table.row(p + distance);
      double dot = 0;
      for (std::size_t c = 0; c < table.width; ++c) {
        dot += static_cast<double>(x[c]) * static_cast<double>(y[c]);
      }
      sum += dot;
      least = p == 0 ? dot : std::min(least, dot);
      most = p == 0 ? dot : std::max(most, dot);
      cosines += cosine(x, y);
    }
    chapter["distance"].push_back(distance);
    chapter["mean_dot"].push_back(nine_digits(sum / static_cast<double>(pairs)));
    chapter["min_dot"].push_back(nine_digits(least));
    chapter["max_dot"].push_back(nine_digits(most));
    chapter["mean_cosine"].push_back(nine_digits(cosines / static_cast<double>(pairs)));
  }
}

void add_table(Document& document, const std::string& name, const PositionTable& table,
               std::size_t tokens) {
  const std::size_t shown = std::min(table.n_positions, std::max(kFewestPositions, tokens));
  const std::size_t compared = std::min(table.n_positions, kFewestPositions);
  ordered_json& chapter = document.json["positions"][name];
  chapter = {{"source", table.source}, {"n_positions", table.n_positions}, {"n_embd", table.width},
             {"rows", nullptr},        {"norms", ordered_json::array()},   {"cosines", nullptr}};
  for (std::size_t p = 0; p < shown; ++p)
    chapter["norms"].push_back(nine_digits(norm(table.row(p))));
  add_distances(chapter, table);
  chapter["frequencies"] = nullptr;
  if (name == "sinusoidal") {
    for (std::size_t c = 0; c < table.width; c += 2) {
      chapter["frequencies"].push_back(
          std::pow(10000.0, -static_cast<double>(c) / static_cast<double>(table.width)));
    }
  }
  const auto end = table.values.begin() + static_cast<std::ptrdiff_t>(shown * table.width);
  document.put("/positions/" + name + "/rows",
               {{shown, table.width}, {}, {table.values.begin(), end}});
  Tensor cosines{{compared, compared}, {}, {}};
  for (std::size_t p = 0; p < compared; ++p) {
    for (std::size_t q = 0; q < compared; ++q) {
      cosines.values.push_back(static_cast<float>(cosine(table.row(p), table.row(q))));
    }
  }
  document.put("/positions/" + name + "/cosines", std::move(cosines));
}

// The bundled model of that name, if it is there and has positions of the other kind.
std::optional<PositionTable> bundled_table(const char* name, PositionEncoding wanted) {
  const fs::path directory = cli::bundled_model(name);
  if (directory.empty()) return std::nullopt;
  const Model model = Model::load(directory);
  if (model.config().position_encoding != wanted) return std::nullopt;
  return table_of(model, name);
}

}  // namespace

void add_embedding(Document& document, const Subject& subject) {
  const std::size_t width = subject.model.config().n_embd;
  std::vector<TokenId> ids;
  ordered_json index = ordered_json::array();
  for (const TokenId id : subject.encoding.ids) {
    const std::size_t place = place_in(ids, id);
    if (place == ids.size()) ids.push_back(id);
    index.push_back(place);
  }
  Tensor rows{{ids.size(), width}, {}, {}};
  ordered_json norms = ordered_json::array(), neighbours = norms;
  std::vector<TokenId> on_map = ids;
  for (const TokenId id : ids) {
    const auto row = table_row(subject.model, id);
    rows.values.insert(rows.values.end(), row.begin(), row.end());
    norms.push_back(norm(row));
    ordered_json list = ordered_json::array();
    for (const Neighbour& near : cli::nearest_tokens(subject.model, subject.tokenizer, {&id, 1},
                                                     kNeighbours, subject.forward().threads)) {
      const auto near_id = static_cast<TokenId>(near.row);
      ordered_json token = token_json(subject.tokenizer, near_id);
      token["cosine"] = near.cosine;
      list.push_back(std::move(token));
      if (place_in(on_map, near_id) == on_map.size()) on_map.push_back(near_id);
    }
    neighbours.push_back(std::move(list));
  }
  document.json["embedding"] = {{"command", nearest_command(subject, ids)},
                                {"ids", ids},
                                {"tokens", tokens_json(subject.tokenizer, ids)},
                                {"index", index},
                                {"rows", nullptr},
                                {"norms", norms},
                                {"scale", subject.model.config().embedding_scale},
                                {"neighbours", neighbours},
                                {"map", nullptr},
                                {"input", nullptr}};
  document.put("/embedding/rows", std::move(rows));
  add_map(document, subject, std::move(on_map), ids.size());
  document.put("/embedding/input", subject.recording.input);
}

void add_positions(Document& document, const Subject& subject) {
  const bool sinusoidal = subject.model.config().position_encoding == PositionEncoding::kSinusoidal;
  const std::string own = sinusoidal ? "sinusoidal" : "learned";
  document.json["positions"] = {
      {"command", subject.command("embed --json --layers 0 --taps position")},
      {"own", own},
      {"sinusoidal", nullptr},
      {"learned", nullptr},
      {"text", nullptr}};
  add_table(document, own, table_of(subject.model, subject.directory.filename().string()),
            subject.tokens());
  if (!sinusoidal) {
    add_table(document, "sinusoidal", table_by_formula(subject.model.config()), subject.tokens());
  } else if (const auto learned = bundled_table("mini-learned", PositionEncoding::kLearned)) {
    add_table(document, "learned", *learned, subject.tokens());
  }
  document.put("/positions/text", subject.recording.position);
}

}  // namespace glassgpt::walkthrough

// The folder that `embed -o DIR` wrote, to look things up in.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "glassgpt/nearest.h"
#include "io/file.h"
#include "nlohmann/json.hpp"

namespace glassgpt::cli {

class StoredVectors {
 public:
  // The array of this name ("layer_03", "3", "final"); empty: the only one, or else "final". Throws
  // Error for a folder that is not complete and for a name that is not there.
  StoredVectors(const std::filesystem::path& folder, const std::string& layer);

  const std::string& name() const noexcept { return name_; }  // "layer_03"
  std::vector<std::string> all_names() const;                 // of the folder's arrays
  const nlohmann::ordered_json& manifest() const noexcept { return manifest_; }
  const RowsView& rows() const noexcept { return rows_; }
  // Row r as float32.
  std::vector<float> row(std::size_t r) const;
  // What rows.jsonl says of these rows, which must be ascending.
  std::vector<nlohmann::ordered_json> describe(const std::vector<std::size_t>& rows) const;

 private:
  std::filesystem::path folder_;
  nlohmann::ordered_json manifest_;
  std::string name_;
  io::MappedFile file_;
  RowsView rows_;
};

}  // namespace glassgpt::cli

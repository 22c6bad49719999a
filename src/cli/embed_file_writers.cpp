// embed's results as arrays: a folder of npy files, one npz file, one safetensors file.
#include <fmt/format.h>

#include <filesystem>

#include "cli/embed_writers.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/safetensors.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kRowsFile = "rows.jsonl";
constexpr const char* kManifestFile = "manifest.json";

// One line of rows.jsonl for each row of the arrays, in their order.
std::string row_lines(const Tokenizer& tokenizer, const EmbeddedText& text) {
  std::string lines;
  for (std::size_t r = 0; r < text.rows(); ++r) {
    const TokenRange tokens = text.row_tokens(r);
    const std::size_t begin = text.spans[tokens.begin].byte_begin;
    const std::size_t end = text.spans[tokens.end - 1].byte_end;
    lines += fmt::format("{{\"text\":{}", text.id);
    if (text.unit == Unit::kToken) {
      lines += ",\"token\":";
      append_json_string(lines, tokenizer.token_bytes(text.ids[r]));
      lines += fmt::format(",\"id\":{}", text.ids[r]);
    }
    lines += fmt::format(",\"bytes\":[{},{}]", begin, end);
    if (text.unit != Unit::kToken)
      lines += fmt::format(",\"tokens\":{}", tokens.end - tokens.begin);
    if (text.truncated()) lines += ",\"truncated\":true";
    lines += "}\n";
  }
  return lines;
}

ordered_json manifest_of(const EmbedTarget& target, const EmbedCounts& counts, const char* format) {
  ordered_json arrays = ordered_json::array();
  for (const VectorKind& kind : target.kinds) {
    ordered_json array = {{"name", kind.name}};
    if (std::string_view(format) == "npy") array["file"] = kind.name + ".npy";
    array["shape"] = {counts.rows, kind.cols};
    array["dtype"] = target.half ? "float16" : "float32";
    arrays.push_back(std::move(array));
  }
  return {{"glassgpt", GLASSGPT_VERSION},
          {"format", format},
          {"model", target.provenance.model},
          {"options", target.provenance.options},
          {"counts",
           {{"texts", counts.texts},
            {"empty_texts", counts.empty_texts},
            {"truncated_texts", counts.truncated_texts},
            {"tokens", counts.tokens},
            {"rows", counts.rows}}},
          {"arrays", arrays}};
}

std::string dump(const ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

// Written as the rows come: memory does not grow with the corpus. The manifest appears last: where
// it is, the folder is complete.
class NpyDirectoryWriter : public EmbedWriter {
 public:
  explicit NpyDirectoryWriter(const EmbedTarget& target) : target_(target), folder_(target.path) {
    io::make_directories(folder_);
    rows_ = std::make_unique<io::AtomicFile>(folder_ / kRowsFile);
    for (const VectorKind& kind : target.kinds) {
      arrays_.emplace_back(folder_ / (kind.name + ".npy"), kind.cols,
                           target.half ? io::NpyType::kFloat16 : io::NpyType::kFloat32);
    }
  }

  void add_text(EmbeddedText text) override { rows_->write(row_lines(*target_.tokenizer, text)); }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    arrays_[kind].append(rows, count, stride);
  }

  void end_batch() override {}

  void finish(const EmbedCounts& counts) override {
    remove_earlier_result();
    for (io::NpyWriter& array : arrays_) array.finish();
    rows_->commit();
    io::write_file(folder_ / kManifestFile, dump(manifest_of(target_, counts, "npy"), 2) + "\n");
  }

 private:
  // An earlier result's manifest would lie about the new files, and its arrays would stay among
  // them.
  void remove_earlier_result() const {
    std::error_code error;
    const fs::path file = folder_ / kManifestFile;
    if (!fs::exists(file, error)) return;
    std::vector<fs::path> arrays;
    const auto old = nlohmann::json::parse(io::read_file(file), nullptr, false);
    if (old.is_object() && old.contains("arrays") && old["arrays"].is_array()) {
      for (const auto& array : old["arrays"]) {
        const auto name = array.is_object() ? array.find("file") : array.end();
        if (!array.is_object() || name == array.end() || !name->is_string()) continue;
        const fs::path path = name->get<std::string>();
        if (!path.has_parent_path() && path.extension() == ".npy") arrays.push_back(folder_ / path);
      }
    }
    fs::remove(file, error);
    for (const fs::path& array : arrays) fs::remove(array, error);
  }

  EmbedTarget target_;
  fs::path folder_;
  std::unique_ptr<io::AtomicFile> rows_;
  std::vector<io::NpyWriter> arrays_;
};

// For results that fit in memory: all arrays in one file, and beside it NAME.rows.jsonl.
class OneFileWriter : public EmbedWriter {
 public:
  explicit OneFileWriter(const EmbedTarget& target)
      : target_(target),
        data_(target.kinds.size()),
        probe_(target.path),
        rows_(fs::path(target.path).replace_extension(kRowsFile)) {}

  void add_text(EmbeddedText text) override { rows_.write(row_lines(*target_.tokenizer, text)); }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    const std::size_t cols = target_.kinds[kind].cols;
    for (std::size_t r = 0; r < count; ++r) {
      data_[kind].insert(data_[kind].end(), rows + r * stride, rows + r * stride + cols);
    }
  }

  void end_batch() override {}

  void finish(const EmbedCounts& counts) override {
    write_arrays(counts);
    rows_.commit();
  }

 protected:
  virtual void write_arrays(const EmbedCounts& counts) = 0;

  EmbedTarget target_;
  std::vector<std::vector<float>> data_;

 private:
  io::AtomicFile probe_;  // never committed: tells at once that the place cannot be written
  io::AtomicFile rows_;
};

class NpzWriter : public OneFileWriter {
 public:
  using OneFileWriter::OneFileWriter;

 protected:
  void write_arrays(const EmbedCounts& counts) override {
    io::NpzWriter file(target_.path);
    for (std::size_t k = 0; k < data_.size(); ++k) {
      const std::uint64_t shape[] = {counts.rows, target_.kinds[k].cols};
      file.add(target_.kinds[k].name, data_[k].data(), shape,
               target_.half ? io::NpyType::kFloat16 : io::NpyType::kFloat32);
    }
    file.set_comment(dump(manifest_of(target_, counts, "npz"), -1));
    file.finish();
  }
};

class SafetensorsWriter : public OneFileWriter {
 public:
  using OneFileWriter::OneFileWriter;

 protected:
  void write_arrays(const EmbedCounts& counts) override {
    std::vector<io::TensorToWrite> tensors;
    for (std::size_t k = 0; k < data_.size(); ++k) {
      tensors.push_back(
          {target_.kinds[k].name, {counts.rows, target_.kinds[k].cols}, data_[k].data()});
    }
    io::write_safetensors(target_.path, tensors, target_.half ? io::DType::kF16 : io::DType::kF32,
                          {{"manifest", dump(manifest_of(target_, counts, "safetensors"), -1)}});
  }
};

}  // namespace

std::unique_ptr<EmbedWriter> make_npy_writer(const EmbedTarget& target) {
  return std::make_unique<NpyDirectoryWriter>(target);
}

std::unique_ptr<EmbedWriter> make_npz_writer(const EmbedTarget& target) {
  return std::make_unique<NpzWriter>(target);
}

std::unique_ptr<EmbedWriter> make_safetensors_writer(const EmbedTarget& target) {
  return std::make_unique<SafetensorsWriter>(target);
}

}  // namespace glassgpt::cli

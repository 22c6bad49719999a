// embed's results as arrays in one file, npz or safetensors, and what all array formats share.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "cli/embed_writers.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/safetensors.h"

namespace glassgpt::cli {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string row_lines(const Tokenizer& tokenizer, const EmbeddedText& text) {
  std::string lines;
  for (std::size_t r = 0; r < text.rows(); ++r) {
    const TokenRange tokens = text.row_tokens(r);
    const WordSpan span = text.row_span(r);
    lines += fmt::format("{{\"text\":{}", text.id);
    if (text.unit == Unit::kToken) {
      lines += ",\"token\":";
      append_json_string(lines, tokenizer.token_bytes(text.ids[r]));
      lines += fmt::format(",\"id\":{}", text.ids[r]);
    } else if (text.unit == Unit::kWord) {
      lines += ",\"word\":";
      append_json_string(lines, text.row_bytes(r));
    }
    lines += fmt::format(",\"bytes\":[{},{}]", span.begin, span.end);
    if (text.unit != Unit::kToken)
      lines += fmt::format(",\"tokens\":{}", tokens.end - tokens.begin);
    if (text.truncated()) lines += ",\"truncated\":true";
    lines += "}\n";
  }
  return lines;
}

io::NpyType npy_type(const EmbedTarget& target) {
  return target.half ? io::NpyType::kFloat16 : io::NpyType::kFloat32;
}

std::uint64_t row_bytes(const EmbedTarget& target, std::size_t kind) {
  return target.kinds[kind].cols * (target.half ? sizeof(std::uint16_t) : sizeof(float));
}

ordered_json manifest_of(const EmbedTarget& target, const EmbedProgress& progress,
                         const char* format) {
  ordered_json arrays = ordered_json::array();
  for (const VectorKind& kind : target.kinds) {
    ordered_json array = {{"name", kind.name}};
    if (std::string_view(format) == "npy") array["file"] = kind.name + ".npy";
    array["shape"] = {progress.counts.rows, kind.cols};
    array["dtype"] = target.half ? "float16" : "float32";
    arrays.push_back(std::move(array));
  }
  return {{"glassgpt", GLASSGPT_VERSION},
          {"format", format},
          {"model", target.provenance.model},
          {"options", target.provenance.options},
          {"counts", counts_json(progress.counts)},
          {"texts_sha256", progress.texts_sha256},
          {"arrays", arrays}};
}

namespace {

// Halfway from 65504, the largest finite float16, to the number after it, to which ties go.
constexpr float kRoundsToInfinity = 65520;

bool is_beyond_half(float value) {
  return std::isfinite(value) && std::fabs(value) >= kRoundsToInfinity;
}

}  // namespace

std::uint64_t beyond_half(const float* values, std::size_t count) {
  return static_cast<std::uint64_t>(std::count_if(values, values + count, is_beyond_half));
}

void warn_beyond_half(const std::string& output, std::uint64_t values) {
  if (values == 0) return;
  warn(fmt::format("{}: {} beyond the range of float16 became infinity; --out-dtype f32 keeps them",
                   output, counted(values, "value")));
}

namespace {

std::string dump(const ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

// For results that fit in memory: all arrays in one file, and beside it FILE.rows.jsonl.
class OneFileWriter : public EmbedWriter {
 public:
  explicit OneFileWriter(const EmbedTarget& target)
      : target_(target),
        data_(target.kinds.size()),
        probe_(target.path),
        rows_(target.path + ".rows.jsonl") {}

  void add_text(EmbeddedText text) override { rows_.write(row_lines(*target_.tokenizer, text)); }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    const std::size_t cols = target_.kinds[kind].cols;
    for (std::size_t r = 0; r < count; ++r) {
      data_[kind].insert(data_[kind].end(), rows + r * stride, rows + r * stride + cols);
    }
    if (target_.half)
      make_infinite(data_[kind].end() - static_cast<std::ptrdiff_t>(count * cols),
                    data_[kind].end());
  }

  void end_batch() override {}

  void finish(const EmbedProgress& progress) override {
    write_arrays(progress);
    rows_.commit();
    warn_beyond_half(target_.path, infinite_);
  }

 protected:
  virtual void write_arrays(const EmbedProgress& progress) = 0;

  EmbedTarget target_;
  std::vector<std::vector<float>> data_;

 private:
  // Rounding would do so, but a writer of weights refuses what does not fit.
  void make_infinite(std::vector<float>::iterator begin, std::vector<float>::iterator end) {
    for (; begin != end; ++begin) {
      if (!is_beyond_half(*begin)) continue;
      *begin = std::copysign(std::numeric_limits<float>::infinity(), *begin);
      ++infinite_;
    }
  }

  io::AtomicFile probe_;  // never committed: tells at once that the place cannot be written
  io::AtomicFile rows_;
  std::uint64_t infinite_ = 0;
};

class NpzWriter : public OneFileWriter {
 public:
  using OneFileWriter::OneFileWriter;

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    bytes_ += count * row_bytes(target_, kind);
    io::NpzWriter::check_size(target_.path, bytes_);
    OneFileWriter::on_rows(kind, rows, count, stride);
  }

 protected:
  void write_arrays(const EmbedProgress& progress) override {
    io::NpzWriter file(target_.path);
    for (std::size_t k = 0; k < data_.size(); ++k) {
      const std::uint64_t shape[] = {progress.counts.rows, target_.kinds[k].cols};
      file.add(target_.kinds[k].name, data_[k].data(), shape, npy_type(target_));
    }
    file.set_comment(dump(manifest_of(target_, progress, "npz"), -1));
    file.finish();
  }

 private:
  std::uint64_t bytes_ = 0;  // of the arrays so far
};

class SafetensorsWriter : public OneFileWriter {
 public:
  using OneFileWriter::OneFileWriter;

 protected:
  void write_arrays(const EmbedProgress& progress) override {
    std::vector<io::TensorToWrite> tensors;
    for (std::size_t k = 0; k < data_.size(); ++k) {
      tensors.push_back(
          {target_.kinds[k].name, {progress.counts.rows, target_.kinds[k].cols}, data_[k].data()});
    }
    io::write_safetensors(target_.path, tensors, target_.half ? io::DType::kF16 : io::DType::kF32,
                          {{"manifest", dump(manifest_of(target_, progress, "safetensors"), -1)}});
  }
};

}  // namespace

std::unique_ptr<EmbedWriter> make_npz_writer(const EmbedTarget& target) {
  return std::make_unique<NpzWriter>(target);
}

std::unique_ptr<EmbedWriter> make_safetensors_writer(const EmbedTarget& target) {
  return std::make_unique<SafetensorsWriter>(target);
}

}  // namespace glassgpt::cli

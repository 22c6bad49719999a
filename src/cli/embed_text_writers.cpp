// embed's results as text: tables for the eye, JSON lines, CSV.
#include <fmt/format.h>

#include <cmath>
#include <deque>

#include "cli/display.h"
#include "cli/embed_writers.h"
#include "cli/json_text.h"
#include "cli/output.h"
#include "cli/utf8.h"

namespace glassgpt::cli {
namespace {

// Rows come kind by kind for a whole batch; texts are written one by one. Between the two lie at
// most a batch and the text that goes on in the next.
class TextByText : public EmbedWriter {
 public:
  explicit TextByText(const EmbedTarget& target)
      : target_(target), output_(target.path), rows_(target.kinds.size()) {}

  void add_text(EmbeddedText text) override { waiting_.push_back(std::move(text)); }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    const std::size_t cols = target_.kinds[kind].cols;
    for (std::size_t r = 0; r < count; ++r) {
      rows_[kind].insert(rows_[kind].end(), rows + r * stride, rows + r * stride + cols);
    }
  }

  void end_batch() override {
    std::size_t used = 0;  // rows of each kind that are written
    const std::size_t there = rows_[0].size() / target_.kinds[0].cols;
    while (!waiting_.empty() && used + waiting_.front().rows() <= there) {
      write_text(waiting_.front(), used);
      used += waiting_.front().rows();
      waiting_.pop_front();
    }
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      const auto begin = rows_[k].begin();
      rows_[k].erase(begin, begin + static_cast<std::ptrdiff_t>(used * target_.kinds[k].cols));
    }
  }

  void finish(const EmbedProgress&) override {
    end_batch();  // empty texts at the end
    output_.finish();
    if (not_finite_ > 0) {
      warn(fmt::format("{} not finite and written as null",
                       not_finite_ == 1 ? "1 value is" : counted(not_finite_, "value") + " are"));
    }
  }

 protected:
  virtual void write_text(const EmbeddedText& text, std::size_t first_row) = 0;

  const float* row(std::size_t kind, std::size_t r) const {
    return rows_[kind].data() + r * target_.kinds[kind].cols;
  }
  std::string_view token_bytes(TokenId id) const { return target_.tokenizer->token_bytes(id); }

  EmbedTarget target_;
  Output output_;
  std::size_t not_finite_ = 0;

 private:
  std::deque<EmbeddedText> waiting_;
  std::vector<std::vector<float>> rows_;  // per kind
};

class TableWriter : public TextByText {
 public:
  TableWriter(const EmbedTarget& target, std::size_t values)
      : TextByText(target), values_(values) {}

 protected:
  void write_text(const EmbeddedText& text, std::size_t first_row) override {
    output_.write(fmt::format("{}text {}: \"{}\"  {}{}\n", any_ ? "\n" : "", text.id,
                              readable_excerpt(text.bytes, 60), counted(text.ids.size(), "token"),
                              text.truncated() ? fmt::format(" of {}", text.tokens) : ""));
    any_ = true;
    if (text.rows() == 0) return;
    for (std::size_t k = 0; k < target_.kinds.size(); ++k) {
      output_.write(fmt::format("\n  {}\n", title(target_.kinds[k])));
      output_.write(layer_table(text, k, first_row));
    }
  }

 private:
  static std::string title(const VectorKind& kind) {
    if (kind.stage == Stage::kFinal) return "final: after the last layer norm";
    if (kind.name == "layer_00") return "layer 0: token + position, the input of block 0";
    if (kind.name.starts_with("layer_")) {
      return fmt::format("layer {}: the output of block {}", kind.key, kind.layer);
    }
    return stage_is_per_block(kind.stage)
               ? fmt::format("{} of block {}", stage_name(kind.stage), kind.layer)
               : std::string(stage_name(kind.stage));
  }

  std::string layer_table(const EmbeddedText& text, std::size_t kind, std::size_t first_row) const {
    const std::size_t cols = target_.kinds[kind].cols;
    const std::size_t shown = std::min(values_, cols);
    std::vector<Table::Align> align(shown + 2, Table::Align::kRight);
    align[0] = Table::Align::kLeft;
    Table table(align);
    const char* const units[] = {"token", "word", "text"};
    std::vector<std::string> header = {units[static_cast<int>(text.unit)]};
    for (std::size_t c = 0; c < shown; ++c) header.push_back(fmt::format("[{}]", c));
    header.push_back("norm");
    table.add_row(std::move(header));
    for (std::size_t r = 0; r < text.rows(); ++r) {
      const float* values = row(kind, first_row + r);
      std::vector<std::string> cells = {row_label(text, r)};
      for (std::size_t c = 0; c < shown; ++c) cells.push_back(fmt::format("{:.4f}", values[c]));
      double squares = 0;
      for (std::size_t c = 0; c < cols; ++c) squares += double{values[c]} * values[c];
      cells.push_back(fmt::format("{:.3f}", std::sqrt(squares)));
      table.add_row(std::move(cells));
    }
    return table.to_string("    ");
  }

  std::string row_label(const EmbeddedText& text, std::size_t r) const {
    if (text.unit == Unit::kToken) return readable_token(token_bytes(text.ids[r]));
    return '"' + readable_excerpt(text.row_bytes(r), 24) + '"';
  }

  std::size_t values_;
  bool any_ = false;
};

class JsonLinesWriter : public TextByText {
 public:
  using TextByText::TextByText;

 protected:
  void write_text(const EmbeddedText& text, std::size_t first_row) override {
    line_ = fmt::format("{{\"id\":{},\"tokens\":[", text.id);
    for (std::size_t i = 0; i < text.ids.size(); ++i) {
      if (i > 0) line_ += ',';
      append_json_string(line_, token_bytes(text.ids[i]));
    }
    line_ += fmt::format("],\"ids\":[{}],\"bytes\":[", fmt::join(text.ids, ","));
    for (std::size_t i = 0; i < text.spans.size(); ++i) {
      line_ += fmt::format("{}[{},{}]", i > 0 ? "," : "", text.spans[i].byte_begin,
                           text.spans[i].byte_end);
    }
    line_ += fmt::format("],\"truncated\":{}", text.truncated());
    if (text.unit == Unit::kWord) append_words(text);
    append_kinds(text, first_row, "layers", true);
    append_kinds(text, first_row, "taps", false);
    line_ += "}\n";
    output_.write(line_);
  }

 private:
  static bool is_layer(const VectorKind& kind) {
    return kind.stage == Stage::kFinal || kind.name.starts_with("layer_");
  }

  // A row per word: its text, its bytes, and its tokens as a half-open range of "tokens".
  void append_words(const EmbeddedText& text) {
    line_ += ",\"words\":[";
    for (std::size_t w = 0; w < text.words.size(); ++w) {
      if (w > 0) line_ += ',';
      append_json_string(line_, text.row_bytes(w));
    }
    line_ += "],\"word_bytes\":[";
    for (std::size_t w = 0; w < text.words.size(); ++w) {
      line_ += fmt::format("{}[{},{}]", w > 0 ? "," : "", text.words[w].begin, text.words[w].end);
    }
    line_ += "],\"word_tokens\":[";
    for (std::size_t w = 0; w < text.units.size(); ++w) {
      line_ += fmt::format("{}[{},{}]", w > 0 ? "," : "", text.units[w].begin, text.units[w].end);
    }
    line_ += ']';
  }

  void append_kinds(const EmbeddedText& text, std::size_t first_row, const char* name,
                    bool layers) {
    bool any = layers;  // "layers" is always there
    if (any) line_ += fmt::format(",\"{}\":{{", name);
    bool first = true;
    for (std::size_t k = 0; k < target_.kinds.size(); ++k) {
      const VectorKind& kind = target_.kinds[k];
      if (is_layer(kind) != layers) continue;
      if (!any) line_ += fmt::format(",\"{}\":{{", name);
      any = true;
      line_ += fmt::format("{}\"{}\":[", first ? "" : ",", kind.key);
      first = false;
      for (std::size_t r = 0; r < text.rows(); ++r) {
        if (r > 0) line_ += ',';
        not_finite_ += append_json_floats(line_, row(k, first_row + r), kind.cols);
      }
      line_ += ']';
    }
    if (any) line_ += '}';
  }

  std::string line_;
};

// RFC 4180. One line per row and kind: text, layer, token, byte span, values.
class CsvWriter : public TextByText {
 public:
  explicit CsvWriter(const EmbedTarget& target) : TextByText(target) {
    std::string header = "text,layer,token,byte_begin,byte_end";
    for (std::size_t c = 0; c < target.kinds[0].cols; ++c) header += fmt::format(",v{}", c);
    output_.write(header + "\n");
  }

 protected:
  void write_text(const EmbeddedText& text, std::size_t first_row) override {
    const nlohmann::json id = nlohmann::json::parse(text.id);
    const std::string name = field(id.is_string() ? id.get<std::string>() : text.id);
    for (std::size_t k = 0; k < target_.kinds.size(); ++k) {
      for (std::size_t r = 0; r < text.rows(); ++r) {
        const WordSpan span = text.row_span(r);
        line_ = fmt::format("{},{},{},{},{}", name, target_.kinds[k].key, field(text.row_bytes(r)),
                            span.begin, span.end);
        const float* values = row(k, first_row + r);
        for (std::size_t c = 0; c < target_.kinds[k].cols; ++c) {
          line_ += ',';
          append_value(values[c]);
        }
        output_.write(line_ += '\n');
      }
    }
  }

 private:
  // NaN and infinities as NumPy, pandas and R read them.
  void append_value(float value) {
    if (std::isfinite(value)) {
      append_json_float(line_, value);
    } else {
      line_ += std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    }
  }

  // Always quoted; quotes doubled; bytes that are not UTF-8 as U+FFFD.
  static std::string field(std::string_view bytes) {
    std::string out = "\"";
    while (!bytes.empty()) {
      const Utf8Step step = next_utf8(bytes);
      if (bytes[0] == '"') out += '"';
      if (step.valid) {
        out += bytes.substr(0, step.bytes);
      } else {
        out += "\xEF\xBF\xBD";
      }
      bytes.remove_prefix(step.bytes);
    }
    return out + '"';
  }

  std::string line_;
};

}  // namespace

std::unique_ptr<EmbedWriter> make_table_writer(const EmbedTarget& target, std::size_t values) {
  return std::make_unique<TableWriter>(target, values);
}

std::unique_ptr<EmbedWriter> make_jsonl_writer(const EmbedTarget& target) {
  return std::make_unique<JsonLinesWriter>(target);
}

std::unique_ptr<EmbedWriter> make_csv_writer(const EmbedTarget& target) {
  return std::make_unique<CsvWriter>(target);
}

}  // namespace glassgpt::cli

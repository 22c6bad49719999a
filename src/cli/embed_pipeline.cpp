#include "cli/embed_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/embed_journal.h"
#include "glassgpt/error.h"

namespace glassgpt::cli {
namespace {

// Whether rows that begin before token `end` of the text need tokens from there on.
bool cuts_a_unit(const EmbeddedText& text, std::size_t end) {
  if (text.unit == Unit::kToken) return false;
  const auto unit = std::partition_point(text.units.begin(), text.units.end(),
                                         [&](const TokenRange& u) { return u.end <= end; });
  return unit != text.units.end() && unit->begin < end;
}

// Hands everything on, and adds up how long that takes.
class TimedObserver : public Observer {
 public:
  explicit TimedObserver(Observer& observer) : observer_(observer) {}
  bool wants(Stage stage, std::size_t layer) const override {
    return observer_.wants(stage, layer);
  }
  void on_stage(const StageView& view) override {
    const double begin = seconds_now();
    observer_.on_stage(view);
    seconds_ += seconds_now() - begin;
  }
  float* room(Stage stage, std::size_t layer, std::size_t rows, std::size_t cols) override {
    const double begin = seconds_now();
    float* const room = observer_.room(stage, layer, rows, cols);
    seconds_ += seconds_now() - begin;
    return room;
  }
  double seconds() const noexcept { return seconds_; }

 private:
  Observer& observer_;
  double seconds_ = 0;
};

[[noreturn]] void refuse_other_texts(const std::string& output, const std::string& what) {
  throw Error(ErrorCode::kMalformed, output, what,
              "give the same texts in the same order, or run it without --resume to begin again");
}

}  // namespace

EmbedProgress EmbedPipeline::run(TextSource& source, Progress& progress) {
  source_ = &source;
  progress_ = &progress;
  texts_at_start_ = done_.counts.texts;
  bytes_at_start_ = source.bytes_read();
  start_ = seconds_now();
  if (done_.windows > 0) add_windows(begun_, done_.windows);
  Text text;
  while (source.next(text)) {
    const EmbeddedText prepared = prepare_text(tokenizer_, text, options_);
    const std::vector<Window> windows = windows_of(prepared.ids.size(), options_);
    // A pass between two texts leaves no text half done.
    if (!windows.empty() && !batch_.fits(windows[0].end, options_.batch_tokens)) pass();
    done_.counts.add(prepared);
    done_.texts_sha256 = add_to_texts_hash(done_.texts_sha256, text);
    writer_.add_text(prepared);
    add_windows(prepared, 0);
  }
  pass();
  writer_.finish(done_);
  return done_;
}

void EmbedPipeline::skip_done(TextSource& source, const EmbedProgress& done,
                              const std::string& output) {
  Text text;
  std::string hash;
  for (std::uint64_t i = 0; i < done.counts.texts; ++i) {
    if (!source.next(text)) {
      refuse_other_texts(output,
                         fmt::format("the interrupted run had done {}, now there are only {}",
                                     counted(done.counts.texts, "text"), i));
    }
    hash = add_to_texts_hash(hash, text);
  }
  if (hash != done.texts_sha256) {
    refuse_other_texts(output, fmt::format("the first {} are not those of the interrupted run",
                                           counted(done.counts.texts, "text")));
  }
  done_ = done;
  if (done.windows > 0) begun_ = prepare_text(tokenizer_, text, options_);
}

void EmbedPipeline::add_windows(const EmbeddedText& text, std::size_t first) {
  const std::vector<Window> windows = windows_of(text.ids.size(), options_);
  if (first < windows.size()) tokens_read_ += text.ids.size() - windows[first].keep;
  for (std::size_t w = first; w < windows.size(); ++w) {
    if (!batch_.fits(windows[w].end - windows[w].begin, options_.batch_tokens)) {
      done_.windows = w;
      group_is_open_ = cuts_a_unit(text, windows[w].keep);
      pass();
    }
    batch_.add(text, windows[w]);
    tokens_waiting_ += windows[w].end - windows[w].keep;
  }
  done_.windows = 0;
  group_is_open_ = false;
}

void EmbedPipeline::pass() {
  throw_if_interrupted();
  if (batch_.empty()) return;
  extractor_.set_ranges(batch_.ranges());
  TimedObserver observer(extractor_);
  const double begin = seconds_now();
  model_.forward(batch_.batch(), observer, forward_);
  forward_seconds_ += seconds_now() - begin - observer.seconds();
  for (const RowRange& range : batch_.ranges()) {
    done_.rows += options_.unit == Unit::kToken ? range.end - range.begin : range.last ? 1 : 0;
  }
  batch_.clear();
  tokens_done_ += std::exchange(tokens_waiting_, 0);
  writer_.end_batch();
  if (!group_is_open_) writer_.mark(done_);
  show();
}

void EmbedPipeline::show() const {
  if (!progress_->due()) return;
  const double seconds = std::max(1e-9, seconds_now() - start_);
  std::string left;
  if (source_->bytes_total() > bytes_at_start_ && tokens_done_ > 0) {
    // Of the texts that were read, the last may be long and hardly begun.
    const double read = static_cast<double>(source_->bytes_read() - bytes_at_start_) /
                        static_cast<double>(source_->bytes_total() - bytes_at_start_);
    const double share =
        read * static_cast<double>(tokens_done_) / static_cast<double>(tokens_read_);
    if (share > 0) left = fmt::format(", {} left", clock_time(seconds * (1 - share) / share));
  }
  const auto rate = [&](std::uint64_t count) {
    return short_count(static_cast<double>(count) / seconds);
  };
  progress_->update(
      fmt::format("embedding: {}, {} texts/s, {} tokens/s{}", counted(done_.counts.texts, "text"),
                  rate(done_.counts.texts - texts_at_start_), rate(tokens_done_), left));
}

void check_same_texts(TextSource& source, const EmbedProgress& finished,
                      const std::string& output) {
  Text text;
  std::string hash;
  while (source.next(text)) hash = add_to_texts_hash(hash, text);
  if (hash == finished.texts_sha256) return;
  throw Error(ErrorCode::kMalformed, output, "holds the finished result of other texts",
              "run it without --resume to replace it");
}

}  // namespace glassgpt::cli

#include "cli/embed_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <numeric>
#include <optional>
#include <utility>

#include "cli/embed_folder.h"
#include "cli/embed_journal.h"
#include "cli/embed_pipeline.h"
#include "glassgpt/error.h"
#include "io/file.h"
#include "io/half.h"
#include "io/npy.h"
#include "io/part_file.h"
#include "train/hash.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;

// At most so many blocks: their table is on every process.
constexpr std::uint64_t kMostBlocks = 4096;
constexpr std::uint64_t kLeastBlockBytes = 1024;
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

struct Block {
  EmbedCounts counts;
  std::uint64_t rows_bytes = 0;  // of rows.jsonl
};
constexpr std::size_t kNumbersOfABlock = 6;

struct BlockTable {
  std::uint64_t block_bytes = 0;
  std::vector<Block> blocks;
  EmbedProgress total;  // with the hash of all texts on rank 0
  std::string hash_at;  // of the first texts, as many as an interrupted run had done
};

// ---- Counting.

TextSource::Stretch stretch_of(std::uint64_t block_bytes, std::size_t begin, std::size_t end) {
  return {begin * block_bytes, end * block_bytes};
}

// Of the blocks begin .. end. Rank 0 also reads the texts of all others, for their hash; they are
// not tokenized.
void count(const BlocksJob& job, BlockTable& table, std::size_t begin, std::size_t end,
           bool hash_all, std::uint64_t hash_at_text) {
  const std::unique_ptr<TextSource> source = job.texts();
  if (!hash_all) source->only_in({stretch_of(table.block_bytes, begin, end)});
  Text text;
  std::uint64_t texts = 0;
  while (source->next(text)) {
    if (hash_all) {
      table.total.texts_sha256 = add_to_texts_hash(table.total.texts_sha256, text);
      if (++texts == hash_at_text) table.hash_at = table.total.texts_sha256;
    }
    const auto b = static_cast<std::size_t>(source->text_begin() / table.block_bytes);
    if (b < begin || b >= end) continue;
    const EmbeddedText prepared = prepare_text(job.tokenizer, text, job.options);
    Block& block = table.blocks[b];
    block.counts.add(prepared);
    block.rows_bytes += row_lines(job.tokenizer, prepared).size();
  }
}

BlockTable count_blocks(const BlocksJob& job, distributed::Communicator& ranks,
                        std::uint64_t hash_at_text) {
  BlockTable table;
  const std::uint64_t bytes = job.texts()->bytes_total();
  table.block_bytes = std::max(kLeastBlockBytes, (bytes + kMostBlocks - 1) / kMostBlocks);
  table.blocks.resize((bytes + table.block_bytes - 1) / table.block_bytes);
  const auto own = distributed::piece_of(table.blocks.size(), ranks.rank(), ranks.size());
  count(job, table, own.begin, own.end, ranks.is_first(), hash_at_text);

  std::vector<std::uint64_t> numbers;
  for (std::size_t b = own.begin; b < own.end; ++b) {
    const EmbedCounts& c = table.blocks[b].counts;
    numbers.insert(numbers.end(), {c.texts, c.empty_texts, c.truncated_texts, c.tokens, c.rows,
                                   table.blocks[b].rows_bytes});
  }
  numbers = distributed::gather_lists(ranks, numbers);
  EmbedCounts& total = table.total.counts;
  for (std::size_t b = 0; b < table.blocks.size(); ++b) {
    const std::uint64_t* n = numbers.data() + b * kNumbersOfABlock;
    table.blocks[b] = {{n[0], n[1], n[2], n[3], n[4]}, n[5]};
    total.texts += n[0];
    total.empty_texts += n[1];
    total.truncated_texts += n[2];
    total.tokens += n[3];
    total.rows += n[4];
  }
  table.total.rows = total.rows;
  return table;
}

// ---- Writing.

// A stretch of a file that is this process's to write.
struct Segment {
  std::uint64_t offset, bytes;
};

// Bytes one after the other into the segments of a file that has its full length already.
class SegmentWriter {
 public:
  SegmentWriter(const fs::path& file, std::vector<Segment> segments)
      : file_(file, fs::file_size(io::PartFile::part_of(file))), segments_(std::move(segments)) {
    buffer_.reserve(kBufferBytes);
  }

  void write(const void* data, std::size_t bytes) {
    const auto* from = static_cast<const char*>(data);
    while (bytes > 0) {
      while (at_ < segments_.size() && used_ + buffer_.size() == segments_[at_].bytes) next();
      if (at_ == segments_.size()) refuse_changed_input();
      const std::uint64_t room = segments_[at_].bytes - used_ - buffer_.size();
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes));
      buffer_.append(from, part);
      from += part;
      bytes -= part;
      if (buffer_.size() >= kBufferBytes) flush();
    }
  }
  void flush() {
    if (buffer_.empty()) return;
    file_.overwrite(segments_[at_].offset + used_, buffer_);
    used_ += buffer_.size();
    buffer_.clear();
  }
  void sync() const { file_.sync(); }
  // All segments are full.
  void finish() {
    flush();
    while (at_ < segments_.size() && used_ == segments_[at_].bytes) next();
    if (at_ != segments_.size()) refuse_changed_input();
  }

 private:
  void next() {
    flush();
    ++at_;
    used_ = 0;
  }
  [[noreturn]] void refuse_changed_input() const {
    throw Error(ErrorCode::kMalformed, file_.file().string(),
                "got another number of rows than was counted: the input changed meanwhile",
                "run it again, without --resume");
  }

  io::PartFile file_;
  std::vector<Segment> segments_;
  std::size_t at_ = 0;
  std::uint64_t used_ = 0;  // written of the segment
  std::string buffer_;
};

class BlockWriter : public EmbedWriter {
 public:
  // `own`: this process's blocks, ascending.
  BlockWriter(const BlocksJob& job, const BlockTable& table, std::vector<std::size_t> own)
      : target_(job.target),
        checkpoint_seconds_(job.folder.checkpoint_seconds),
        own_(std::move(own)),
        last_checkpoint_(seconds_now()),
        done_(blocks_file(fs::path(target_.path) / kJournalFile), table.blocks.size()) {
    std::vector<Segment> lines, rows;
    std::uint64_t line_at = 0, row_at = 0;
    auto next = own_.begin();
    for (std::size_t b = 0; b < table.blocks.size() && next != own_.end(); ++b) {
      const Block& block = table.blocks[b];
      if (*next == b) {
        lines.push_back({line_at, block.rows_bytes});
        rows.push_back({row_at, block.counts.rows});
        rows_until_.push_back((rows_until_.empty() ? 0 : rows_until_.back()) + block.counts.rows);
        ++next;
      }
      line_at += block.rows_bytes;
      row_at += block.counts.rows;
    }
    const fs::path folder = target_.path;
    files_.emplace_back(folder / kRowsFile, lines);
    for (std::size_t k = 0; k < target_.kinds.size(); ++k) {
      const std::uint64_t header = npy_header_of(target_, k, 0).size();
      std::vector<Segment> segments = rows;
      for (Segment& segment : segments) {
        segment.offset = header + segment.offset * row_bytes(target_, k);
        segment.bytes *= row_bytes(target_, k);
      }
      files_.emplace_back(folder / (target_.kinds[k].name + ".npy"), std::move(segments));
    }
  }
  ~BlockWriter() override {
    if (checkpoint_.valid()) checkpoint_.wait();
  }

  void add_text(EmbeddedText text) override {
    const std::string lines = row_lines(*target_.tokenizer, text);
    files_[0].write(lines.data(), lines.size());
  }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    const std::size_t cols = target_.kinds[kind].cols;
    SegmentWriter& file = files_[1 + kind];
    for (std::size_t r = 0; r < count; ++r) {
      const float* row = rows + r * stride;
      if (target_.half) {
        beyond_half_ += beyond_half(row, cols);
        halves_.resize(cols);
        io::floats_to_halves(row, cols, halves_.data());
        file.write(halves_.data(), cols * sizeof(std::uint16_t));
      } else {
        file.write(row, cols * sizeof(float));
      }
    }
  }

  void end_batch() override {}

  // Values that were written as infinity.
  std::uint64_t beyond() const noexcept { return beyond_half_; }

  void mark(const EmbedProgress& progress) override {
    for (SegmentWriter& file : files_) file.flush();
    while (written_ < own_.size() && rows_until_[written_] <= progress.rows) ++written_;
    if (seconds_now() - last_checkpoint_ < checkpoint_seconds_) return;
    using namespace std::chrono_literals;
    if (checkpoint_.valid()) {
      if (checkpoint_.wait_for(0s) != std::future_status::ready) return;
      checkpoint_.get();
    }
    last_checkpoint_ = seconds_now();
    // Beside the next passes, as in a folder that one process writes.
    checkpoint_ = std::async(std::launch::async, [this, until = written_] { save(until); });
    if (checkpoint_seconds_ == 0) checkpoint_.get();
  }

  bool suspend() noexcept override {
    try {
      if (checkpoint_.valid()) checkpoint_.wait();
      if (!sync_failed_) save(written_);
    } catch (const std::exception&) {
      // What was saved before still holds.
    }
    return true;
  }

  void finish(const EmbedProgress&) override {
    if (checkpoint_.valid()) checkpoint_.get();
    for (SegmentWriter& file : files_) file.finish();
    save(own_.size());
  }

 private:
  // A block counts as done only after its rows are on the disk.
  void save(std::size_t until) {
    if (until == saved_) return;
    sync_failed_ = true;
    for (const SegmentWriter& file : files_) file.sync();
    sync_failed_ = false;
    for (; saved_ < until; ++saved_) done_.overwrite(own_[saved_], "1");
    done_.sync();
  }

  EmbedTarget target_;
  double checkpoint_seconds_;
  std::vector<std::size_t> own_;
  std::vector<std::uint64_t> rows_until_;  // of the own blocks, the end of each
  std::size_t written_ = 0, saved_ = 0;    // of the own blocks
  double last_checkpoint_;
  io::PartFile done_;
  std::vector<SegmentWriter> files_;  // rows.jsonl, then the arrays
  std::vector<std::uint16_t> halves_;
  std::uint64_t beyond_half_ = 0;
  bool sync_failed_ = false;  // as in a folder that one process writes
  std::future<void> checkpoint_;
};

// ---- Opening and closing the folder: rank 0.

[[noreturn]] void refuse_other_texts(const fs::path& folder) {
  throw Error(ErrorCode::kMalformed, folder.string(),
              "the texts are not those of the interrupted run",
              "give the same texts in the same order, or run it without --resume to begin again");
}

struct Opened {
  bool complete = false;
  std::vector<char> done;  // a block: '1' or '0'
};

// Which blocks the interrupted run had done, by blocks or text by text.
std::vector<char> blocks_done(const fs::path& folder, const EmbedJournal& before,
                              const BlockTable& table) {
  std::vector<char> done(table.blocks.size(), '0');
  if (before.block_bytes > 0) {
    const fs::path file = blocks_file(folder / kJournalFile);
    const std::string bytes = io::read_file(io::PartFile::part_of(file));
    if (before.progress.texts_sha256 != table.total.texts_sha256) refuse_other_texts(folder);
    if (bytes.size() != done.size()) {
      throw Error(ErrorCode::kMalformed, io::PartFile::part_of(file).string(),
                  fmt::format("has {} bytes, but the input has {}", bytes.size(),
                              counted(done.size(), "block")),
                  "run it again without --resume");
    }
    done.assign(bytes.begin(), bytes.end());
    return done;
  }
  const EmbedProgress& progress = before.progress;
  if (progress.counts.texts > 0 && progress.texts_sha256 != table.hash_at)
    refuse_other_texts(folder);
  // With windows left, the last text is half done.
  const std::uint64_t whole = progress.counts.texts - (progress.windows > 0 ? 1 : 0);
  std::uint64_t texts = 0;
  for (std::size_t b = 0; b < done.size(); ++b) {
    texts += table.blocks[b].counts.texts;
    if (texts <= whole) done[b] = '1';
  }
  return done;
}

// Every file in its full length, with its header; what is there stays.
void lay_out(const EmbedTarget& target, const BlockTable& table, bool resumed) {
  const auto make = [&](const fs::path& file, std::uint64_t bytes, std::string_view header) {
    const fs::path part = io::PartFile::part_of(file);
    std::error_code error;
    if (resumed && !fs::exists(part, error)) {
      throw Error(ErrorCode::kMalformed, part.string(), "is gone", "run it again without --resume");
    }
    io::PartFile opened(file, resumed ? std::min(bytes, std::uint64_t{fs::file_size(part)}) : 0);
    fs::resize_file(part, bytes, error);
    if (error) {
      throw Error(ErrorCode::kUnwritable, part.string(), "cannot be written: " + error.message(),
                  "free some space");
    }
    if (!header.empty()) opened.overwrite(0, header);
    opened.sync();
  };
  const fs::path folder = target.path;
  std::uint64_t lines = 0;
  for (const Block& block : table.blocks) lines += block.rows_bytes;
  make(folder / kRowsFile, lines, "");
  const std::uint64_t rows = table.total.counts.rows;
  for (std::size_t k = 0; k < target.kinds.size(); ++k) {
    const std::string header = npy_header_of(target, k, rows);
    make(folder / (target.kinds[k].name + ".npy"), header.size() + rows * row_bytes(target, k),
         header);
  }
}

Opened open_blocks(const BlocksJob& job, const BlockTable& table,
                   const std::optional<EmbedJournal>& before) {
  const EmbedTarget& target = job.target;
  const fs::path folder = target.path;
  Opened opened;
  bool resumed = false;
  if (job.folder.resume) {
    if (before) {
      const std::string difference = other_settings(*before, made_by(target));
      if (!difference.empty()) refuse_other_run(folder, difference);
      if (before->manifest) give_names(folder, *before);
    }
    EmbedProgress finished;
    opened.complete = (!before || before->manifest) && is_complete(target, finished);
    if (opened.complete) {
      if (finished.texts_sha256 == table.total.texts_sha256) return opened;
      throw Error(ErrorCode::kMalformed, folder.string(),
                  "holds the finished result of other texts",
                  "run it without --resume to replace it");
    }
    resumed = before.has_value() && (before->block_bytes > 0 || before->progress.counts.texts > 0);
  } else {
    abandon(folder);
  }
  opened.done.assign(table.blocks.size(), '0');
  if (resumed) opened.done = blocks_done(folder, *before, table);
  lay_out(target, table, resumed);
  // What an interrupted run wrote of its blocks is never shorter than it was, not for a moment.
  if (!resumed || before->block_bytes == 0) {
    io::PartFile blocks(blocks_file(folder / kJournalFile));
    blocks.write({opened.done.data(), opened.done.size()});
    blocks.flush();
    blocks.sync();
  }
  EmbedJournal journal;
  journal.made_by = made_by(target);
  journal.block_bytes = table.block_bytes;
  journal.progress.texts_sha256 = table.total.texts_sha256;
  write_journal(folder / kJournalFile, journal);
  return opened;
}

void close_blocks(const BlocksJob& job, const BlockTable& table) {
  const fs::path folder = job.target.path;
  EmbedJournal journal;
  journal.made_by = made_by(job.target);
  journal.block_bytes = table.block_bytes;
  journal.progress = table.total;
  add_manifest(journal, job.target, table.total);
  write_journal(folder / kJournalFile, journal);
  give_names(folder, journal);
}

// ---- Sharing out.

// The blocks that are left, in order, a process's share by their tokens.
std::vector<std::size_t> own_blocks(const BlockTable& table, const std::vector<char>& done,
                                    const distributed::Communicator& ranks) {
  std::uint64_t left = 0;
  const auto weight = [&](std::size_t b) {
    return done[b] == '1' ? 0 : table.blocks[b].counts.tokens + 1;
  };
  for (std::size_t b = 0; b < done.size(); ++b) left += weight(b);
  std::vector<std::size_t> own;
  std::uint64_t before = 0;
  for (std::size_t b = 0; b < done.size(); ++b) {
    if (weight(b) == 0) continue;
    const double share = static_cast<double>(before) / static_cast<double>(left);
    if (static_cast<int>(share * ranks.size()) == ranks.rank()) own.push_back(b);
    before += weight(b);
  }
  return own;
}

void check_ranks(const BlocksJob& job, distributed::Communicator& ranks) {
  if (ranks.is_alone()) return;
  const io::MappedFile input(job.input);
  const std::string settings =
      made_by(job.target).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  distributed::check_same(
      ranks,
      {{"model, instruction set or set of options", training::Hasher().add(settings).value()},
       {"output", training::Hasher()
                      .add(fs::absolute(job.target.path).string())
                      .add(job.folder.resume ? 1 : 0)
                      .value()},
       {"input",
        training::Hasher().add_bytes(input.bytes().data(), input.bytes().size()).value()}});
}

void report(const BlocksJob& job, const EmbedCounts& counts, double tokens, double seconds,
            int processes, Progress& progress) {
  progress.line(fmt::format(
      "{}: {}, {}, {} in each of {}, {} truncated, {:.2f} s, {} tokens/s by {}", job.target.path,
      counted(counts.texts, "text"), counted(counts.tokens, "token"), counted(counts.rows, "row"),
      counted(job.target.kinds.size(), "array"), counted(counts.truncated_texts, "text"), seconds,
      short_count(tokens / std::max(seconds, 1e-9)),
      fmt::format("{} process{}", processes, processes == 1 ? "" : "es")));
}

}  // namespace

bool was_in_blocks(const std::string& folder) {
  const std::optional<EmbedJournal> before = read_journal(fs::path(folder) / kJournalFile);
  return before && before->block_bytes > 0;
}

void embed_in_blocks(const BlocksJob& job, distributed::Communicator& ranks, Progress& progress) {
  check_ranks(job, ranks);
  std::optional<EmbedJournal> before;
  if (ranks.is_first() && job.folder.resume)
    before = read_journal(fs::path(job.target.path) / kJournalFile);
  const BlockTable table = count_blocks(job, ranks, before ? before->progress.counts.texts : 0);

  Opened opened;
  if (ranks.is_first()) opened = open_blocks(job, table, before);
  ranks.broadcast(&opened.complete, sizeof opened.complete);
  if (opened.complete) {
    progress.line(fmt::format("{}: {}, complete already", job.target.path,
                              counted(table.total.counts.texts, "text")));
    return;
  }
  opened.done.resize(table.blocks.size());
  ranks.broadcast(opened.done.data(), opened.done.size());
  std::uint64_t tokens = 0, blocks_left = 0;
  for (std::size_t b = 0; b < opened.done.size(); ++b) {
    if (opened.done[b] == '1') continue;
    tokens += table.blocks[b].counts.tokens;
    ++blocks_left;
  }
  if (blocks_left < opened.done.size()) {
    progress.line(fmt::format("{}: goes on; {} of {} blocks are left", job.target.path, blocks_left,
                              opened.done.size()));
  }

  const double start = seconds_now();
  const std::vector<std::size_t> own = own_blocks(table, opened.done, ranks);
  std::vector<TextSource::Stretch> stretches;
  for (const std::size_t b : own) stretches.push_back(stretch_of(table.block_bytes, b, b + 1));
  const std::unique_ptr<TextSource> source = job.texts();
  source->only_in(std::move(stretches));
  BlockWriter writer(job, table, own);
  VectorExtractor extractor(job.target.kinds, job.extraction, writer);
  EmbedPipeline pipeline(job.model, job.tokenizer, job.options, job.forward, extractor, writer);
  try {
    pipeline.run(*source, progress);
  } catch (const Error& error) {
    writer.suspend();
    const std::string hint = error.hint().empty() ? "" : error.hint() + "; ";
    throw Error(error.code(), error.path(), error.detail(),
                hint + "what is done stays, go on with --resume");
  }
  ranks.barrier();
  if (ranks.is_first()) close_blocks(job, table);
  // Nobody is done before the files have their names.
  ranks.barrier();
  const std::vector<std::uint64_t> beyond = distributed::gather_lists(ranks, {writer.beyond()});
  if (ranks.is_first()) {
    warn_beyond_half(job.target.path,
                     std::accumulate(beyond.begin(), beyond.end(), std::uint64_t{0}));
  }
  report(job, table.total.counts, static_cast<double>(tokens), seconds_now() - start, ranks.size(),
         progress);
}

}  // namespace glassgpt::cli

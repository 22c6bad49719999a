// embed's result as a folder: an npy file per kind of vector, rows.jsonl, manifest.json.
//
// While it is written the files are called NAME.part, and resume.json tells how far they can be
// trusted: it is renewed (after they were synced) every few seconds, and when the run is stopped.
// The manifest appears last: where it is, the folder is complete.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <numeric>
#include <optional>

#include "cli/embed_folder.h"
#include "cli/output.h"
#include "glassgpt/error.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/part_file.h"
#include "model/parallel.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kManifestFile = "manifest.json";
// Rows are written once there are so many: they are in the caches still, and starting threads and
// asking the system cost next to nothing.
constexpr std::size_t kGatheredBytes = std::size_t{1} << 25;

constexpr const char* kLeaveIt = "it would be replaced: name another folder, or move it away";

// Array files that a manifest names.
std::vector<std::string> arrays_of(const ordered_json& manifest) {
  std::vector<std::string> names;
  if (!manifest.contains("arrays") || !manifest["arrays"].is_array()) return names;
  for (const ordered_json& array : manifest["arrays"]) {
    if (!array.is_object() || !array.contains("file") || !array["file"].is_string()) continue;
    const fs::path path = array["file"].get<std::string>();
    if (!path.has_parent_path() && path.extension() == ".npy") names.push_back(path.string());
  }
  return names;
}

// Room for rows of one kind, used again and again.
class RowBuffer {
 public:
  explicit RowBuffer(std::size_t cols) : cols_(cols) {}
  // For the next `count` rows; append() follows with this address. What was put there stays, also
  // after clear(), until more rows are appended than there is room for.
  float* room(std::size_t count) {
    reserve(rows_ + count);
    return promised_ = end();
  }
  std::size_t rows() const noexcept { return rows_; }
  const float* data() const noexcept { return data_.get(); }
  void clear() noexcept { rows_ = 0; }

  void append(const float* rows, std::size_t count, std::size_t stride, int threads) {
    const bool there = promised_ != nullptr && rows == promised_ && promised_ == end();
    promised_ = nullptr;
    if (!there) reserve(rows_ + count);
    float* const to = end();
    rows_ += count;
    if (there) return;
    for_row_ranges(count, cols_, threads, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        std::copy_n(rows + r * stride, cols_, to + r * cols_);
      }
    });
  }

 private:
  float* end() const noexcept { return data_.get() + rows_ * cols_; }
  void reserve(std::size_t rows) {
    if (rows <= capacity_) return;
    rows = std::max(rows, 2 * capacity_);
    auto grown = std::make_unique_for_overwrite<float[]>(rows * cols_);
    std::copy_n(data_.get(), rows_ * cols_, grown.get());
    data_ = std::move(grown);
    capacity_ = rows;
  }

  std::size_t cols_, rows_ = 0, capacity_ = 0;
  std::unique_ptr<float[]> data_;
  float* promised_ = nullptr;  // the room whose rows are still to come
};

// Written as the rows come: memory does not grow with the corpus. Rows are gathered until they are
// worth it, and then each file is written by one thread, for one thread alone would keep the others
// waiting (and the system lets no two write to the same file).
class FolderWriter : public EmbedWriter {
 public:
  FolderWriter(const EmbedTarget& target, const FolderOptions& options, const EmbedJournal& from)
      : target_(target),
        folder_(target.path),
        options_(options),
        mark_(from),
        rows_(folder_ / kRowsFile, from.rows_bytes),
        beyond_half_(target.kinds.size()),
        last_checkpoint_(seconds_now()) {
    for (const VectorKind& kind : target.kinds) {
      arrays_.emplace_back(folder_ / (kind.name + ".npy"), kind.cols, npy_type(target),
                           from.progress.rows);
      gathered_.emplace_back(kind.cols);
    }
  }
  ~FolderWriter() override {
    if (checkpoint_.valid()) checkpoint_.wait();
  }

  void add_text(EmbeddedText text) override {
    if (text.rows() > 0) texts_.push_back(std::move(text));
  }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    gathered_[kind].append(rows, count, stride, options_.threads);
    gathered_bytes_ += count * target_.kinds[kind].cols * sizeof(float);
    if (gathered_bytes_ >= kGatheredBytes) write_gathered();
  }

  float* room(std::size_t kind, std::size_t count) override { return gathered_[kind].room(count); }

  void end_batch() override { write_gathered(); }

  void mark(const EmbedProgress& progress) override {
    mark_.progress = progress;
    mark_.rows_bytes = rows_.bytes();
    if (seconds_now() - last_checkpoint_ < options_.checkpoint_seconds) return;
    using namespace std::chrono_literals;
    if (checkpoint_.valid()) {
      if (checkpoint_.wait_for(0s) != std::future_status::ready) return;
      checkpoint_.get();
    }
    last_checkpoint_ = seconds_now();
    // Beside the next passes: waiting for the disk would cost more than all other writing.
    checkpoint_ = std::async(std::launch::async, [this, journal = mark_] {
      sync();
      write_journal(folder_ / kJournalFile, journal);
    });
    if (options_.checkpoint_seconds == 0) checkpoint_.get();
  }

  bool suspend() noexcept override {
    if (finished_) return false;
    try {
      if (checkpoint_.valid()) checkpoint_.wait();
      if (mark_.progress.counts.texts == 0) {
        discard();
        return false;
      }
      if (!sync_failed_) {
        // What was half written after the mark goes first: the disk may be full.
        rows_.truncate(mark_.rows_bytes);
        for (io::NpyWriter& array : arrays_) array.truncate(mark_.progress.rows);
        sync();
        write_journal(folder_ / kJournalFile, mark_);
      }
    } catch (const std::exception&) {
      // The journal before, if there is one, still holds.
    }
    try {
      const std::optional<EmbedJournal> left = read_journal(folder_ / kJournalFile);
      return left && left->progress.counts.texts > 0;
    } catch (const std::exception&) {
      return false;
    }
  }

  void finish(const EmbedProgress& progress) override {
    if (checkpoint_.valid()) checkpoint_.get();
    write_gathered();
    for (io::NpyWriter& array : arrays_) array.write_header();
    sync();
    mark_.progress = progress;
    mark_.rows_bytes = rows_.bytes();
    add_manifest(mark_, target_, progress);
    write_journal(folder_ / kJournalFile, mark_);
    give_names(folder_, mark_);
    finished_ = true;
    warn_beyond_half(target_.path,
                     std::accumulate(beyond_half_.begin(), beyond_half_.end(), std::uint64_t{0}));
  }

 private:
  // All that was handed over is with the system afterwards, and on its way to the disk. Of errors
  // the first file's is thrown.
  void write_gathered() {
    std::vector<std::exception_ptr> errors(1 + arrays_.size());
    const int threads = threads_worth(gathered_bytes_, options_.threads);
    for_tasks(errors.size(), threads, [&](std::size_t file, int) {
      try {
        if (file == 0) {
          write_row_lines();
        } else {
          write_rows(file - 1);
        }
      } catch (...) {
        errors[file] = std::current_exception();
      }
    });
    gathered_bytes_ = 0;
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
  }

  void write_rows(std::size_t kind) {
    RowBuffer& gathered = gathered_[kind];
    if (target_.half) {
      beyond_half_[kind] +=
          beyond_half(gathered.data(), gathered.rows() * target_.kinds[kind].cols);
    }
    arrays_[kind].append(gathered.data(), gathered.rows(), target_.kinds[kind].cols);
    gathered.clear();
    arrays_[kind].file().start_writing_back();
  }

  void write_row_lines() {
    for (const EmbeddedText& text : texts_) rows_.write(row_lines(*target_.tokenizer, text));
    texts_.clear();
    rows_.start_writing_back();
  }

  void sync() {
    sync_failed_ = true;
    rows_.sync();
    for (io::NpyWriter& array : arrays_) array.file().sync();
    sync_failed_ = false;
  }

  void discard() noexcept {
    rows_.discard();
    for (io::NpyWriter& array : arrays_) array.file().discard();
    remove_journal(folder_ / kJournalFile);
  }

  EmbedTarget target_;
  fs::path folder_;
  FolderOptions options_;
  EmbedJournal mark_;  // how far all files are flushed
  io::PartFile rows_;
  std::vector<io::NpyWriter> arrays_;
  std::vector<EmbeddedText> texts_;  // whose lines are not written yet
  std::vector<RowBuffer> gathered_;  // rows that are not, per kind
  std::size_t gathered_bytes_ = 0;
  std::vector<std::uint64_t> beyond_half_;  // values of this run, per kind
  double last_checkpoint_;
  bool finished_ = false;
  // The system tells once that rows could not be put on the disk: after that no further sync may
  // vouch for them, and the journal before stays. The checkpoint sets it, so wait for that first.
  bool sync_failed_ = false;
  std::future<void> checkpoint_;
};

// The files that the manifest speaks of, which may have been lost since.
void check_files(const EmbedTarget& target, std::uint64_t rows) {
  const auto check = [&](const std::string& name, std::optional<std::uint64_t> bytes) {
    const fs::path file = fs::path(target.path) / name;
    std::error_code error;
    const std::uintmax_t found = fs::file_size(file, error);
    const char* hint = "run it without --resume to write it again";
    if (error) {
      throw Error(ErrorCode::kMalformed, file.string(),
                  "belongs to a finished result: " + error.message(), hint);
    }
    if (bytes && found != *bytes) {
      throw Error(ErrorCode::kMalformed, file.string(),
                  fmt::format("has {} bytes, but {} were written", found, *bytes), hint);
    }
  };
  for (std::size_t k = 0; k < target.kinds.size(); ++k) {
    check(target.kinds[k].name + ".npy",
          npy_header_of(target, k, rows).size() + rows * row_bytes(target, k));
  }
  check(kRowsFile, std::nullopt);
}

}  // namespace

std::string npy_header_of(const EmbedTarget& target, std::size_t kind, std::uint64_t rows) {
  const std::uint64_t shape[] = {rows, target.kinds[kind].cols};
  return io::npy_header(npy_type(target), shape);
}

ordered_json made_by(const EmbedTarget& target) {
  EmbedProgress nothing;
  ordered_json manifest = manifest_of(target, nothing, "npy");
  manifest.erase("counts");
  manifest.erase("texts_sha256");
  for (ordered_json& array : manifest["arrays"]) array["shape"].erase(0);  // how many rows
  return manifest;
}

void add_manifest(EmbedJournal& journal, const EmbedTarget& target, const EmbedProgress& progress) {
  journal.manifest = manifest_of(target, progress, "npy");
  const std::vector<std::string> now = arrays_of(*journal.manifest);
  for (const std::string& name : arrays_of(read_manifest(target.path, kLeaveIt))) {
    if (std::find(now.begin(), now.end(), name) == now.end()) journal.outdated.push_back(name);
  }
}

void give_names(const fs::path& folder, const EmbedJournal& journal) {
  const ordered_json& manifest = *journal.manifest;
  std::error_code error;
  // It would lie about the new files.
  if (read_manifest(folder, kLeaveIt) != manifest) fs::remove(folder / kManifestFile, error);
  std::vector<std::string> names = arrays_of(manifest);
  names.emplace_back(kRowsFile);
  for (const std::string& name : names) {
    const fs::path part = io::PartFile::part_of(folder / name);
    if (!fs::exists(part, error)) continue;
    fs::rename(part, folder / name, error);
    if (error) {
      throw Error(ErrorCode::kUnwritable, (folder / name).string(),
                  "cannot be written: " + error.message());
    }
  }
  for (const std::string& name : journal.outdated) fs::remove(folder / name, error);
  io::sync_directory(folder);
  io::PartFile file(folder / kManifestFile);
  file.write(manifest.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  file.commit();
  io::sync_directory(folder);
  remove_journal(folder / kJournalFile);
}

void refuse_other_run(const fs::path& folder, const std::string& difference) {
  throw Error(ErrorCode::kMalformed, folder.string(),
              "was written with other settings, so --resume cannot go on: " + difference,
              "take the same, or run it without --resume to begin again");
}

ordered_json read_manifest(const fs::path& folder, const char* hint) {
  const fs::path file = folder / kManifestFile;
  std::error_code error;
  if (!fs::exists(file, error) && !error) return {};
  ordered_json manifest = ordered_json::parse(io::read_file(file), nullptr, false);
  if (!manifest.is_object() || !manifest.contains("glassgpt") || !manifest.contains("arrays") ||
      !manifest["arrays"].is_array())
    throw Error(ErrorCode::kMalformed, file.string(), "is no manifest of embed", hint);
  return manifest;
}

std::uint64_t abandon(const fs::path& folder) {
  static_cast<void>(read_manifest(folder, kLeaveIt));
  std::optional<EmbedJournal> before;
  std::error_code error;
  try {
    before = read_journal(folder / kJournalFile);
  } catch (const Error&) {
    // It does not tell which arrays it had begun.
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().string().ends_with(".npy.part")) fs::remove(entry.path(), error);
    }
  }
  remove_journal(folder / kJournalFile);
  fs::remove(io::PartFile::part_of(folder / kManifestFile), error);
  if (!before) return 0;
  for (const std::string& name : arrays_of(before->made_by)) {
    fs::remove(io::PartFile::part_of(folder / name), error);
  }
  return before->progress.counts.texts;
}

bool is_complete(const EmbedTarget& target, EmbedProgress& progress) {
  ordered_json manifest = read_manifest(target.path, kLeaveIt);
  if (manifest.is_null()) return false;
  try {
    progress.texts_sha256 = manifest.at("texts_sha256").get<std::string>();
    progress.counts.texts = manifest.at("counts").at("texts").get<std::uint64_t>();
    progress.counts.rows = manifest.at("counts").at("rows").get<std::uint64_t>();
    manifest.erase("counts");
    manifest.erase("texts_sha256");
    for (ordered_json& array : manifest.at("arrays")) array.at("shape").erase(0);
  } catch (const nlohmann::json::exception&) {
    refuse_other_run(target.path, "its manifest.json is of another version");
  }
  const std::string difference = first_difference(manifest, made_by(target));
  if (!difference.empty()) refuse_other_run(target.path, difference);
  check_files(target, progress.counts.rows);
  return true;
}

FolderStart open_folder(const EmbedTarget& target, const FolderOptions& options) {
  const fs::path folder = target.path;
  const fs::path journal_file = folder / kJournalFile;
  FolderStart start;
  EmbedJournal from;
  from.made_by = made_by(target);
  if (options.resume) {
    if (const std::optional<EmbedJournal> before = read_journal(journal_file)) {
      const std::string difference = other_settings(*before, from.made_by);
      if (!difference.empty()) refuse_other_run(folder, difference);
      from = *before;
      from.made_by = made_by(target);
      if (from.manifest) give_names(folder, from);
    } else {
      start.complete = is_complete(target, start.progress);
    }
    if (from.manifest) start.complete = is_complete(target, start.progress);
    if (start.complete) return start;
    start.progress = from.progress;
  } else {
    start.abandoned_texts = abandon(folder);
  }
  // From now on the folder is this run's, also if it is killed before its first checkpoint.
  write_journal(journal_file, from);
  start.writer = std::make_unique<FolderWriter>(target, options, from);
  return start;
}

}  // namespace glassgpt::cli

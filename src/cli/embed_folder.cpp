// embed's result as a folder: an npy file per kind of vector, rows.jsonl, manifest.json.
//
// While it is written the files are called NAME.part, and resume.json tells how far they can be
// trusted: it is renewed (after they were synced) every few seconds, and when the run is stopped.
// The manifest appears last: where it is, the folder is complete.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <optional>

#include "cli/embed_folder.h"
#include "cli/output.h"
#include "glassgpt/error.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/part_file.h"

namespace glassgpt::cli {
namespace {
namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kManifestFile = "manifest.json";

ordered_json read_manifest(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder / kManifestFile, error)) return {};
  ordered_json manifest =
      ordered_json::parse(io::read_file(folder / kManifestFile), nullptr, false);
  return manifest.is_object() ? manifest : ordered_json();
}

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

// Written as the rows come: memory does not grow with the corpus.
class FolderWriter : public EmbedWriter {
 public:
  FolderWriter(const EmbedTarget& target, const FolderOptions& options, const EmbedJournal& from)
      : target_(target),
        folder_(target.path),
        checkpoint_seconds_(options.checkpoint_seconds),
        mark_(from),
        rows_(folder_ / kRowsFile, from.rows_bytes),
        last_checkpoint_(seconds_now()) {
    for (const VectorKind& kind : target.kinds) {
      arrays_.emplace_back(folder_ / (kind.name + ".npy"), kind.cols,
                           target.half ? io::NpyType::kFloat16 : io::NpyType::kFloat32,
                           from.progress.rows);
    }
  }
  ~FolderWriter() override {
    if (checkpoint_.valid()) checkpoint_.wait();
  }

  void add_text(EmbeddedText text) override { rows_.write(row_lines(*target_.tokenizer, text)); }

  void on_rows(std::size_t kind, const float* rows, std::size_t count,
               std::size_t stride) override {
    arrays_[kind].append(rows, count, stride);
  }

  void end_batch() override {}

  void mark(const EmbedProgress& progress) override {
    rows_.start_writing_back();
    for (io::NpyWriter& array : arrays_) array.file().start_writing_back();
    mark_.progress = progress;
    mark_.rows_bytes = rows_.bytes();
    if (seconds_now() - last_checkpoint_ < checkpoint_seconds_) return;
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
    if (checkpoint_seconds_ == 0) checkpoint_.get();
  }

  bool suspend() noexcept override {
    if (finished_) return false;
    try {
      if (checkpoint_.valid()) checkpoint_.wait();
      if (mark_.progress.counts.texts == 0) {
        discard();
        return false;
      }
      // What was half written after the mark goes first: the disk may be full.
      rows_.truncate(mark_.rows_bytes);
      for (io::NpyWriter& array : arrays_) array.truncate(mark_.progress.rows);
      sync();
      write_journal(folder_ / kJournalFile, mark_);
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
    flush();
    for (io::NpyWriter& array : arrays_) array.write_header();
    sync();
    mark_.progress = progress;
    mark_.rows_bytes = rows_.bytes();
    add_manifest(mark_, target_, progress);
    write_journal(folder_ / kJournalFile, mark_);
    give_names(folder_, mark_);
    finished_ = true;
  }

 private:
  void flush() {
    rows_.flush();
    for (io::NpyWriter& array : arrays_) array.file().flush();
  }

  void sync() {
    rows_.sync();
    for (io::NpyWriter& array : arrays_) array.file().sync();
  }

  void discard() noexcept {
    rows_.discard();
    for (io::NpyWriter& array : arrays_) array.file().discard();
    remove_journal(folder_ / kJournalFile);
  }

  EmbedTarget target_;
  fs::path folder_;
  double checkpoint_seconds_;
  EmbedJournal mark_;  // how far all files are flushed
  io::PartFile rows_;
  std::vector<io::NpyWriter> arrays_;
  double last_checkpoint_;
  bool finished_ = false;
  std::future<void> checkpoint_;
};

}  // namespace

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
  for (const std::string& name : arrays_of(read_manifest(target.path))) {
    if (std::find(now.begin(), now.end(), name) == now.end()) journal.outdated.push_back(name);
  }
}

void give_names(const fs::path& folder, const EmbedJournal& journal) {
  const ordered_json& manifest = *journal.manifest;
  std::error_code error;
  // It would lie about the new files.
  if (read_manifest(folder) != manifest) fs::remove(folder / kManifestFile, error);
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

std::uint64_t abandon(const fs::path& folder) {
  std::optional<EmbedJournal> before;
  try {
    before = read_journal(folder / kJournalFile);
  } catch (const Error&) {  // whatever it was, it goes
  }
  remove_journal(folder / kJournalFile);
  std::error_code error;
  fs::remove(io::PartFile::part_of(folder / kManifestFile), error);
  if (!before) return 0;
  for (const std::string& name : arrays_of(before->made_by)) {
    fs::remove(io::PartFile::part_of(folder / name), error);
  }
  return before->progress.counts.texts;
}

bool is_complete(const EmbedTarget& target, EmbedProgress& progress) {
  ordered_json manifest = read_manifest(target.path);
  if (manifest.is_null()) return false;
  try {
    progress.texts_sha256 = manifest.at("texts_sha256").get<std::string>();
    progress.counts.texts = manifest.at("counts").at("texts").get<std::uint64_t>();
    manifest.erase("counts");
    manifest.erase("texts_sha256");
    for (ordered_json& array : manifest.at("arrays")) array.at("shape").erase(0);
  } catch (const nlohmann::json::exception&) {
    refuse_other_run(target.path, "its manifest.json is of another version");
  }
  const std::string difference = first_difference(manifest, made_by(target));
  if (!difference.empty()) refuse_other_run(target.path, difference);
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
      const std::string difference = first_difference(before->made_by, from.made_by);
      if (!difference.empty()) refuse_other_run(folder, difference);
      from = *before;
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

#include "cli/embed_journal.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/sha256.h"
#include "glassgpt/error.h"
#include "io/file.h"
#include "io/part_file.h"

namespace glassgpt::cli {
namespace {

using nlohmann::ordered_json;

constexpr int kVersion = 1;
// The next journal's space is taken beforehand, so that it can be written when the disk is full.
constexpr std::size_t kReservedBytes = std::size_t{1} << 16;

std::string short_dump(const ordered_json& value) {
  std::string text = value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

}  // namespace

ordered_json counts_json(const EmbedCounts& counts) {
  return {{"texts", counts.texts},
          {"empty_texts", counts.empty_texts},
          {"truncated_texts", counts.truncated_texts},
          {"tokens", counts.tokens},
          {"rows", counts.rows}};
}

std::optional<EmbedJournal> read_journal(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return std::nullopt;
  try {
    const ordered_json json = ordered_json::parse(io::read_file(file));
    if (json.at("version").get<int>() != kVersion) throw std::runtime_error("another version");
    EmbedJournal journal;
    journal.made_by = json.at("made_by");
    const ordered_json& counts = json.at("counts");
    const auto count = [&](const char* name) { return counts.at(name).get<std::uint64_t>(); };
    journal.progress.counts = {count("texts"), count("empty_texts"), count("truncated_texts"),
                               count("tokens"), count("rows")};
    journal.progress.rows = json.at("rows").get<std::uint64_t>();
    if (journal.progress.rows > journal.progress.counts.rows)
      throw std::runtime_error("more rows than there are");
    journal.progress.windows = json.at("windows").get<std::size_t>();
    journal.progress.texts_sha256 = json.at("texts_sha256").get<std::string>();
    journal.rows_bytes = json.at("rows_bytes").get<std::uint64_t>();
    journal.block_bytes = json.value("block_bytes", std::uint64_t{0});
    if (json.contains("manifest")) journal.manifest = json.at("manifest");
    journal.outdated = json.at("outdated").get<std::vector<std::string>>();
    for (const std::string& name : journal.outdated) {
      if (std::filesystem::path(name).filename() != name) throw std::runtime_error("a path");
    }
    return journal;
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    throw Error(ErrorCode::kMalformed, file.string(), "is no record of an interrupted embed",
                "run it without --resume to begin again");
  }
}

void write_journal(const std::filesystem::path& file, const EmbedJournal& journal) {
  ordered_json json = {{"version", kVersion},
                       {"made_by", journal.made_by},
                       {"counts", counts_json(journal.progress.counts)},
                       {"rows", journal.progress.rows},
                       {"windows", journal.progress.windows},
                       {"texts_sha256", journal.progress.texts_sha256},
                       {"rows_bytes", journal.rows_bytes},
                       {"outdated", journal.outdated}};
  if (journal.block_bytes > 0) json["block_bytes"] = journal.block_bytes;
  if (journal.manifest) json["manifest"] = *journal.manifest;
  std::string text = json.dump(1, ' ', false, ordered_json::error_handler_t::replace);
  text.resize(std::max(text.size() + 1, kReservedBytes), ' ');
  text.back() = '\n';
  std::error_code error;
  const bool reserved =
      std::filesystem::file_size(io::PartFile::part_of(file), error) == kReservedBytes && !error;
  {
    io::PartFile part(file, reserved ? kReservedBytes : 0);
    if (reserved) {
      part.overwrite(0, text);
    } else {
      part.write(text);
    }
    part.commit();
  }
  io::sync_directory(file.parent_path());
  try {
    io::PartFile next(file);
    next.write(std::string(kReservedBytes, ' '));
    next.flush();
  } catch (const Error&) {
    // The disk is full: this was what the space had been kept for.
  }
}

void remove_journal(const std::filesystem::path& file) noexcept {
  std::error_code error;
  std::filesystem::remove(file, error);
  std::filesystem::remove(io::PartFile::part_of(file), error);
  std::filesystem::remove(io::PartFile::part_of(blocks_file(file)), error);
}

std::filesystem::path blocks_file(const std::filesystem::path& journal) {
  return journal.parent_path() / "resume.blocks";
}

std::string first_difference(const ordered_json& before, const ordered_json& now) {
  if (before == now) return "";
  if (!before.is_object() || !now.is_object()) {
    return fmt::format(" was {}, now it is {}", short_dump(before), short_dump(now));
  }
  for (const auto& [key, value] : now.items()) {
    const auto old = before.find(key);
    if (old == before.end()) return fmt::format("{} is new: {}", key, short_dump(value));
    const std::string inner = first_difference(*old, value);
    if (!inner.empty()) return fmt::format("{}{}{}", key, inner[0] == ' ' ? "" : ".", inner);
  }
  for (const auto& [key, value] : before.items()) {
    if (!now.contains(key))
      return fmt::format("{} was {}, now it is not there", key, short_dump(value));
  }
  return "";
}

std::string other_settings(const EmbedJournal& before, const ordered_json& now) {
  ordered_json settings = before.made_by;
  const ordered_json::json_pointer truncate("/options/truncate"), stride("/options/stride");
  // With a manifest the result is finished, and the manifest tells how.
  if (!before.manifest && settings.contains(truncate) && settings[truncate] == "error" &&
      now.contains(truncate)) {
    settings[truncate] = now[truncate];
    if (now.contains(stride)) settings[stride] = now[stride];
  }
  return first_difference(settings, now);
}

std::string add_to_texts_hash(const std::string& before, const Text& text) {
  const std::string bytes = before + text.id + "\n" + text.bytes;
  return sha256(std::as_bytes(std::span(bytes)));
}

}  // namespace glassgpt::cli

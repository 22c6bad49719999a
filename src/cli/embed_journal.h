// What an interrupted `embed -o DIR` has done: DIR/resume.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/embed_writers.h"
#include "nlohmann/json.hpp"

namespace glassgpt::cli {

struct EmbedJournal {
  nlohmann::ordered_json made_by;  // everything that decides the result's bytes, but for the texts
  EmbedProgress progress;
  std::uint64_t rows_bytes = 0;  // of rows.jsonl
  // Not 0: the input is done in blocks of so many bytes, in any order. Then texts_sha256 is that of
  // all texts, the files have their full length, and DIR/resume.blocks.part has a byte for each
  // block: '1' once its rows are on the disk.
  std::uint64_t block_bytes = 0;
  // Set once all rows are written: what remains is to give the files their names.
  std::optional<nlohmann::ordered_json> manifest;
  std::vector<std::string> outdated;  // files of an earlier result that have to go then
};

// Nothing if there is no journal; Error (kMalformed) for one that cannot be read.
std::optional<EmbedJournal> read_journal(const std::filesystem::path& file);
void write_journal(const std::filesystem::path& file, const EmbedJournal& journal);
void remove_journal(const std::filesystem::path& file) noexcept;
// DIR/resume.blocks of DIR/resume.json.
std::filesystem::path blocks_file(const std::filesystem::path& journal);

// "options.layers was \"all\", now it is \"final\"": the first difference, or nothing.
std::string first_difference(const nlohmann::ordered_json& before,
                             const nlohmann::ordered_json& now);

// What settings an interrupted run had otherwise than `now`, so that it cannot go on; or nothing.
// One with --truncate error met no text that was too long, or it stopped there: its rows are those
// of any other truncation.
std::string other_settings(const EmbedJournal& before, const nlohmann::ordered_json& now);

// The texts so far as 64 hexadecimal digits: SHA-256 of the digits before (none at first), the
// text's id, a line feed, and its bytes.
std::string add_to_texts_hash(const std::string& before, const Text& text);

}  // namespace glassgpt::cli

// What both ways to fill a folder share: one process from the first text to the last
// (embed_folder), or several, block by block (embed_blocks).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/embed_journal.h"
#include "cli/embed_writers.h"

namespace glassgpt::cli {

inline constexpr const char* kRowsFile = "rows.jsonl";
inline constexpr const char* kJournalFile = "resume.json";

// Of the array of one kind.
std::string npy_header_of(const EmbedTarget& target, std::size_t kind, std::uint64_t rows);

// Everything that decides the result's bytes, but for the texts.
nlohmann::ordered_json made_by(const EmbedTarget& target);
// The manifest and the files that go with the result before, once all rows are written.
void add_manifest(EmbedJournal& journal, const EmbedTarget& target, const EmbedProgress& progress);
// All rows are written, and the journal says so: gives the files their names. Can be done again
// after it was broken off anywhere.
void give_names(const std::filesystem::path& folder, const EmbedJournal& journal);
// DIR/manifest.json; null if there is none. Throws Error (kMalformed) for one that embed did not
// write; `hint` says what to do then.
nlohmann::ordered_json read_manifest(const std::filesystem::path& folder, const char* hint);

// Forgets an interrupted run; how many texts it had done. Throws Error (kMalformed) if the folder
// has a manifest.json of another program's.
std::uint64_t abandon(const std::filesystem::path& folder);
// True if the folder holds the finished result of the same settings; Error if of others, or if a
// file of it is gone or has another length.
bool is_complete(const EmbedTarget& target, EmbedProgress& progress);
[[noreturn]] void refuse_other_run(const std::filesystem::path& folder,
                                   const std::string& difference);

}  // namespace glassgpt::cli

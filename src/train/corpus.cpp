#include "train/corpus.h"

#include <algorithm>
#include <string>
#include <system_error>

#include "glassgpt/error.h"
#include "io/file.h"
#include "io/json.h"

namespace glassgpt::training {
namespace {

namespace fs = std::filesystem;

CorpusFile describe(const fs::path& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  if (error) {
    throw Error(ErrorCode::kUnreadable, path.string(), "cannot be read: " + error.message());
  }
  const auto modified = fs::last_write_time(path, error);
  return {path, bytes, error ? 0 : static_cast<std::int64_t>(modified.time_since_epoch().count())};
}

bool is_corpus_file(const fs::directory_entry& entry) {
  const std::string extension = entry.path().extension().string();
  std::error_code ignored;
  return entry.is_regular_file(ignored) && (extension == ".txt" || extension == ".jsonl");
}

std::vector<CorpusFile> files_below(const fs::path& folder) {
  std::vector<CorpusFile> files;
  fs::path where = folder;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_corpus_file(*entry)) files.push_back(describe(entry->path()));
    // What the next step enters, or goes on with.
    std::error_code ignored;
    where = entry->is_directory(ignored) ? entry->path() : entry->path().parent_path();
  }
  if (error) {
    throw Error(ErrorCode::kUnreadable, where.string(), "cannot be read: " + error.message(),
                "let it be read, or name the other files of the corpus themselves");
  }
  return files;
}

std::string_view next_line(std::string_view text, std::size_t& at) {
  const std::size_t end = std::min(text.find('\n', at), text.size());
  const std::string_view line = text.substr(at, end - at);
  at = std::min(end + 1, text.size());
  return line;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\v\f") == std::string_view::npos;
}

void for_each_text_document(std::string_view text, const DocumentFn& document) {
  std::size_t begin = 0,
              end = 0;  // of the lines of the document so far, without the last line's end
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t line_begin = at;
    const std::string_view line = next_line(text, at);
    if (is_blank(line)) {
      if (end > begin) document(text.substr(begin, end - begin), at);
      begin = end = at;
    } else {
      end = line_begin + line.size();
    }
  }
  if (end > begin) document(text.substr(begin, end - begin), text.size());
}

void for_each_json_document(std::string_view text, const fs::path& path,
                            const DocumentFn& document) {
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view line = next_line(text, at);
    ++number;
    if (is_blank(line)) continue;
    const std::string where = path.string() + ":" + std::to_string(number);
    const nlohmann::json object = io::parse_json(line, where);
    const auto field = object.is_object() ? object.find("text") : object.end();
    if (!object.is_object() || field == object.end() || !field->is_string()) {
      throw Error(ErrorCode::kMalformed, where, "is not an object with a string \"text\"",
                  "one JSON object a line is expected in a .jsonl corpus");
    }
    const std::string& content = field->get_ref<const std::string&>();
    if (!is_blank(content)) document(content, at);
  }
}

}  // namespace

std::vector<CorpusFile> corpus_files(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    throw Error(ErrorCode::kNotFound, path.string(), "no such file or directory",
                "check the path of the corpus");
  }
  if (!fs::is_directory(status)) return {describe(path)};
  std::vector<CorpusFile> files = files_below(path);
  if (files.empty()) {
    throw Error(ErrorCode::kNotFound, path.string(), "holds no .txt or .jsonl file",
                "name the corpus files themselves if they are called otherwise");
  }
  std::sort(files.begin(), files.end(),
            [](const CorpusFile& a, const CorpusFile& b) { return a.path < b.path; });
  return files;
}

void for_each_document(const CorpusFile& file, const DocumentFn& document) {
  const io::MappedFile map(file.path);
  const std::string_view text(reinterpret_cast<const char*>(map.bytes().data()),
                              map.bytes().size());
  if (file.path.extension() == ".jsonl") {
    for_each_json_document(text, file.path, document);
  } else {
    for_each_text_document(text, document);
  }
}

}  // namespace glassgpt::training

// Making a token file: documents in, encoded by all threads, ids out in the order of the documents.
#include <cstring>
#include <exception>
#include <string>

#include "glassgpt/error.h"
#include "train/corpus.h"
#include "train/hash.h"
#include "train/parallel.h"
#include "train/token_file.h"
#include "train/token_file_format.h"

namespace glassgpt::training {
namespace {

namespace fs = std::filesystem;
using Progress = std::function<void(std::uint64_t, std::uint64_t)>;

// Documents are encoded together until they make this many bytes. A longer one is cut at ends of
// lines, and a stretch without any that is longer than a batch is encoded as it comes: memory holds
// a batch, however long a document is.
constexpr std::size_t kBatchBytes = std::size_t{8} << 20;
constexpr std::size_t kPieceBytes = std::size_t{1} << 18;

// Ids in the file's width, with their hash.
class IdWriter {
 public:
  IdWriter(const fs::path& file, std::uint64_t key, std::size_t width)
      : file_(file), width_(width) {
    TokenFileHeader header{};
    std::memcpy(header.magic, kTokenFileMagic, 8);
    header.version = kTokenFileVersion;
    header.width = static_cast<std::uint32_t>(width);
    header.key = key;
    file_.write(&header, sizeof header);
  }

  std::uint64_t count() const noexcept { return count_; }

  void write(std::span<const TokenId> ids) {
    for (const TokenId id : ids) {
      buffer_.append(reinterpret_cast<const char*>(&id), width_);
    }
    count_ += ids.size();
    if (buffer_.size() >= kBatchBytes) flush(buffer_.size() / 8 * 8);
  }

  void finish(std::span<const TokenFile::Stream> streams) {
    buffer_.resize((buffer_.size() + 7) / 8 * 8, '\0');
    flush(buffer_.size());
    TokenFileTrailer trailer{};
    trailer.streams = streams.size();
    trailer.table_offset = sizeof(TokenFileHeader) + written_;
    buffer_.assign(reinterpret_cast<const char*>(streams.data()), streams.size_bytes());
    flush(buffer_.size());
    // As Hasher::add_bytes ends: no rest, then the size.
    trailer.content_hash = hasher_.add(0).add(written_).value();
    std::memcpy(trailer.magic, kTokenFileEnd, 8);
    file_.write(&trailer, sizeof trailer);
    file_.commit();
  }

 private:
  void flush(std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; at += 8) {
      std::uint64_t word;
      std::memcpy(&word, buffer_.data() + at, 8);
      hasher_.add(word);
    }
    file_.write(buffer_.data(), bytes);
    written_ += bytes;
    buffer_.erase(0, bytes);
  }

  io::AtomicFile file_;
  std::size_t width_;
  std::uint64_t count_ = 0, written_ = 0;
  std::string buffer_;
  Hasher hasher_;
};

// A stretch of a document.
struct Piece {
  std::string text;
  bool first;  // of its document
  bool held_out;
  std::vector<TokenId> ids;
};

class CorpusTokenizer {
 public:
  CorpusTokenizer(const Tokenizer& tokenizer, TokenId separator, double held_out_fraction,
                  int threads, IdWriter& writer, const Progress& progress, std::uint64_t total)
      : tokenizer_(tokenizer),
        separator_(separator),
        held_out_fraction_(held_out_fraction),
        threads_(threads),
        writer_(writer),
        progress_(progress),
        total_(total) {}

  // Writes the documents of one source as one stream; what is held out is appended to `held_out`.
  TokenFile::Stream run(const fs::path& source, std::vector<TokenId>& held_out) {
    TokenFile::Stream stream{writer_.count(), 0};
    for (const CorpusFile& file : corpus_files(source)) {
      const std::uint64_t begin = done_;
      for_each_document(file, [&](std::string_view document, std::uint64_t consumed) {
        add(document, held_out);
        done_ = begin + consumed;
        if (batch_bytes_ >= kBatchBytes) encode(held_out);
      });
      done_ = begin + file.bytes;
    }
    encode(held_out);
    if (writer_.count() > stream.first) writer_.write({&separator_, 1});
    if (!held_out.empty()) held_out.push_back(separator_);
    stream.count = writer_.count() - stream.first;
    return stream;
  }

 private:
  void add(std::string_view document, std::vector<TokenId>& held_out) {
    // By the document's bytes alone: the same split for every seed, order and neighbourhood.
    const double draw = static_cast<double>(Hasher().add(document).value() >> 11) * 0x1p-53;
    Piece piece{{}, true, draw < held_out_fraction_, {}};
    const std::uint64_t begin = done_;
    while (!document.empty()) {
      const std::string_view text = document.substr(0, piece_end(document));
      document.remove_prefix(text.size());
      if (text.size() > kBatchBytes) {
        encode(held_out);
        encode_as_it_comes(text, piece, held_out);
      } else {
        batch_.push_back(piece);
        batch_.back().text = text;
        batch_bytes_ += text.size();
      }
      piece.first = false;
      done_ += text.size();
      if (batch_bytes_ >= kBatchBytes && !document.empty()) encode(held_out);
    }
    done_ = begin;
  }

  static std::size_t piece_end(std::string_view document) {
    if (document.size() <= kPieceBytes) return document.size();
    const std::size_t line_end = document.find('\n', kPieceBytes);
    return line_end == std::string_view::npos ? document.size() : line_end + 1;
  }

  void encode(std::vector<TokenId>& held_out) {
    std::exception_ptr failure;
    for_tasks(batch_.size(), threads_, [&](std::size_t i, int) {
      try {
        batch_[i].ids = tokenizer_.encode(batch_[i].text, SpecialTokens::kNone);
      } catch (...) {
#pragma omp critical
        failure = std::current_exception();
      }
    });
    if (failure) std::rethrow_exception(failure);
    for (const Piece& piece : batch_) write(piece, held_out);
    batch_.clear();
    batch_bytes_ = 0;
    if (progress_) progress_(done_, total_);
  }

  void encode_as_it_comes(std::string_view text, Piece piece, std::vector<TokenId>& held_out) {
    StreamingEncoder encoder(tokenizer_);
    for (std::size_t at = 0; at < text.size(); at += kPieceBytes) {
      encoder.push(text.substr(at, kPieceBytes), piece.ids);
      write(piece, held_out);
      piece.ids.clear();
      piece.first = false;
      if (progress_) progress_(done_ + at, total_);
    }
    encoder.finish(piece.ids);
    write(piece, held_out);
  }

  void write(const Piece& piece, std::vector<TokenId>& held_out) {
    if (piece.held_out) {
      if (piece.first) held_out.push_back(separator_);
      held_out.insert(held_out.end(), piece.ids.begin(), piece.ids.end());
    } else {
      if (piece.first) writer_.write({&separator_, 1});
      writer_.write(piece.ids);
    }
  }

  const Tokenizer& tokenizer_;
  TokenId separator_;
  double held_out_fraction_;
  int threads_;
  IdWriter& writer_;
  const Progress& progress_;
  std::uint64_t total_, done_ = 0;
  std::vector<Piece> batch_;
  std::size_t batch_bytes_ = 0;
};

// Where no document was chosen or most of the text was (a corpus of few documents), the end of the
// stream is held out.
void hold_out_tail(TokenFile::Stream& train, TokenFile::Stream& valid, double fraction) {
  const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(train.count));
  const std::uint64_t tail = std::min(std::max<std::uint64_t>(wanted, 1024), train.count / 10);
  train.count -= tail;
  valid = {train.first + train.count, tail};
}

// Of a corpus of few documents the draw may take the only one, or the largest: then it is learned
// from after all. A fraction from one half on asks for as much.
bool took_too_much(const TokenFile::Stream& train, std::size_t held_out, double fraction) {
  return held_out > 0 && (train.count == 0 || (held_out > train.count && fraction < 0.5));
}

std::uint64_t source_key(const TokenFilePlan& plan, std::uint64_t tokenizer, std::uint64_t& bytes) {
  Hasher key;
  key.add(kTokenFileVersion)
      .add(tokenizer)
      .add(static_cast<std::uint64_t>(plan.valid_fraction * 0x1p32));
  for (const auto* sources : {&plan.train, &plan.valid}) {
    key.add(sources->size());
    for (const fs::path& source : *sources) {
      const std::vector<CorpusFile> files = corpus_files(source);
      key.add(files.size());
      for (const CorpusFile& file : files) {
        std::error_code ignored;
        key.add(fs::weakly_canonical(file.path, ignored).string());
        key.add(file.bytes).add(static_cast<std::uint64_t>(file.modified));
        bytes += file.bytes;
      }
    }
  }
  return key.value();
}

TokenId separator_of(const Tokenizer& tokenizer) {
  const auto id = tokenizer.special_id("<|endoftext|>");
  if (!id) {
    throw Error(ErrorCode::kUnsupported, "", "the tokenizer has no special token <|endoftext|>",
                "documents are separated by it: train the tokenizer with --special "
                "'<|endoftext|>'");
  }
  return *id;
}

void make_token_file(const fs::path& file, const TokenFilePlan& plan, const Tokenizer& tokenizer,
                     std::uint64_t key, std::uint64_t bytes, int threads,
                     const Progress& progress) {
  const TokenId separator = separator_of(tokenizer);
  IdWriter writer(file, key, tokenizer.vocab_size() <= 65536 ? 2 : 4);
  const bool own_valid = !plan.valid.empty() || plan.valid_fraction <= 0;
  CorpusTokenizer corpus(tokenizer, separator, own_valid ? 0 : plan.valid_fraction, threads, writer,
                         progress, bytes);
  std::vector<TokenFile::Stream> train, valid;
  std::vector<std::vector<TokenId>> held_out(plan.train.size());
  for (std::size_t i = 0; i < plan.train.size(); ++i) {
    train.push_back(corpus.run(plan.train[i], held_out[i]));
    if (took_too_much(train[i], held_out[i].size(), plan.valid_fraction)) {
      // The stream ends with the separator that these documents begin with.
      const std::size_t shared = train[i].count > 0 ? 1 : 0;
      writer.write(std::span(held_out[i]).subspan(shared));
      train[i].count = writer.count() - train[i].first;
      held_out[i].clear();
    }
  }
  if (own_valid) {
    std::vector<TokenId> none;
    for (const fs::path& source : plan.valid) valid.push_back(corpus.run(source, none));
  } else {
    for (std::size_t i = 0; i < train.size(); ++i) {
      valid.push_back({writer.count(), held_out[i].size()});
      if (held_out[i].empty()) {
        hold_out_tail(train[i], valid[i], plan.valid_fraction);
      } else {
        writer.write(held_out[i]);
      }
    }
  }
  train.insert(train.end(), valid.begin(), valid.end());
  writer.finish(train);
}

}  // namespace

std::uint64_t tokenizer_hash(const Tokenizer& tokenizer) {
  Hasher hash;
  hash.add(static_cast<std::uint64_t>(tokenizer.pattern())).add(tokenizer.vocab_size());
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    // Not every id below vocab_size need be a token.
    try {
      hash.add(tokenizer.token_bytes(id)).add(tokenizer.is_special(id) ? 1 : 0);
    } catch (const Error&) {
      hash.add(~std::uint64_t{0});
    }
  }
  return hash.value();
}

TokenFile TokenFile::open_or_make(const fs::path& file, const TokenFilePlan& plan,
                                  const Tokenizer& tokenizer, int threads,
                                  const Progress& progress) {
  std::uint64_t bytes = 0;
  const std::uint64_t key = source_key(plan, tokenizer_hash(tokenizer), bytes);
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    try {
      TokenFile existing(file, tokenizer.vocab_size());
      if (existing.key() == key) return existing;
    } catch (const Error&) {
      // Damaged or from elsewhere: it is made anew.
    }
  }
  make_token_file(file, plan, tokenizer, key, bytes, threads, progress);
  return TokenFile(file, tokenizer.vocab_size());
}

}  // namespace glassgpt::training

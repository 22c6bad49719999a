// TextEncoder's way through scripts of wide characters, those of three bytes, most of which have no
// blanks: Chinese, Japanese, Thai. Their pieces are long and hardly ever met again, so they are cut
// where no token reaches across (token_boundaries.h).
#include "tokenizer/text_encoder.h"
#include "tokenizer/unicode.h"

namespace glassgpt::tokenizer {
namespace {

using Wide = TokenBoundaries::Wide;

bool is_symbol(CharClass c) noexcept { return c <= CharClass::kMark; }

// Whether a word may have this character before it.
template <SplitPattern kPattern>
bool may_precede_word(char byte, CharClass kind) noexcept {
  if (kPattern == SplitPattern::kGpt2) return byte == ' ';
  const bool is_contraction = byte == '\'';  // it may be
  const bool is_line_end = byte == '\r' || byte == '\n';
  return (kind == CharClass::kOther || kind == CharClass::kSpace) && !is_line_end &&
         !is_contraction;
}

}  // namespace

// Adds the parts of the last piece from `at` on, as long as its characters are accepted, and
// returns the place behind them; the last part stays open. `before` is the wide character before
// `at`, if one ends there.
template <class Accept>
const char* TextEncoder::add_parts(const char* at, const char* end, Wide& before, Accept accept) {
  const TokenBoundaries& boundaries = parts_.boundaries;
  std::size_t count = filling_->count;
  for (; end - at >= 3; at += 3) {
    const Wide next = boundaries.wide_at(at);
    if (!accept(next)) break;
    // Written in any case, and kept if the place is a cut: no branch, for it is as good as random.
    filling_->begins[count + 1] = at;
    filling_->is_part[count] = 1;
    count += static_cast<std::size_t>(before.is_whole()) &
             static_cast<std::size_t>(!boundaries.may_span(before, next));
    before = next;
    if (count < Batch::kFull) continue;
    filling_->count = count;
    finish_batch();
    count = 0;
  }
  filling_->count = count;
  return at;
}

// Adds the piece at `begin`, one of whose first two bytes begins a wide character, and returns its
// end. That is where piece_end_of() has it, which is asked only where more than wide characters and
// ASCII is involved.
template <SplitPattern kPattern>
const char* TextEncoder::add_wide_piece(const char* begin) {
  // In o200k, capitals may begin a word, and marks and contractions belong to one.
  constexpr bool kIsO200k = kPattern == SplitPattern::kO200k;
  const auto is_word = [](CharClass c) {
    return kIsO200k ? c == CharClass::kOtherLetter : is_letter(c);
  };
  const auto is_joined = [](CharClass c) {
    return is_letter(c) || (kIsO200k && c == CharClass::kMark);
  };
  // Whether a run of wide characters is the whole piece, as far as what follows it is concerned.
  const auto ends_at = [this](const char* at, auto goes_on) {
    if (at == end_) return true;
    if (static_cast<signed char>(*at) >= 0) {
      const bool contracts = kIsO200k && *at == '\'';
      return !contracts && !goes_on(char_class(static_cast<unsigned char>(*at)));
    }
    if (end_ - at < 3) return false;
    const Wide next = parts_.boundaries.wide_at(at);
    return next.is_valid() && !goes_on(next.kind());
  };
  const auto is_wide_word = [&](Wide c) { return c.is_valid() && is_word(c.kind()); };

  const bool is_wide = TokenBoundaries::is_lead(*begin);
  const Wide first = is_wide ? parts_.boundaries.wide_at(begin) : Wide();
  const bool is_known = !is_wide || first.is_valid();
  const CharClass kind = is_wide ? first.kind() : char_class(static_cast<unsigned char>(*begin));
  const char* at = begin;
  Wide before;
  bool is_whole = false;
  if (is_wide && is_wide_word(first)) {
    at = add_parts(at, end_, before, is_wide_word);
    is_whole = ends_at(at, is_joined);
  } else if (kPattern == SplitPattern::kGpt2 && is_wide && is_known && is_symbol(kind)) {
    at = add_parts(at, end_, before, [](Wide c) { return c.is_valid() && is_symbol(c.kind()); });
    is_whole = ends_at(at, is_symbol);
  } else if (is_known && may_precede_word<kPattern>(*begin, kind)) {
    const char* const word = begin + (is_wide ? 3 : 1);
    if (end_ - word >= 3 && is_wide_word(parts_.boundaries.wide_at(word))) {
      before = first;
      at = add_parts(word, end_, before, is_wide_word);
      is_whole = ends_at(at, is_joined);
    }
  }
  const char* const end = is_whole ? at : piece_end_of<kPattern>(begin, end_);
  while (at < end) {
    at = add_parts(at, end, before, [](Wide c) { return c.is_whole(); });
    before = Wide();
    at += at < end ? 1 : 0;
  }
  filling_->is_part[filling_->count] = filling_->begins[filling_->count] != begin ? 1 : 0;
  filling_->begins[++filling_->count] = end;
  return end;
}

template const char* TextEncoder::add_wide_piece<SplitPattern::kGpt2>(const char*);
template const char* TextEncoder::add_wide_piece<SplitPattern::kCl100k>(const char*);
template const char* TextEncoder::add_wide_piece<SplitPattern::kO200k>(const char*);

}  // namespace glassgpt::tokenizer

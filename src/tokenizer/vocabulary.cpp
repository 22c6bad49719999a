#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <cstring>

namespace glassgpt::tokenizer {

bool Vocabulary::add(TokenId id, std::string_view bytes, bool hidden) {
  if (contains(id)) return false;
  if (id >= entries_.size()) {
    entries_.resize(std::size_t{id} + 1);
    shorts_.resize(entries_.size());
  }
  entries_[id] = {text_.size(), bytes.size()};
  if (bytes.size() <= sizeof(Short::bytes)) {
    bytes.copy(shorts_[id].bytes, bytes.size());
    shorts_[id].length = static_cast<std::uint8_t>(bytes.size());
  }
  text_.append(bytes);
  if (hidden) return true;
  if (2 * (indexed_ + 1) > index_.size()) grow_index();
  TokenId& slot = index_[slot_of(bytes)];
  if (slot == kNoToken) {
    slot = id;
    ++indexed_;
  }
  return true;
}

// From a thousand of the tokens: memory that is asked for and not used costs more than they.
std::size_t Vocabulary::estimate_bytes(std::span<const TokenId> ids) const noexcept {
  const std::size_t step = ids.size() / 1024 + 1;
  std::size_t sum = 0;
  for (std::size_t i = 0; i < ids.size(); i += step) {
    if (ids[i] < shorts_.size()) sum += std::min<std::size_t>(shorts_[ids[i]].length, 32);
  }
  return sum * step + sum * step / 16;
}

// Pointers of its own: the stores could change those of a string, so each token would read them
// again.
std::size_t Vocabulary::copy_short(std::span<const TokenId> ids, char*& out) const noexcept {
  const Short* const shorts = shorts_.data();
  const std::size_t size = shorts_.size();
  char* at = out;
  std::size_t done = 0;
  for (; done < ids.size() && ids[done] < size; ++done) {
    const Short& token = shorts[ids[done]];
    if (token.length == kLong) break;
    // Always 16 bytes: what is too much is overwritten by the next token.
    std::memcpy(at, &token, sizeof(Short));
    at += token.length;
  }
  out = at;
  return done;
}

std::size_t Vocabulary::append_bytes(std::span<const TokenId> ids, std::string& text) const {
  std::size_t used = text.size();
  const auto make_room = [&](std::size_t bytes) {
    if (text.size() - used < bytes) text.resize(std::max(used + bytes, text.size() * 3 / 2));
  };
  make_room(estimate_bytes(ids) + kBlockTokens * sizeof(Short));
  std::size_t done = 0;
  while (done < ids.size()) {
    const auto block = ids.subspan(done, std::min(kBlockTokens, ids.size() - done));
    make_room(block.size() * sizeof(Short));
    char* out = text.data() + used;
    const std::size_t copied = copy_short(block, out);
    used = static_cast<std::size_t>(out - text.data());
    done += copied;
    if (copied == block.size()) continue;
    const TokenId id = ids[done];
    if (!contains(id)) break;
    make_room(bytes(id).size());
    bytes(id).copy(text.data() + used, bytes(id).size());
    used += bytes(id).size();
    ++done;
  }
  text.resize(used);
  return done;
}

TokenId Vocabulary::find(std::string_view bytes) const noexcept {
  return index_.empty() ? kNoToken : index_[slot_of(bytes)];
}

std::size_t Vocabulary::slot_of(std::string_view wanted) const noexcept {
  const std::size_t mask = index_.size() - 1;
  std::size_t slot = hash_bytes(wanted) & mask;
  while (index_[slot] != kNoToken && bytes(index_[slot]) != wanted) slot = (slot + 1) & mask;
  return slot;
}

void Vocabulary::grow_index() {
  std::vector<TokenId> old(index_.empty() ? 1024 : index_.size() * 2, kNoToken);
  old.swap(index_);
  for (const TokenId id : old) {
    if (id != kNoToken) index_[slot_of(bytes(id))] = id;
  }
}

}  // namespace glassgpt::tokenizer

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

std::size_t Vocabulary::append_bytes(std::span<const TokenId> ids, std::string& text) const {
  std::size_t used = text.size();
  const auto make_room = [&](std::size_t bytes) {
    if (text.size() - used < bytes) text.resize(std::max(used + bytes, text.size() * 3 / 2));
  };
  make_room(estimate_bytes(ids) + sizeof(Short));
  std::size_t done = 0;
  for (; done < ids.size(); ++done) {
    const TokenId id = ids[done];
    if (id >= shorts_.size()) break;
    make_room(sizeof(Short));
    // Always 16 bytes: what is too much is overwritten by the next token.
    std::memcpy(text.data() + used, &shorts_[id], sizeof(Short));
    if (shorts_[id].length != kLong) {
      used += shorts_[id].length;
      continue;
    }
    if (!contains(id)) break;
    make_room(bytes(id).size());
    bytes(id).copy(text.data() + used, bytes(id).size());
    used += bytes(id).size();
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

#include "tokenizer/vocabulary.h"

namespace glassgpt::tokenizer {

bool Vocabulary::add(TokenId id, std::string_view bytes, bool hidden) {
  if (contains(id)) return false;
  if (id >= entries_.size()) entries_.resize(std::size_t{id} + 1);
  entries_[id] = {text_.size(), bytes.size()};
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

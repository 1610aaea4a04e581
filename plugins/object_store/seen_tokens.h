// Notices a listing that goes in circles.
#pragma once

#include <functional>
#include <string_view>
#include <unordered_set>

namespace rad::object_store {

/// The opaque tokens of one listing's pages: one that comes again would make the listing endless.
class SeenTokens {
 public:
  /// \return false if it was there before.
  bool add(std::string_view token) {
    return hashes_.insert(std::hash<std::string_view>()(token)).second;
  }

 private:
  std::unordered_set<std::size_t> hashes_;
};

}  // namespace rad::object_store

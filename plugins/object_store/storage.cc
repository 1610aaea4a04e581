#include "plugins/object_store/storage.h"

#include <algorithm>

#include <fmt/format.h>

namespace rad::object_store {

Result<std::vector<ObjectInfo>> Storage::list(std::string_view prefix) {
  std::vector<ObjectInfo> found;
  RAD_CHECK(visit(prefix, [&](const ObjectInfo& object) -> Status {
    found.push_back(object);
    return {};
  }));
  std::sort(found.begin(), found.end(),
            [](const ObjectInfo& a, const ObjectInfo& b) { return a.key < b.key; });
  return found;
}

Result<std::string> Storage::read_head(std::string_view key, std::size_t max_bytes,
                                       const OpenOptions& options) {
  OpenOptions bounded = options;
  bounded.length = std::min<std::uint64_t>(options.length, max_bytes);
  RAD_TRY(const auto reader, open(key, bounded));
  std::string text(max_bytes, '\0');
  std::size_t have = 0;
  while (have < max_bytes) {
    RAD_TRY(const std::size_t got,
            reader->read(std::as_writable_bytes(std::span(text).subspan(have))));
    if (got == 0) break;
    have += got;
  }
  text.resize(have);
  return text;
}

Status compare_length(std::uint64_t found, std::uint64_t listed) {
  if (found == listed) return {};
  Error error;
  if (found < listed) {
    error =
        fail(Reason::truncated, fmt::format("it has {} bytes, the listing says {}", found, listed));
    error.offset = found;
  } else {
    error =
        fail(Reason::backup_removed,
             fmt::format("it has {} bytes, the listing said {}: it was replaced while it was read",
                         found, listed),
             "look for a second writer on this prefix");
    error.retryable = true;
  }
  return error;
}

}  // namespace rad::object_store

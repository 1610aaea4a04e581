// Reading objects and listings. One implementation per kind of storage; a library for plugins.
//
// Missing, denied and unreachable are different answers (missing_object, access_denied,
// storage_unreachable); an object shorter than its listing is the reader's to notice, with
// ObjectInfo::size. Thread-safe: objects may be opened and read on several threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/base/unique_fd.h"

namespace rad::object_store {

/// One object as a listing has it.
struct ObjectInfo {
  std::string key;  ///< relative to the storage's prefix, without leading "/"
  std::uint64_t size = 0;
  TimePoint modified{};
};

class Storage {
 public:
  virtual ~Storage() = default;
  /// All objects whose key begins with `prefix`, sorted by key. None is an empty list, but a
  /// storage root that is not there is missing_object.
  virtual Result<std::vector<ObjectInfo>> list(std::string_view prefix) = 0;
  /// One object's current size and time. \return missing_object if it does not exist.
  virtual Result<ObjectInfo> stat(std::string_view key) = 0;
  /// A descriptor to read the object from, from `offset` on; end of file is the end of the object.
  virtual Result<UniqueFd> open(std::string_view key, std::uint64_t offset = 0) = 0;
  /// For messages: "file:///var/backups/pg".
  virtual std::string describe() const = 0;
};

/// \param url "file:///path" or "file://host/path" (the host is ignored, as WAL-E does).
/// \return config_invalid for other schemes, naming those that are understood.
Result<std::unique_ptr<Storage>> open_storage(std::string_view url);

}  // namespace rad::object_store

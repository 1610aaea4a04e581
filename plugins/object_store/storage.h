// Reading objects and listings. One implementation per kind of storage; a library for plugins.
//
// Five answers are told apart: missing (missing_object), denied (access_denied), unreachable and
// throttled (storage_unreachable; the message of the latter says so), shortened (truncated). An
// object that has become longer, or another one, since it was listed is backup_removed. What breaks
// or stalls is tried again, and resumed, within TransportOptions::timeout: no call waits for ever.
// Thread-safe: objects may be opened and read on several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad::object_store {

/// One object as a listing has it.
struct ObjectInfo {
  std::string key;  ///< relative to the storage's prefix, without leading "/"
  std::uint64_t size = 0;
  TimePoint modified{};
};

/// What part of an object is wanted, and what is known of it.
struct OpenOptions {
  static constexpr std::uint64_t kToTheEnd = UINT64_MAX;

  std::uint64_t offset = 0;
  std::uint64_t length = kToTheEnd;  ///< at most; so that a look at a head costs no more than that
  std::optional<std::uint64_t> expected_size;  ///< of the whole object, as its listing has it
  std::stop_token stop;                        ///< ends open() and reads with Reason::cancelled
};

/// The bytes of one open object, in order. One thread at a time, except cancel().
class ObjectReader {
 public:
  virtual ~ObjectReader() = default;
  /// At least one byte, if `out` is not empty and the wanted part has not ended.
  /// \return how many; 0 is the end, and proves that all bytes up to it were there: an object that
  ///   is shorter than `expected_size` is truncated, a longer one backup_removed. The error's
  ///   `object` is the key, its message does not say it again. After an error all reads are errors.
  virtual Result<std::size_t> read(std::span<std::byte> out) = 0;
  /// Makes the present and every later read() return Reason::cancelled at once. Any thread.
  virtual void cancel() noexcept = 0;
  /// A regular file whose offset is where the next read() begins, to be handed to a child or
  /// spliced; owned by this. Then it is the caller's to notice the object's length, and `length`
  /// does not bind. -1 if there is none.
  virtual int descriptor() const noexcept { return -1; }
};

/// Takes the objects of a listing one by one. An Error ends the listing and is its result.
using ObjectVisitor = std::function<Status(const ObjectInfo&)>;

class Storage {
 public:
  virtual ~Storage() = default;
  /// All objects whose key begins with `prefix`, each once, in no promised order; the memory used
  /// does not depend on how many there are. None is a success, but a storage root that is not there
  /// is missing_object. When the listing breaks off, `visit` has seen a part of it.
  virtual Status visit(std::string_view prefix, const ObjectVisitor& visit,
                       std::stop_token stop = {}) = 0;
  /// One object's current size and time. \return missing_object if it does not exist: the storage
  /// itself has said so.
  virtual Result<ObjectInfo> stat(std::string_view key) = 0;
  /// \return missing_object, access_denied, storage_unreachable, or as ObjectReader::read().
  virtual Result<std::unique_ptr<ObjectReader>> open(std::string_view key,
                                                     const OpenOptions& options = {}) = 0;
  /// For messages: "file:///var/backups/pg", "s3://bucket/prefix".
  virtual std::string describe() const = 0;

  /// visit(), sorted by key: for prefixes that are known to hold little.
  Result<std::vector<ObjectInfo>> list(std::string_view prefix);
  /// The first `max_bytes` of an object, or all of it.
  Result<std::string> read_head(std::string_view key, std::size_t max_bytes,
                                const OpenOptions& options = {});
};

/// The error that a length other than the listing's is; nothing if they are equal.
/// \return truncated (with the offset), or backup_removed when it is longer.
Status compare_length(std::uint64_t found, std::uint64_t listed);

/// A storage that needs no settings: file:///path. Others: open_storage.h. \return config_invalid.
Result<std::unique_ptr<Storage>> open_storage(std::string_view url);

}  // namespace rad::object_store

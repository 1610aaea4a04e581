// The stored bytes of one object on their way to gpg or to the LZO reader.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/byte_source.h"

namespace rad::wal_e {

/// The bytes of an object as a source. Errors do not name the object: the caller does.
class StoredSource final : public ByteSource {
 public:
  /// \param reader  borrowed.
  explicit StoredSource(object_store::ObjectReader& reader) : reader_(reader) {}
  Result<std::size_t> read(std::span<std::byte> first, std::span<std::byte> second) override;

 private:
  object_store::ObjectReader& reader_;
};

/// Counts what is read, keeps the first bytes for a look, and hands out one descriptor. A regular
/// file goes to the child as it is; anything else goes through a thread that pumps it into a pipe.
/// Errors do not name the object: the caller does.
class StoredFeed {
 public:
  /// \param stop  borrowed; outlives this and is raised before this is destroyed.
  /// \param patience  for a regular file; a storage keeps its own limits.
  StoredFeed(std::unique_ptr<object_store::ObjectReader> reader, const StopSignal& stop,
             std::chrono::milliseconds patience);
  ~StoredFeed();
  StoredFeed(const StoredFeed&) = delete;
  StoredFeed& operator=(const StoredFeed&) = delete;

  /// Reads the head. \return truncated if the object is empty or, as far as can be told already,
  /// shorter than `listed_size`; backup_removed if it is longer.
  Status begin(std::uint64_t listed_size);
  std::span<const std::byte> head() const noexcept { return head_; }

  /// One of these, once: a descriptor at the object's first byte, owned by this.
  Result<int> for_reading();
  Result<int> for_child();
  /// The child has its copy of the descriptor; this one's is closed, so that its end is seen.
  void child_started();
  /// After the child's end. \return the error of the pump, if it had one.
  Status finish();

  /// \return truncated or backup_removed unless the object has `listed_size` bytes: a regular file
  /// now, anything else once its end has been read (until then: no error).
  Status check_length(std::uint64_t listed_size) const;
  /// Bytes taken from the storage so far. Any thread.
  std::uint64_t count() const noexcept;

 private:
  Status start_pump();
  void pump(int target);
  /// Into the whole of `space` unless the object ends. \return how many bytes.
  Result<std::size_t> fill(std::span<std::byte> space);

  std::unique_ptr<object_store::ObjectReader> reader_;
  int fd_;  ///< of a regular file, else -1
  const StopSignal& stop_;
  std::chrono::milliseconds patience_;
  std::vector<std::byte> head_;
  UniqueFd pipe_read_;
  UniqueFd pipe_write_;
  std::atomic<std::uint64_t> count_{0};  ///< when not a regular file
  std::optional<Error> pump_error_;
  bool at_end_ = false;  ///< the pump's, until it is joined
  std::thread pump_;
};

}  // namespace rad::wal_e

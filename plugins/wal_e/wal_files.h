// The files of a pinned archive by name: segments, timeline histories, backup histories. Each is
// decoded and proved (MDC, checksums, length, first page) before it is handed out, in a file
// without a name in scratch, which is not read here again. Segments are decoded ahead
// (wal_prefetch.h).
//
// Three answers, of which one may end recovery:
// - not there at all: a fresh look into the store, in which other objects are still found, does not
//   find it, or it lies outside what was pinned at preflight.
// - not there yet is waited for: a segment that is being decoded, and a gap beside a segment so
//   young that an archiver that pushes several at once may be about to fill it.
// - an error: damaged, vanished, or the storage cannot be asked, also not within `retry_limit`.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/key_check.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/store_layout.h"
#include "plugins/wal_e/wal_archive.h"
#include "plugins/wal_e/wal_prefetch.h"

namespace rad::wal_e {

/// What may be fetched, pinned at preflight. The pointers outlive the server.
struct WalSource {
  object_store::Storage* storage = nullptr;
  const WalListing* listing = nullptr;
  const WalPath* path = nullptr;  ///< not empty
  const KeyKnowledge* keys = nullptr;
  DecodeContext context;
  std::uint64_t system_identifier = 0;
  std::filesystem::path scratch;  ///< where segments are decoded
  unsigned threads = 0;           ///< segments decoded at once; 0: as many as cores
  std::uint64_t last_number = 0;  ///< last segment of the pinned archive
  /// How long a storage that does not answer is asked again for what recovery waits for.
  std::chrono::milliseconds retry_limit = std::chrono::minutes(5);
  /// How long a gap beside a young segment is looked at again.
  std::chrono::milliseconds late_limit = std::chrono::minutes(1);
};

class WalFiles {
 public:
  /// A proved file, or nothing: not there at all.
  using Answer = std::optional<UniqueFd>;
  /// Whether nobody waits for the answer any more; asked some ten times a second.
  using GivenUp = std::function<bool()>;

  /// Begins to decode the first segments. \param stop  request it before this is destroyed
  WalFiles(WalSource source, std::stop_token stop);
  WalFiles(const WalFiles&) = delete;
  WalFiles& operator=(const WalFiles&) = delete;

  /// One thread at a time. \return recovery_failed for a name that is none; cancelled when given up
  /// or stopped; else what first_fault() keeps.
  Result<Answer> fetch(std::string_view name, const GivenUp& given_up);

  /// The first reason why a file that should be there was not handed out. Any thread.
  std::optional<Error> first_fault() const;
  WalPrefetch::Statistics statistics() const { return prefetch_->statistics(); }

 private:
  Result<Answer> fetch_segment(const SegmentName& name, const GivenUp& given_up);
  Result<Answer> fetch_small(const object_store::ObjectInfo* object, const std::string& key,
                             const GivenUp& given_up);
  Result<Answer> hand_out(const WalStep& step, const GivenUp& given_up);
  /// \return the object as it is now, nothing if it is not there at all.
  Result<std::optional<object_store::ObjectInfo>> look_again(const std::string& key,
                                                             const GivenUp& given_up);
  Result<std::optional<object_store::ObjectInfo>> look_once(const std::string& key);
  Result<std::optional<WalStep>> wait_for_late(const SegmentName& name, std::uint64_t number,
                                               const GivenUp& given_up);
  Result<UniqueFd> decode(const WalStep& step, bool wanted);
  Result<UniqueFd> decode_twice(const WalStep& step);
  Result<UniqueFd> nameless_file() const;
  Error why_gone(Error error, const std::string& key);
  bool pause(std::chrono::milliseconds time, const GivenUp& given_up);
  template <class T>
  Result<T> patiently(const std::function<Result<T>()>& attempt, const GivenUp& given_up);
  Error remember(Error error);

  WalSource source_;
  mutable std::mutex mutex_;
  std::optional<Error> fault_;
  std::unique_ptr<WalPrefetch> prefetch_;  ///< last: its threads use all of the above
};

}  // namespace rad::wal_e

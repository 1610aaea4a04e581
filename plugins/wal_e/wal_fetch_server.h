// Hands WAL to the recovering server, one file a request, over a unix socket.
//
// rad-wal-fetch (the server's restore_command) opens the destination itself and passes the
// descriptor, so that no path of the server is ever opened here. What was decoded is proved (MDC,
// checksums, length, first page) before the answer says so; a damaged file is never handed over.
//
// One SOCK_SEQPACKET connection a file: the request is the file's name with the descriptor
// (SCM_RIGHTS); the answer is "ok", "absent", or "error: <text>". "absent" is said only of files
// that a fresh look into the store does not find, or that lie outside what was pinned at preflight.
#pragma once

#include <deque>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/key_check.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/store_layout.h"
#include "plugins/wal_e/wal_archive.h"

namespace rad::wal_e {

/// What may be fetched, pinned at preflight. The pointers outlive the server.
struct WalSource {
  object_store::Storage* storage = nullptr;
  const WalListing* listing = nullptr;
  const WalPath* path = nullptr;
  const KeyKnowledge* keys = nullptr;
  DecodeContext context;
  std::uint64_t system_identifier = 0;
  std::filesystem::path scratch;  ///< where segments are decoded ahead
  unsigned ahead = 2;             ///< segments decoded before they are asked for
  std::uint64_t last_number = 0;  ///< last segment of the pinned archive
};

class WalFetchServer {
 public:
  /// Binds `socket_path` (at most 100 bytes) and serves on a thread until destroyed.
  static Result<std::unique_ptr<WalFetchServer>> start(WalSource source,
                                                       const std::filesystem::path& socket_path);
  ~WalFetchServer();
  WalFetchServer(const WalFetchServer&) = delete;
  WalFetchServer& operator=(const WalFetchServer&) = delete;

  /// The first reason why a file that should be there was not handed over. Any thread.
  std::optional<Error> first_fault() const;
  /// Greatest number of a segment that was handed over; 0: none. Any thread.
  std::uint64_t last_served() const;
  /// Stored bytes read so far. Any thread.
  std::uint64_t bytes_read() const;

  enum class Answer : std::uint8_t { ok, absent };
  /// One request, without the socket; public for tests. \param fd  an empty file.
  Result<Answer> fetch(std::string_view name, int fd);

 private:
  WalFetchServer(WalSource source, UniqueFd listener, std::filesystem::path socket_path);
  void serve();
  void answer(int connection);
  Result<Answer> fetch_segment(const SegmentName& name, int fd);
  Result<Answer> fetch_small(const object_store::ObjectInfo* object, const std::string& key,
                             int fd);
  Result<Answer> confirm_absent(const std::string& key);
  Result<UniqueFd> decode_ahead(const WalStep& step);
  void read_ahead(std::uint64_t after);
  Error remember(Error error);

  struct Ahead {
    std::uint64_t number = 0;
    std::future<Result<UniqueFd>> content;
  };

  WalSource source_;
  UniqueFd listener_;
  UniqueFd stop_event_;
  std::filesystem::path socket_path_;
  std::stop_source stop_;
  std::deque<Ahead> ahead_;  ///< used by the serving thread alone
  mutable std::mutex mutex_;
  std::optional<Error> fault_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t last_served_ = 0;
  std::thread thread_;
};

}  // namespace rad::wal_e

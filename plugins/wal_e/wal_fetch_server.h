// Hands WAL to the recovering server, one file a request, over a unix socket.
//
// What is asked for is decoded into a file without a name in scratch, and its descriptor is the
// answer: rad-wal-fetch (the server's restore_command) gives it its name, or copies it, so that no
// path of the server is ever opened here.
//
// One SOCK_SEQPACKET connection a file: the request is the file's name; the answer is "ok" with the
// descriptor (SCM_RIGHTS), "absent", or "error: <text>", which are those of wal_files.h.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"
#include "plugins/wal_e/wal_files.h"

namespace rad::wal_e {

class WalFetchServer {
 public:
  /// Binds `socket_path` (at most 100 bytes), begins to decode the first segments and serves on a
  /// thread until destroyed.
  static Result<std::unique_ptr<WalFetchServer>> start(WalSource source,
                                                       const std::filesystem::path& socket_path);
  ~WalFetchServer();
  WalFetchServer(const WalFetchServer&) = delete;
  WalFetchServer& operator=(const WalFetchServer&) = delete;

  /// The first reason why a file that should be there was not handed over. Any thread.
  std::optional<Error> first_fault() const { return files_.first_fault(); }
  /// Greatest number of a segment that was handed over; 0: none. Any thread.
  std::uint64_t last_served() const;
  /// Stored bytes of the segments handed over so far. Any thread.
  std::uint64_t bytes_read() const;
  WalPrefetch::Statistics statistics() const { return files_.statistics(); }

 private:
  struct Client {
    UniqueFd connection;
    std::chrono::steady_clock::time_point deadline;  ///< for its request
  };

  WalFetchServer(WalSource source, UniqueFd listener, std::filesystem::path socket_path);
  void serve();
  void answer(int connection);
  void note_handed_over(std::string_view name);

  const WalPath* path_;
  UniqueFd listener_;
  UniqueFd stop_event_;
  std::filesystem::path socket_path_;
  std::stop_source stop_;
  WalFiles files_;
  std::vector<Client> clients_;  ///< of the serving thread
  mutable std::mutex mutex_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t last_served_ = 0;
  std::thread thread_;
};

}  // namespace rad::wal_e

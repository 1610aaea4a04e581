// Decodes the segments that recovery will ask for next, ahead of it and on several threads.
//
// How many are decoded at once and how far ahead follows the recovery: both grow when a segment had
// to be waited for, and shrink again while none has to. Bounded by `Options`: bytes in scratch, and
// free space that recovery itself needs. Whatever fails ahead of time is tried again when it is
// asked for, damage excepted; so a full disk or a storage that hiccups ahead does no harm.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"
#include "plugins/wal_e/wal_archive.h"

namespace rad::wal_e {

class WalPrefetch {
 public:
  struct Options {
    std::filesystem::path scratch;                             ///< whose free space counts
    unsigned threads = 0;                                      ///< decoding at once; 0: as cores
    std::uint64_t max_bytes = std::uint64_t{256} << 20U;       ///< decoded, not yet asked for
    std::uint64_t reserved_bytes = std::uint64_t{256} << 20U;  ///< left free in scratch
  };
  /// Proves one segment and leaves it in a file without a name. On any thread, several at once.
  /// \param wanted  recovery waits for it: worth being patient with the storage
  using Decode = std::function<Result<UniqueFd>(const WalStep& step, bool wanted)>;

  /// \param path  outlives this
  WalPrefetch(const WalPath& path, Decode decode, Options options);
  /// Waits for what is being decoded: make Decode return before.
  ~WalPrefetch();
  WalPrefetch(const WalPrefetch&) = delete;
  WalPrefetch& operator=(const WalPrefetch&) = delete;

  /// Begins to decode the segments from `number` on, before any is asked for.
  void expect(std::uint64_t number);

  /// The content of a segment, which is forgotten here: whoever has it may change it. One thread.
  /// \param given_up  looked at some ten times a second: nobody waits any more
  /// \return Decode's errors; cancelled when given up, and then the segment stays for the next one.
  Result<UniqueFd> take(const WalStep& step, const std::function<bool()>& given_up);

  struct Statistics {
    std::uint64_t taken = 0;
    std::uint64_t waited_for = 0;  ///< of these, not ready when they were asked for
    unsigned ahead = 0;            ///< segments allowed ahead now
    unsigned at_once = 0;          ///< decoded at once now
  };
  Statistics statistics() const;

 private:
  enum class State : std::uint8_t { queued, running, done };
  struct Entry {
    WalStep step;
    State state = State::queued;
    bool wanted = false;
    bool patient = false;  ///< the decoding began when it was wanted
    std::optional<Result<UniqueFd>> content;
  };
  using Entries = std::map<std::uint64_t, Entry>;

  void work();
  Entry* next_entry();
  void finish(std::uint64_t number, Result<UniqueFd> content);
  void plan();
  void evict();
  unsigned room() const;
  void adapt(bool waited);
  void add_thread();
  bool make_space(std::uint64_t number);

  const WalPath& path_;
  const Decode decode_;
  const Options options_;
  const unsigned max_ahead_;
  const unsigned cores_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  ///< an entry is queued or done, or all ends
  Entries entries_;
  std::uint64_t position_ = 0;  ///< what recovery asks for next, if it goes on straight
  unsigned ahead_;
  unsigned at_once_;
  unsigned running_ = 0;
  unsigned smooth_ = 0;      ///< segments in a row that were ready
  bool waits_most_ = false;  ///< the last decoding spent most of its time waiting, not computing
  bool stopping_ = false;
  Statistics statistics_;
  std::vector<std::thread> threads_;
};

}  // namespace rad::wal_e

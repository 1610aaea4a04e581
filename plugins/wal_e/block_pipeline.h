// Decodes the blocks of one lzop stream on several threads and hands them out in their order.
//
// Blocks travel in batches of about 2 MiB. Whoever has time reads one batch under a lock and
// decodes it outside: helpers, and the consumer itself instead of waiting, so that most of what it
// is about to look at is in its own cache. Batches that are read, decoded or held bound the memory:
// about 16 MiB, or two blocks if these are larger.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "agent/base/error.h"
#include "plugins/wal_e/lzop_frame.h"

namespace rad::wal_e {

/// One consumer thread calls next() and hold(). The destructor waits for the helpers and for every
/// Hold: make the source return (StopSignal) before it when a helper may be blocked in a read.
class BlockPipeline {
  struct Slot;

 public:
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20U;

  /// Keeps one piece of content valid. Movable; may be let go on any thread.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept
        : pipeline_(std::exchange(other.pipeline_, nullptr)), slot_(other.slot_) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(pipeline_, other.pipeline_);
      std::swap(slot_, other.slot_);
      return *this;
    }
    ~Hold() {
      if (pipeline_ != nullptr) pipeline_->release(*slot_);
    }

   private:
    friend class BlockPipeline;
    Hold(BlockPipeline* pipeline, Slot* slot) : pipeline_(pipeline), slot_(slot) {}
    BlockPipeline* pipeline_ = nullptr;
    Slot* slot_ = nullptr;
  };

  /// \param reader   borrowed; not used any more once next() has returned an end or error.
  /// \param helpers  threads besides the consumer's.
  /// \param max_bytes  of blocks, compressed and decoded, that may be under way.
  BlockPipeline(LzopReader& reader, unsigned helpers, std::size_t max_bytes = kMaxBytes);
  ~BlockPipeline();
  BlockPipeline(const BlockPipeline&) = delete;
  BlockPipeline& operator=(const BlockPipeline&) = delete;

  /// The next content, page-aligned, valid until the next call; empty at the proved end. After an
  /// end or an error the same answer comes again.
  Result<std::span<const std::byte>> next();

  /// What next() has returned last stays valid as long as this lives.
  Hold hold();

 private:
  struct Slot {
    std::vector<LzopBlock> blocks;
    std::size_t count = 0;  ///< of blocks in use
    std::size_t plain_bytes = 0;
    std::size_t bytes = 0;  ///< plain and stored
    BlockBuffer plain;
    std::optional<Result<std::span<const std::byte>>> content;  ///< when decoded; mutex_
    unsigned holds = 0;                                         ///< mutex_
  };

  void help();
  bool process_one(bool wait);
  Slot* take_slot(bool wait);
  bool read_batch(Slot& slot);
  Result<bool> read_block(Slot& slot);
  static Result<std::span<const std::byte>> decode(Slot& slot);
  void finish(Slot& slot, Result<std::span<const std::byte>> content);
  void release(Slot& slot);
  bool room() const;
  void stop_helpers();

  LzopReader& reader_;
  const std::size_t max_bytes_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::mutex read_mutex_;  ///< held while somebody reads; taken before mutex_
  std::mutex mutex_;
  std::condition_variable slot_freed_;
  std::condition_variable slot_done_;
  std::vector<Slot*> free_;          ///< mutex_
  std::deque<Slot*> order_;          ///< being read or decoded, or waiting for next(); mutex_
  std::size_t bytes_in_use_ = 0;     ///< mutex_
  std::optional<Error> read_error_;  ///< comes after the batch that was read before it; read_mutex_
  bool reading_ended_ = false;       ///< read_mutex_
  bool end_given_ = false;           ///< read_mutex_
  bool stopping_ = false;            ///< mutex_
  Slot* current_ = nullptr;          ///< the consumer's
  std::optional<Result<std::span<const std::byte>>> end_;
  std::vector<std::thread> helpers_;
};

}  // namespace rad::wal_e

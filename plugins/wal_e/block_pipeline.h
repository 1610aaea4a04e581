// Decodes the blocks of one lzop stream on several threads and hands them out in their order.
//
// A worker reads one block under a lock and decodes it outside, so reading, decoding and the
// consumer overlap. A ring of slots bounds the memory: about 16 MiB, or two blocks if these are
// larger.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "agent/base/error.h"
#include "plugins/wal_e/lzop_frame.h"

namespace rad::wal_e {

/// One consumer thread calls next(). The destructor waits for the workers: make the source return
/// (StopSignal) before it when a worker may be blocked in a read.
class BlockPipeline {
 public:
  /// \param reader   borrowed; used by the workers alone until next() has returned an end or error.
  /// \param threads  workers; 0 decodes on the consumer's thread.
  BlockPipeline(LzopReader& reader, unsigned threads);
  ~BlockPipeline();
  BlockPipeline(const BlockPipeline&) = delete;
  BlockPipeline& operator=(const BlockPipeline&) = delete;

  /// The next block's content, valid until the next call; empty at the proved end. After an end or
  /// an error no worker touches the reader any more, and the same answer comes again.
  Result<std::span<const std::byte>> next();

 private:
  enum class SlotState : std::uint8_t { free, busy, done };
  struct Slot {
    LzopBlock block;
    BlockBuffer plain;
    std::optional<Result<std::span<const std::byte>>> content;
    SlotState state = SlotState::free;
  };

  void work();
  Slot* read_into_slot();
  void finish(Slot& slot, Result<std::span<const std::byte>> content);
  Result<std::span<const std::byte>> decode_here();
  void stop_workers();
  bool room_for_another(std::uint64_t sequence) const;

  LzopReader& reader_;
  std::vector<Slot> slots_;
  std::mutex read_mutex_;  ///< held while a worker reads; taken before mutex_
  std::mutex mutex_;
  std::condition_variable slot_freed_;
  std::condition_variable slot_done_;
  std::uint64_t read_sequence_ = 0;     ///< of the next block to read; read_mutex_
  std::uint64_t consume_sequence_ = 0;  ///< of the next block to hand out; mutex_
  std::size_t bytes_in_ring_ = 0;       ///< mutex_
  bool reading_ended_ = false;          ///< read_mutex_
  bool stopping_ = false;               ///< mutex_
  bool holding_ = false;                ///< the consumer has a slot; its thread alone
  std::optional<Result<std::span<const std::byte>>> end_;
  std::vector<std::thread> workers_;
};

}  // namespace rad::wal_e

#include "plugins/wal_e/block_pipeline.h"

#include <new>
#include <system_error>
#include <utility>

namespace rad::wal_e {
namespace {

constexpr std::size_t kRingBytes = 16U << 20U;

using Content = Result<std::span<const std::byte>>;

Content out_of_memory() {
  return fail(Reason::out_of_memory, "there is no memory for a block of the lzop stream");
}

}  // namespace

BlockPipeline::BlockPipeline(LzopReader& reader, unsigned threads)
    : reader_(reader), slots_(threads == 0 ? 1 : 2 * threads + 2) {
  workers_.reserve(threads);
  try {
    for (unsigned at = 0; at < threads; ++at) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // Fewer workers do, none too: next() then decodes itself.
  }
}

BlockPipeline::~BlockPipeline() {
  stop_workers();
}

void BlockPipeline::stop_workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  slot_freed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

bool BlockPipeline::room_for_another(std::uint64_t sequence) const {
  if (slots_[sequence % slots_.size()].state != SlotState::free) return false;
  return bytes_in_ring_ < kRingBytes || sequence == consume_sequence_;
}

BlockPipeline::Slot* BlockPipeline::read_into_slot() {
  const std::lock_guard reading(read_mutex_);
  if (reading_ended_) return nullptr;
  Slot& slot = slots_[read_sequence_ % slots_.size()];
  {
    std::unique_lock lock(mutex_);
    slot_freed_.wait(lock, [&] { return stopping_ || room_for_another(read_sequence_); });
    if (stopping_) return nullptr;
    slot.state = SlotState::busy;
  }
  ++read_sequence_;
  Result<bool> more = false;
  try {
    more = reader_.next(slot.block);
  } catch (const std::bad_alloc&) {
    more = out_of_memory().error();
  }
  if (more && *more) {
    const std::lock_guard lock(mutex_);
    bytes_in_ring_ += slot.block.plain_size + slot.block.stored_size;
    return &slot;
  }
  reading_ended_ = true;
  slot.block.plain_size = slot.block.stored_size = 0;
  finish(slot, more ? Content(std::span<const std::byte>{}) : Content(std::move(more).error()));
  return nullptr;
}

void BlockPipeline::finish(Slot& slot, Content content) {
  {
    const std::lock_guard lock(mutex_);
    slot.content.emplace(std::move(content));
    slot.state = SlotState::done;
  }
  slot_done_.notify_one();
}

void BlockPipeline::work() {
  while (Slot* slot = read_into_slot()) {
    try {
      finish(*slot, decode_block(slot->block, slot->plain));
    } catch (const std::bad_alloc&) {
      finish(*slot, out_of_memory());
    }
  }
}

Content BlockPipeline::decode_here() {
  Slot& slot = slots_.front();
  RAD_TRY(const bool more, reader_.next(slot.block));
  if (!more) return std::span<const std::byte>{};
  return decode_block(slot.block, slot.plain);
}

Content BlockPipeline::next() {
  if (end_) return *end_;
  Content content = std::span<const std::byte>{};
  if (workers_.empty()) {
    try {
      content = decode_here();
    } catch (const std::bad_alloc&) {
      content = out_of_memory();
    }
  } else {
    std::unique_lock lock(mutex_);
    if (holding_) {
      Slot& before = slots_[(consume_sequence_ - 1) % slots_.size()];
      before.state = SlotState::free;
      bytes_in_ring_ -= before.block.plain_size + before.block.stored_size;
      holding_ = false;
      slot_freed_.notify_one();
    }
    Slot& slot = slots_[consume_sequence_ % slots_.size()];
    slot_done_.wait(lock, [&] { return slot.state == SlotState::done; });
    content = std::move(*slot.content);
    ++consume_sequence_;
    holding_ = true;
  }
  if (!content || content->empty()) {
    stop_workers();
    end_ = content;
  }
  return content;
}

}  // namespace rad::wal_e

#include "plugins/wal_e/block_pipeline.h"

#include <new>
#include <system_error>
#include <utility>

namespace rad::wal_e {
namespace {

constexpr std::size_t kSlots = 12;
constexpr std::size_t kBatchBytes = 2U << 20U;
// Each has a buffer of its own: blocks of a few bytes must not make thousands.
constexpr std::size_t kBatchBlocks = 16;

using Content = Result<std::span<const std::byte>>;

Error out_of_memory() {
  return fail(Reason::out_of_memory, "there is no memory for a block of the lzop stream");
}

}  // namespace

BlockPipeline::BlockPipeline(LzopReader& reader, unsigned helpers, std::size_t max_bytes)
    : reader_(reader), max_bytes_(max_bytes) {
  for (std::size_t at = 0; at < kSlots; ++at) {
    slots_.push_back(std::make_unique<Slot>());
    free_.push_back(slots_.back().get());
  }
  helpers_.reserve(helpers);
  try {
    for (unsigned at = 0; at < helpers; ++at) helpers_.emplace_back([this] { help(); });
  } catch (const std::system_error&) {
    // Fewer helpers do, none too: next() decodes itself.
  }
}

BlockPipeline::~BlockPipeline() {
  stop_helpers();
  if (current_ != nullptr) release(*current_);
  std::unique_lock lock(mutex_);
  slot_freed_.wait(lock, [&] { return free_.size() + order_.size() == slots_.size(); });
}

void BlockPipeline::stop_helpers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  slot_freed_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
  helpers_.clear();
}

bool BlockPipeline::room() const {
  return !free_.empty() && (bytes_in_use_ < max_bytes_ || order_.empty());
}

/// With read_mutex_ held. \return nullptr if there is no room and no use in waiting for it.
BlockPipeline::Slot* BlockPipeline::take_slot(bool wait) {
  std::unique_lock lock(mutex_);
  if (!wait && !room() && !order_.empty()) return nullptr;
  slot_freed_.wait(lock, [&] { return stopping_ || room(); });
  if (stopping_) return nullptr;
  Slot* const slot = free_.back();
  free_.pop_back();
  slot->content.reset();
  slot->count = slot->plain_bytes = slot->bytes = 0;
  slot->holds = 1;
  order_.push_back(slot);
  return slot;
}

Result<bool> BlockPipeline::read_block(Slot& slot) {
  try {
    if (slot.count == slot.blocks.size()) slot.blocks.emplace_back();
    return reader_.next(slot.blocks[slot.count]);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

/// With read_mutex_ held. \return whether there is something to decode; else the slot is finished.
bool BlockPipeline::read_batch(Slot& slot) {
  while (!reading_ended_ && slot.plain_bytes < kBatchBytes && slot.count < kBatchBlocks) {
    const Result<bool> more = read_block(slot);
    if (!more) read_error_ = more.error();
    reading_ended_ = !more || !*more;
    if (reading_ended_) break;
    const LzopBlock& block = slot.blocks[slot.count++];
    slot.plain_bytes += block.plain_size;
    slot.bytes += std::size_t{block.plain_size} + block.stored_size;
  }
  if (slot.count > 0) {
    const std::lock_guard lock(mutex_);
    bytes_in_use_ += slot.bytes;
    return true;
  }
  finish(slot, read_error_ ? Content(*read_error_) : Content(std::span<const std::byte>{}));
  return false;
}

Content BlockPipeline::decode(Slot& slot) {
  try {
    std::byte* const plain = slot.plain.ensure(slot.plain_bytes);
    std::size_t done = 0;
    for (std::size_t at = 0; at < slot.count; ++at) {
      const LzopBlock& block = slot.blocks[at];
      RAD_CHECK(decode_block(block, {plain + done, block.plain_size}));
      done += block.plain_size;
    }
    return std::span<const std::byte>(plain, done);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

void BlockPipeline::finish(Slot& slot, Content content) {
  {
    const std::lock_guard lock(mutex_);
    slot.content.emplace(std::move(content));
  }
  slot_done_.notify_one();
}

/// Reads and decodes one batch. \return false if somebody else is reading, if there is no room, or
/// at the end.
bool BlockPipeline::process_one(bool wait) {
  Slot* slot = nullptr;
  {
    std::unique_lock reading(read_mutex_, std::defer_lock);
    if (wait) {
      reading.lock();
    } else if (!reading.try_lock()) {
      return false;
    }
    // The end is handed out once: by the first batch that begins there.
    if (reading_ended_ && end_given_) return false;
    slot = take_slot(wait);
    if (slot == nullptr) return false;
    if (!read_batch(*slot)) {
      end_given_ = true;
      return true;
    }
  }
  finish(*slot, decode(*slot));
  return true;
}

void BlockPipeline::help() {
  while (process_one(true)) {
  }
}

void BlockPipeline::release(Slot& slot) {
  {
    const std::lock_guard lock(mutex_);
    if (--slot.holds > 0) return;
    free_.push_back(&slot);
    bytes_in_use_ -= slot.bytes;
    // Inside the lock: the destructor may be waiting for this.
    slot_freed_.notify_one();
  }
}

BlockPipeline::Hold BlockPipeline::hold() {
  if (current_ == nullptr) return {};
  const std::lock_guard lock(mutex_);
  ++current_->holds;
  return {this, current_};
}

Content BlockPipeline::next() {
  if (end_) return *end_;
  if (current_ != nullptr) release(*std::exchange(current_, nullptr));
  const auto ready = [&] { return !order_.empty() && order_.front()->content; };
  std::unique_lock lock(mutex_);
  while (!ready()) {
    lock.unlock();
    const bool helped = process_one(false);
    lock.lock();
    if (!helped) slot_done_.wait(lock, ready);
  }
  current_ = order_.front();
  order_.pop_front();
  Content content = std::move(*current_->content);
  lock.unlock();
  if (!content || content->empty()) {
    stop_helpers();
    end_ = content;
  }
  return content;
}

}  // namespace rad::wal_e

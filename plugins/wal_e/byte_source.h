// Where bytes come from: a file, a pipe from gpg, or memory in a test.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"

namespace rad::wal_e {

/// A stream of bytes that can be read once. Any one thread at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Reads at least one byte, into `first` and what is left over into `second` (scattered, so that
  /// a reader can have a record where it wants it and read ahead without a copy).
  /// \return how many bytes in all; 0 is the end of the stream.
  virtual Result<std::size_t> read(std::span<std::byte> first, std::span<std::byte> second) = 0;
};

/// Tells blocked readers to give up. raise() may be called from any thread, more than once.
class StopSignal {
 public:
  static Result<StopSignal> make();
  void raise() noexcept;
  bool raised() const noexcept { return raised_->load(std::memory_order_relaxed); }
  int fd() const noexcept { return fd_.get(); }  ///< readable once raised

 private:
  StopSignal() = default;
  UniqueFd fd_;
  std::unique_ptr<std::atomic<bool>> raised_;
};

/// Reads a descriptor, in large pieces also from a pipe that is filled by small ones. After
/// StopSignal::raise() every read is Reason::cancelled.
class FdSource final : public ByteSource {
 public:
  /// \param fd     borrowed; a regular file or anything that poll() understands.
  /// \param stop   borrowed; outlives this.
  /// \param patience  longest wait for the next byte, then `timeout`; zero: for ever.
  FdSource(int fd, const StopSignal& stop, std::chrono::milliseconds patience = {});
  Result<std::size_t> read(std::span<std::byte> first, std::span<std::byte> second) override;

  /// Bytes read so far. Any thread.
  std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  Status wait_readable() const;
  void let_gather() const;

  int fd_;
  const StopSignal& stop_;
  std::chrono::milliseconds patience_;
  bool regular_ = false;
  bool ran_dry_ = false;  ///< the last read took all there was
  std::atomic<std::uint64_t> count_{0};
};

/// Bytes that somebody else keeps in memory.
class MemorySource final : public ByteSource {
 public:
  /// \param bytes  borrowed; `step`: at most so many bytes a read, 0 for no limit.
  explicit MemorySource(std::span<const std::byte> bytes, std::size_t step = 0)
      : rest_(bytes), step_(step) {}
  Result<std::size_t> read(std::span<std::byte> first, std::span<std::byte> second) override;

 private:
  std::span<const std::byte> rest_;
  std::size_t step_;
};

}  // namespace rad::wal_e

#include "plugins/wal_e/stored_feed.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "agent/base/child_process.h"
#include "plugins/wal_e/openpgp_packets.h"

namespace rad::wal_e {
namespace {

/// A write to a pipe whose reader is gone must be an error here, not the end of the process.
void block_sigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

Result<std::size_t> StoredSource::read(std::span<std::byte> first, std::span<std::byte> second) {
  return reader_.read(first.empty() ? second : first);
}

StoredFeed::StoredFeed(std::unique_ptr<object_store::ObjectReader> reader, const StopSignal& stop,
                       std::chrono::milliseconds patience)
    : reader_(std::move(reader)), fd_(reader_->descriptor()), stop_(stop), patience_(patience) {}

StoredFeed::~StoredFeed() {
  pipe_read_.reset();
  reader_->cancel();
  if (pump_.joinable()) pump_.join();
}

Result<std::size_t> StoredFeed::fill(std::span<std::byte> space) {
  std::optional<FdSource> file;
  if (fd_ >= 0) file.emplace(fd_, stop_, patience_);
  std::size_t done = 0;
  while (done < space.size()) {
    const std::span<std::byte> rest = space.subspan(done);
    RAD_TRY(const std::size_t got, file ? file->read(rest, {}) : reader_->read(rest));
    if (got == 0) break;
    done += got;
  }
  return done;
}

Status StoredFeed::begin(std::uint64_t listed_size) {
  if (fd_ >= 0) RAD_CHECK(check_length(listed_size));
  head_.resize(kHeadBytes);
  RAD_TRY(const std::size_t done, fill(head_));
  head_.resize(done);
  if (done == 0) {
    Error error =
        fail(Reason::truncated,
             listed_size == 0 ? std::string("it is empty")
                              : fmt::format("it is empty, the listing says {} bytes", listed_size));
    error.offset = 0;
    return error;
  }
  if (fd_ >= 0 && ::lseek(fd_, 0, SEEK_SET) < 0) {
    return fail(Reason::storage_unreachable, "its file cannot be rewound");
  }
  if (fd_ < 0) count_.store(done, std::memory_order_relaxed);
  return {};
}

Result<int> StoredFeed::for_reading() {
  if (fd_ >= 0) return fd_;
  RAD_CHECK(start_pump());
  return pipe_read_.get();
}

Result<int> StoredFeed::for_child() {
  return for_reading();
}

void StoredFeed::child_started() {
  pipe_read_.reset();
}

Status StoredFeed::start_pump() {
  RAD_TRY(Pipe pipe, make_pipe(1U << 20U));
  pipe_read_ = std::move(pipe.read_end);
  pipe_write_ = std::move(pipe.write_end);
  ::fcntl(pipe_write_.get(), F_SETFL, ::fcntl(pipe_write_.get(), F_GETFL) | O_NONBLOCK);
  pump_ = std::thread([this] {
    block_sigpipe();
    pump(pipe_write_.get());
    pipe_write_.reset();
  });
  return {};
}

void StoredFeed::pump(int target) {
  std::vector<std::byte> buffer(std::size_t{256} << 10U);
  std::span<const std::byte> rest = head_;
  for (;;) {
    while (!rest.empty()) {
      const ssize_t written = ::write(target, rest.data(), rest.size());
      if (written > 0) {
        rest = rest.subspan(static_cast<std::size_t>(written));
        continue;
      }
      if (errno == EPIPE) return;  // the reader has ended and knows why
      if (errno != EAGAIN && errno != EINTR) return;
      pollfd waits[2] = {{.fd = target, .events = POLLOUT, .revents = 0},
                         {.fd = stop_.fd(), .events = POLLIN, .revents = 0}};
      ::poll(waits, 2, -1);
      if (stop_.raised()) return;
    }
    const Result<std::size_t> got = reader_->read(buffer);
    if (!got) {
      pump_error_ = got.error();
      return;
    }
    count_.fetch_add(*got, std::memory_order_relaxed);
    if (*got == 0) {
      at_end_ = true;
      return;
    }
    rest = std::span(buffer).first(*got);
  }
}

Status StoredFeed::finish() {
  if (!pump_.joinable()) return {};
  pipe_read_.reset();
  pump_.join();
  if (pump_error_) return *std::exchange(pump_error_, std::nullopt);
  return {};
}

Status StoredFeed::check_length(std::uint64_t listed_size) const {
  if (fd_ < 0) {
    const bool at_end = !pump_.joinable() && at_end_;
    return at_end ? object_store::compare_length(count(), listed_size) : Status{};
  }
  struct stat status {};
  if (::fstat(fd_, &status) != 0) {
    return fail(Reason::storage_unreachable, fmt::format("its length cannot be read: {}",
                                                         std::generic_category().message(errno)));
  }
  return object_store::compare_length(static_cast<std::uint64_t>(status.st_size), listed_size);
}

std::uint64_t StoredFeed::count() const noexcept {
  if (fd_ < 0) return count_.load(std::memory_order_relaxed);
  // gpg's copy of the descriptor shares its offset.
  const off_t offset = ::lseek(fd_, 0, SEEK_CUR);
  return offset > 0 ? static_cast<std::uint64_t>(offset) : 0;
}

}  // namespace rad::wal_e

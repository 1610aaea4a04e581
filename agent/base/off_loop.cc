#include "agent/base/off_loop.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>

#include "agent/base/detached_work.h"
#include "agent/base/unique_fd.h"

namespace rad {
namespace asio = boost::asio;

namespace {

/// What thread and coroutine share. The thread tells by a descriptor, so that it needs nothing of
/// an event loop that may be gone by then.
struct Piece {
  explicit Piece(int fd) : ended(fd) {}
  UniqueFd ended;
  Status result{};
  std::atomic<bool> done{false};
};

Status guarded(const std::function<Status()>& work) noexcept {
  try {
    return work();
  } catch (const std::exception& bug) {
    return fail(Reason::internal_error, bug.what());
  }
}

Error no_thread(int code) {
  return fail(Reason::host_unfit,
              fmt::format("cannot start a thread: {}", code == 0 ? "refused" : std::strerror(code)),
              "look at the limits of processes and open files");
}

}  // namespace

asio::awaitable<Status> OffLoop::run(std::function<Status()> work) {
  const Error interrupted = fail(Reason::interrupted, "the agent stops");
  if (given_up_) co_return interrupted;
  auto piece = std::make_shared<Piece>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int ours = piece->ended ? ::fcntl(piece->ended.get(), F_DUPFD_CLOEXEC, 0) : -1;
  if (ours < 0) co_return no_thread(errno);
  const auto executor = co_await asio::this_coro::executor;
  waiting_ = std::make_shared<asio::posix::stream_descriptor>(executor, ours);
  const auto waiting = waiting_;
  const bool started = start_detached([piece, work = std::move(work)] {
    piece->result = guarded(work);
    piece->done = true;
    (void)::eventfd_write(piece->ended.get(), 1);
  });
  if (!started) co_return no_thread(0);
  (void)co_await waiting->async_wait(asio::posix::descriptor_base::wait_read,
                                     asio::as_tuple(asio::use_awaitable));
  if (!piece->done) co_return interrupted;
  co_return std::move(piece->result);
}

void OffLoop::give_up() {
  given_up_ = true;
  if (waiting_) waiting_->cancel();
}

}  // namespace rad

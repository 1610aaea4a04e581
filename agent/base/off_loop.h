// Work that takes as long as disks and other processes like, beside an event loop that must tick.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "agent/base/error.h"

namespace rad {

/// Waits for work that is done in a thread of its own; one piece at a time. Belongs to one
/// executor, and outlives the coroutines that wait in it.
class OffLoop {
 public:
  /// Does `work`, which must own everything that it touches, and comes back with its result on the
  /// coroutine's executor. \return host_unfit if no thread can be had, interrupted after give_up()
  boost::asio::awaitable<Status> run(std::function<Status()> work);

  /// Whoever waits, now or later, is told `interrupted` at once. Work that was begun goes on to its
  /// end unseen, or dies with the process.
  void give_up();

 private:
  std::shared_ptr<boost::asio::posix::stream_descriptor> waiting_;
  bool given_up_ = false;
};

}  // namespace rad

#include "agent/run/run_queue.h"

#include <algorithm>

namespace rad {

Status RunQueue::load() {
  RAD_TRY(requests_, store_.list_requests());
  return {};
}

Status RunQueue::add(QueuedRequest request) {
  RAD_CHECK(store_.put_request(request));
  requests_.push_back(std::move(request));
  return {};
}

Result<bool> RunQueue::remove(const std::string& id) {
  RAD_CHECK(store_.remove_request(id));
  return std::erase_if(requests_, [&](const QueuedRequest& one) { return one.id == id; }) > 0;
}

}  // namespace rad

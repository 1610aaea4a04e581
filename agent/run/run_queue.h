// What people have asked for and what waits for its turn. Survives a restart of the agent.
#pragma once

#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/operations.h"
#include "agent/store/store.h"

namespace rad {

/// Requests that wait, in the order in which they were made; the store has the same.
class RunQueue {
 public:
  explicit RunQueue(Store& store) : store_(store) {}

  /// Reads what an earlier agent left. \return the store's error.
  Status load();
  /// On disk when it has returned.
  Status add(QueuedRequest request);
  /// \return whether it was there.
  Result<bool> remove(const std::string& id);
  const std::vector<QueuedRequest>& requests() const noexcept { return requests_; }

 private:
  Store& store_;
  std::vector<QueuedRequest> requests_;
};

}  // namespace rad

#include "agent/base/detached_work.h"

#include <exception>
#include <thread>
#include <utility>

namespace rad {

bool start_detached(std::function<void()> work) noexcept {
  try {
    std::thread(std::move(work)).detach();
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace rad

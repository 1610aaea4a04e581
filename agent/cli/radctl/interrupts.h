// Ctrl-C and SIGTERM as something to wait for, instead of the end of the program.
#pragma once

#include <chrono>

#include <signal.h>

#include "agent/base/unique_fd.h"

namespace rad::radctl {

/// Holds both signals back while it lives; afterwards they end the program again. One at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  int fd() const noexcept {
    return fd_.get();
  }                               ///< readable when one has come; -1 if there is none
  bool take() noexcept;           ///< whether one has come; does not block
  bool pending() const noexcept;  ///< the same, and leaves it there
  /// Whether one came before the time was over.
  bool wait(std::chrono::milliseconds limit) noexcept;

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

}  // namespace rad::radctl

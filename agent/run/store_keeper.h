// The store of an agent that goes on whatever becomes of the file: opens it, notices trouble, and
// gets it back when it can be written again. See docs/adr/0008.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "agent/base/clock.h"
#include "agent/store/open_store.h"

namespace rad {

/// One thread. References to store() stay good for its whole life.
class StoreKeeper {
 public:
  /// \param stand_in_dir where a stand-in may lie while the file cannot be written
  /// \return what a person must put right first: a newer agent's file, no rights, …
  static Result<std::unique_ptr<StoreKeeper>> open(std::filesystem::path file,
                                                   std::filesystem::path stand_in_dir,
                                                   const Clock& clock);

  Store& store() noexcept { return opened_.store; }
  /// What is wrong now, for people; "" if nothing is.
  std::string problem() const;
  /// Tries to put right what is wrong, at most once a minute. \return whether the store was
  /// replaced: what was read from it before must be read again.
  bool look();

 private:
  StoreKeeper(std::filesystem::path file, std::filesystem::path stand_in_dir, const Clock& clock,
              OpenedStore opened);
  void say();

  std::filesystem::path file_;
  std::filesystem::path stand_in_dir_;
  const Clock& clock_;
  OpenedStore opened_;
  std::vector<std::string> said_;  ///< what is wrong, as it was logged last
  SteadyPoint tried_at_{};
  std::string failure_;
};

}  // namespace rad

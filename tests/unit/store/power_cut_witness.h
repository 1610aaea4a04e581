// Watches a store that works on a PowerCutDisk: at every change of the disk the power is cut (on a
// copy), the file opened again, and what is found compared with what had been acknowledged.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "agent/store/store.h"
#include "tests/unit/store/power_cut_disk.h"

namespace rad::test {

inline constexpr const char* kPowerCutFile = "rad.db";

/// All rows of all tables as text; "nothing" for a file without tables.
/// \param damage  what PRAGMA integrity_check or a read says, if not "ok".
std::string dump(const DiskImage& image, std::string& damage);

class PowerCutWitness {
 public:
  /// \param torn  how many torn disks to look at for each change, beside the one that lost
  /// everything not synced. \param again  at every so many changes a second cut hits the recovery
  /// from the first; 0: never.
  PowerCutWitness(const DiskImage& image, unsigned torn, unsigned again, std::uint64_t seed);

  PowerCutDisk& disk() noexcept { return disk_; }
  StoreOptions options() const { return {.vfs = disk_.name()}; }
  /// Carries out one call; when it returns, its work is acknowledged.
  /// \param most  so many states may it go through, one for each of its transactions.
  void step(const std::string& what, const std::function<Status()>& call, std::size_t most = 1);

  const std::vector<std::string>& problems() const noexcept { return problems_; }
  const std::vector<std::string>& states() const noexcept { return states_; }
  std::uint64_t images() const noexcept { return images_; }

 private:
  void changed();
  void note_state();
  void look_at(const DiskImage& image, const std::string& how);
  void cut_again(const DiskImage& image);
  bool is_allowed(const std::string& state) const;
  void problem(const std::string& text);

  PowerCutDisk disk_;
  unsigned torn_;
  unsigned again_;
  std::mt19937_64 random_;
  std::string step_;
  std::vector<std::string> states_;  ///< what a killed process would have left, in order
  std::size_t acknowledged_ = 0;     ///< index of the state that must not be lost
  std::vector<std::string> problems_;
  std::uint64_t images_ = 0;
};

}  // namespace rad::test

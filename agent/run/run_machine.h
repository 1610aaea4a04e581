// What a run does next, and what its record means in the end. Pure: no I/O, no clock.
#pragma once

#include <optional>

#include "agent/model/run_report.h"

namespace rad {

/// The order of the stages of one run:
///
///   preflight -> fetch (inspect, verify) | restore -> recover -> check -> cleanup -> report ->
///   done
///
/// Whatever goes wrong before it, cleanup is always reached, and report after it.
class RunMachine {
 public:
  /// \param has_instance whether the target names an instance plugin; without one `restore` goes
  ///   from the stage restore straight to check.
  RunMachine(Depth depth, bool has_instance) : depth_(depth), has_instance_(has_instance) {}

  /// The stage to carry out now; nothing once the run is done.
  std::optional<Stage> stage() const noexcept { return stage_; }

  /// The current stage has ended. \param ok false for an error or a cancellation: everything up to
  ///   cleanup is left out.
  void ended(bool ok) noexcept;

 private:
  Stage after_success(Stage stage) const noexcept;

  Depth depth_;
  bool has_instance_;
  std::optional<Stage> stage_ = Stage::preflight;
};

/// Fills in verdict and cause from what the record holds; the rules of docs/design.md, "Verdict":
/// a stage's error decides first, then the first failed check in the order of the list, then the
/// first one that could not tell; then at least one passed check must have proved the depth.
void conclude(RunReport& report);

/// Every configured check without an outcome gets one: not_applicable at this depth, else skipped
/// with the reason why nobody asked. Nothing is silently left out.
struct PlannedCheck {
  std::string name;
  std::string check;
  std::string plugin;
  bool applies = true;  ///< can answer at the run's depth
};
void fill_missing_outcomes(RunReport& report, const std::vector<PlannedCheck>& planned);

}  // namespace rad

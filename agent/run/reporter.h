// Who is told about an ended run. Reporters get the finished record and cannot change it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/model/run_report.h"
#include "agent/store/store.h"

namespace rad {

/// One place that runs are reported to. Called on the event loop's thread; must not block for long.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual const std::string& name() const = 0;
  /// \param last_good end of the last pass of the target at this depth or deeper, if any
  /// \return host_unfit and the like; a failed report never changes a verdict.
  virtual Status report(const RunReport& report, std::optional<TimePoint> last_good) = 0;
};

/// The reporters of a configuration, in its order. `store` must outlive them.
std::vector<std::unique_ptr<Reporter>> make_reporters(const Config& config, Store& store);

}  // namespace rad

#include <fmt/format.h>

#include "agent/report/issue_directory.h"
#include "agent/run/reporter.h"

namespace rad {
namespace {

/// Issues as files; what it did is remembered in the store for metrics and the issue list.
class IssueDirectoryReporter final : public Reporter {
 public:
  IssueDirectoryReporter(const ReporterConfig& config, Store& store)
      : name_(config.name),
        issues_(config.issue_directory.path),
        open_on_inconclusive_(config.issue_directory.open_on_inconclusive),
        store_(store) {}

  const std::string& name() const override { return name_; }

  Status report(const RunReport& report, std::optional<TimePoint> last_good) override {
    IssueContext context;
    context.last_good_proof = last_good;
    context.open_on_inconclusive = open_on_inconclusive_;
    RAD_TRY(const std::vector<IssueChange> changes, issues_.record(report, context));
    for (const IssueChange& change : changes) {
      IssueState state;
      state.reporter = name_;
      state.target = change.target;
      state.depth = change.depth;
      state.reference = change.path.string();
      state.open = change.open;
      state.opened_at = change.opened_at;
      state.count = change.count;
      state.last_reason = change.reason;
      state.last_run_id = report.id;
      RAD_CHECK(store_.put_issue(state));
    }
    return {};
  }

 private:
  std::string name_;
  IssueDirectory issues_;
  bool open_on_inconclusive_;
  Store& store_;
};

}  // namespace

std::vector<std::unique_ptr<Reporter>> make_reporters(const Config& config, Store& store) {
  std::vector<std::unique_ptr<Reporter>> reporters;
  for (const ReporterConfig& row : config.reporters) {
    if (row.kind == "issue_directory") {
      reporters.push_back(std::make_unique<IssueDirectoryReporter>(row, store));
    }
  }
  return reporters;
}

}  // namespace rad

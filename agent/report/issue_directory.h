// Issues as files: one Markdown file per issue in one directory, for teams without a tracker.
//
// `<target>-<depth>-<run id that opened it>.md`, with front matter between "---" lines that holds
// the state; people may edit, close (`state: closed`) or delete a file at any time, and what the
// file says then holds. A file whose front matter cannot be read is left alone.
// A run is recorded at most once in an issue, however often it is handed in, so a crash between
// writing the file and remembering it does no harm.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/run_report.h"

namespace rad {

/// What the caller knows beyond the report.
struct IssueContext {
  std::optional<TimePoint> last_good_proof;  ///< last pass of the target at this depth or deeper
  bool open_on_inconclusive = false;  ///< whether "could not tell" opens an issue, or adds to one
  std::string runbook_base;           ///< as in MarkdownOptions
};

enum class IssueAction : std::uint8_t { none, opened, appended, closed, already_recorded };
std::string_view to_string(IssueAction value) noexcept;

/// One issue that a report changed.
struct IssueChange {
  IssueAction action = IssueAction::none;
  std::filesystem::path path;
  std::string target;
  Depth depth = Depth::restore;
  bool open = false;  ///< now, after the action
  TimePoint opened_at{};
  std::uint64_t count = 0;  ///< runs that found it wrong
  std::string reason;       ///< of the last of them
};

/// Thread safety: none; several processes may use one directory (a lock file in it).
class IssueDirectory {
 public:
  /// The directory is made (0750) when it is first needed.
  explicit IssueDirectory(std::filesystem::path directory);

  /// Opens, appends or closes issues as the ended `report` demands:
  /// - fail: appends to the open issue of (target, depth), else opens one;
  /// - inconclusive: the same, only if the context says so;
  /// - pass: closes every open issue of the target at this depth or a shallower one whose failing
  ///   checks all ran and passed in this run;
  /// - cancelled: nothing.
  /// \return what was changed (nothing: an empty list); scratch_full, access_denied or host_unfit
  ///   when the directory cannot be written, target_busy (retryable) when another process held the
  ///   lock for 10 s.
  Result<std::vector<IssueChange>> record(const RunReport& report, const IssueContext& context);

  /// Open issues by target and depth, action none. A directory that is not there has none.
  Result<std::vector<IssueChange>> open_issues() const;

 private:
  std::filesystem::path directory_;
};

}  // namespace rad

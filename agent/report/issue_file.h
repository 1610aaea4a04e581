// One file of the issue directory: front matter that holds the state, and a body that is only ever
// appended to. Not for use outside agent/report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/model/words.h"

namespace rad {

/// The front matter:
/// ---
/// target: customers-db            JSON string if it is not a plain word
/// depth: restore
/// state: open                     anything but "open" is closed
/// verdict: fail                   of the last run that found it wrong
/// reason: decrypt_failed          likewise
/// opened_at: 2026-11-20T18:44:51.715Z
/// count: 3                        runs that found it wrong
/// last_run: 20261120T184451-1a2b3c4d
/// last_started_at: 2026-11-20T18:44:51.715Z
/// checks: ["row_counts"]          that failed in any of these runs
/// ---
struct IssueFile {
  std::string target;
  Depth depth = Depth::restore;
  std::string state = "open";
  std::string verdict;
  std::string reason;
  TimePoint opened_at{};
  std::uint64_t count = 0;
  std::string last_run;
  TimePoint last_started_at{};
  std::vector<std::string> checks;
  std::vector<std::string> other_lines;  ///< lines of people, kept as they are
  std::string body;                      ///< after the front matter

  bool open() const noexcept { return state == "open"; }
  /// Whether the run is recorded here, opening, repetition or close.
  bool has_run(std::string_view run_id) const;
  /// An invisible line that says so; goes before the text of the run.
  static std::string run_mark(std::string_view run_id);

  /// \return nothing unless target, depth and state can be read. What else cannot be read gets the
  ///   value that closes nothing too early.
  static std::optional<IssueFile> parse(std::string_view text);
  std::string text() const;
};

}  // namespace rad

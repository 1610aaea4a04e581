#include "agent/model/run_report.h"

#include <array>

namespace rad {
namespace {

constexpr std::array<std::string_view, 4> kCleanupResults{"pending", "clean", "kept", "failed"};

}  // namespace

std::string_view to_string(CleanupResult value) noexcept {
  const auto index = static_cast<std::size_t>(value);
  return index < kCleanupResults.size() ? kCleanupResults[index] : "?";
}

std::optional<CleanupResult> parse_cleanup_result(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kCleanupResults.size(); ++i) {
    if (kCleanupResults[i] == text) return static_cast<CleanupResult>(i);
  }
  return std::nullopt;
}

int exit_status(const RunReport& report) noexcept {
  // A run without an end has told us nothing.
  switch (report.verdict.value_or(Verdict::inconclusive)) {
    case Verdict::pass:
      return report.cleanup == CleanupResult::failed ? 7 : 0;
    case Verdict::fail:
      return 1;
    case Verdict::inconclusive:
      return 3;
    case Verdict::cancelled:
      return 6;
  }
  return 3;
}

}  // namespace rad

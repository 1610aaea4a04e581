#include "agent/cli/radctl/schedule_subject.h"

namespace rad::radctl {

Answered<boost::json::object> schedule_subject(const cli::Parsed& parsed) {
  const std::string target = parsed.text("TARGET");
  const bool all = parsed.has("--all");
  if (target.empty() == !all) {
    return Refusal{.exit_status = kUsage,
                   .reason = "usage",
                   .message = all ? "TARGET and --all exclude one another" : "TARGET is missing",
                   .hint = "name one target, or say --all for every target"};
  }
  const std::string schedule = parsed.text("--schedule");
  return boost::json::object{{"target", all ? "*" : target},
                             {"schedule", schedule.empty() ? "*" : schedule}};
}

}  // namespace rad::radctl

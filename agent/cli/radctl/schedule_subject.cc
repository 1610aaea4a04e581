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

std::string resume_line(const boost::json::object& subject) {
  const JsonView view(subject);
  const std::string target = view.text("target");
  const std::string schedule = view.text("schedule");
  return "radctl schedule resume " + (target == "*" ? std::string("--all") : target) +
         (schedule == "*" ? std::string() : " --schedule " + schedule);
}

}  // namespace rad::radctl

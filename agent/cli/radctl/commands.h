// The commands of radctl: each asks the agent and prints, and is a file of its own. Their texts are
// pure functions of what the agent answered.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "agent/cli/radctl/context.h"

namespace rad::radctl {

using Command = int (*)(const Context& context, const cli::Parsed& parsed);
/// Null for a path that is not in the table.
Command find_handler(std::string_view path);

int status(const Context& context, const cli::Parsed& parsed);
int target_list(const Context& context, const cli::Parsed& parsed);
int target_show(const Context& context, const cli::Parsed& parsed);
int schedule_list(const Context& context, const cli::Parsed& parsed);
int schedule_pause(const Context& context, const cli::Parsed& parsed);
int schedule_resume(const Context& context, const cli::Parsed& parsed);
int backup_list(const Context& context, const cli::Parsed& parsed);
int run_start(const Context& context, const cli::Parsed& parsed);
int run_wait(const Context& context, const cli::Parsed& parsed);
int run_list(const Context& context, const cli::Parsed& parsed);
int run_show(const Context& context, const cli::Parsed& parsed);
int run_logs(const Context& context, const cli::Parsed& parsed);
int run_cancel(const Context& context, const cli::Parsed& parsed);
int hold_list(const Context& context, const cli::Parsed& parsed);
int hold_psql(const Context& context, const cli::Parsed& parsed);
int hold_release(const Context& context, const cli::Parsed& parsed);
int report(const Context& context, const cli::Parsed& parsed);
int plugin_list(const Context& context, const cli::Parsed& parsed);
int reload(const Context& context, const cli::Parsed& parsed);
int audit(const Context& context, const cli::Parsed& parsed);
int completion(const Context& context, const cli::Parsed& parsed);
int help(const Context& context, const cli::Parsed& parsed);

// The texts, for their tests.

std::string status_text(JsonView status, JsonView targets, JsonView schedules, const Look& look);
std::string targets_text(JsonView targets, const Look& look);
std::string target_text(JsonView target, const Look& look);
/// \param only targets and rotations to show; empty: all
std::string schedules_text(JsonView schedules, JsonView status, const std::set<std::string>& only,
                           const Look& look);
std::string backups_text(JsonView backups, const Look& look);
std::string started_text(JsonView answer, const std::string& target, const Look& look);
/// Which of the waiting runs to show; empty fields match everything.
struct WaitingFilter {
  std::string target;
  std::string depth;
};
/// \param waiting nothing: none of them
std::string runs_text(JsonView runs, JsonView status, const std::optional<WaitingFilter>& waiting,
                      const Look& look);
/// \param report of /v1/runs/{run}; `target` of /v1/targets/{target}, may be empty
std::string run_text(const boost::json::object& report, JsonView target, const Look& look);
std::string log_line_text(JsonView line, const Look& look);
std::string holds_text(JsonView holds, const Look& look);
std::string plugins_text(JsonView plugins, const Look& look);
std::string audit_text(JsonView entries, const Look& look);

}  // namespace rad::radctl

#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

/// Every plugin is asked about itself.
constexpr std::chrono::minutes kReloadLimit{3};

}  // namespace

int reload(const Context& context, const cli::Parsed&) {
  RADCTL_TRY(const auto answer, context.client.post("/v1/reload", {}, kReloadLimit));
  if (context.json) return answer_json(answer);
  const JsonView view(answer);
  cli::write_out(stdout, fmt::format("RELOADED  {}, {}\n", count(view.number("targets"), "target"),
                                     count(view.number("schedules"), "schedule")));
  return kOk;
}

}  // namespace rad::radctl

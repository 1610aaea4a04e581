#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/find_run.h"

namespace rad::radctl {

int run_cancel(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const std::string id, find_run(context, parsed.text("RUN")));
  RADCTL_TRY(const auto answer, context.client.post("/v1/runs/" + encode(id) + "/cancel",
                                                    {{"reason", parsed.text("--reason")}}));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, fmt::format("CANCELLING  run {}: it stops, cleans up and ends as "
                                     "cancelled\n  radctl run wait {}\n",
                                     id, id));
  return kOk;
}

}  // namespace rad::radctl

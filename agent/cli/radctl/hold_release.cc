#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/find_run.h"

namespace rad::radctl {

int hold_release(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const std::string id, find_hold(context, parsed.text("RUN")));
  RADCTL_TRY(const auto answer, context.client.post("/v1/holds/" + encode(id) + "/release", {}));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, fmt::format("RELEASING  the copy of run {}: its instance is stopped and "
                                     "its data removed\n",
                                     id));
  return kOk;
}

}  // namespace rad::radctl

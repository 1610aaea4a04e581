#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/schedule_subject.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {

int schedule_resume(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const auto body, schedule_subject(parsed));
  RADCTL_TRY(const auto answer, context.client.post("/v1/schedules/resume", body));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, fmt::format("RESUMED  {}\n", pause_subject(JsonView(answer))));
  return kOk;
}

}  // namespace rad::radctl

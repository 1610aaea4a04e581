#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/schedule_subject.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {

int schedule_pause(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(auto body, schedule_subject(parsed));
  body["reason"] = parsed.text("--reason");
  body["until"] = nullptr;
  if (const auto until = parsed.given("--until")) body["until"] = *until;
  RADCTL_TRY(const auto answer, context.client.post("/v1/schedules/pause", body));
  if (context.json) return answer_json(answer);
  const JsonView pause(answer);
  const auto until = pause.time("until");
  cli::write_out(stdout, fmt::format("PAUSED  {} {}\n", pause_subject(pause),
                                     until ? fmt::format("until {} ({})", utc_time(until),
                                                         relative(until, context.clock.now()))
                                           : "until somebody resumes it: " + resume_line(body)));
  return kOk;
}

}  // namespace rad::radctl

#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {

std::string holds_text(JsonView holds, const Look& look) {
  const auto rows = holds.list("holds");
  if (rows.empty()) return "nothing is held: no restored copy is kept for anybody\n";
  std::string out = fmt::format(
      "{} kept\n",
      rows.size() == 1 ? "1 restored copy is" : fmt::format("{} restored copies are", rows.size()));
  for (const JsonView& hold : rows) {
    out += heading(hold.text("target"), look);
    std::string state = hold.text("state");
    if (!hold.text("detail").empty()) state += ": " + hold.text("detail");
    out += fact("state", state, look);
    out += fact("owner",
                hold.text("owner") + (hold.text("note").empty() ? "" : ": " + hold.text("note")),
                look);
    out += fact("until",
                fmt::format("{} ({})", utc_time(hold.time("until")),
                            relative(hold.time("until"), look.now)),
                look);
    out += fact("run", hold.text("run_id"), look);
    if (!hold.text("command").empty()) {
      // To be copied: never broken.
      out += fmt::format("  connect    {}\n", hold.text("command"));
    }
    out += fact("release", "radctl hold release " + hold.text("run_id"), look);
  }
  return out;
}

int hold_list(const Context& context, const cli::Parsed&) {
  RADCTL_TRY(const auto answer, context.client.get("/v1/holds"));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, holds_text(JsonView(answer), context.look()));
  return kOk;
}

}  // namespace rad::radctl

#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/proofs.h"

namespace rad::radctl {
namespace {

std::string standing_line(JsonView target, const Look& look) {
  const std::string name = target.text("name");
  switch (standing_of(target)) {
    case Standing::proved:
      return fmt::format("{}  {}: its last tests passed\n", paint("PROVED", Colour::good, look),
                         name);
    case Standing::failed:
      return fmt::format("{}  {}: a backup was at fault in its last test\n",
                         paint("FAIL", Colour::bad, look), name);
    case Standing::doubtful:
      return fmt::format("{}  {}: its last test could not tell whether the backup is good\n",
                         paint("NOT KNOWN", Colour::doubtful, look), name);
    case Standing::never:
      break;
  }
  return fmt::format("{}  {}: no test has ever passed\n",
                     paint("NEVER PROVED", Colour::doubtful, look), name);
}

}  // namespace

std::string target_text(JsonView target, const Look& look) {
  std::string out = standing_line(target, look);
  for (const std::string_view depth : kDepths) {
    if (!depth_matters(target, depth)) continue;
    const JsonView proof = proof_at(target, depth);
    std::string text = proof_words(proof, look.now);
    if (!proof.text("reason").empty()) text += ": " + reason_words(proof.text("reason"));
    if (!proof.text("run_id").empty()) text += fmt::format(" [{}]", proof.text("run_id"));
    out += fact(depth, text, look);
  }
  const std::string instance = target.text("instance_plugin");
  out += fact("plugins", target.text("restore_plugin") + (instance.empty() ? "" : ", " + instance),
              look);
  out += fact("checks", fmt::format("{}", fmt::join(target.texts("checks"), ", ")), look);
  std::vector<std::vector<std::string>> cells{
      {"schedule", "depth", "when", "time zone", "next, local time", "state"}};
  std::string rotations;
  for (const JsonView& row : target.list("schedules")) {
    const bool rotates = is_rotation(row);
    std::string state = row.text("state");
    if (rotates) state = row.text("member") == target.text("name") ? "its turn" : "in turn";
    cells.push_back({row.text("schedule"), row.text("depth"), row.text("when"),
                     row.text("time_zone"), local_time(row.time("next")),
                     row.has("pause") ? "paused" : state});
    if (!rotates) continue;
    rotations += fact("in turn",
                      fmt::format("{} tests one of {} at each of its times", row.text("schedule"),
                                  count(row.number("turns"), "target")),
                      look);
  }
  if (cells.size() == 1) return out + "\nno schedule: it is tested only by hand\n";
  return out + heading("Schedules", look) + table(cells, look) + rotations;
}

int target_show(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const auto answer, context.client.get("/v1/targets/" + encode(parsed.text("TARGET"))));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, target_text(JsonView(answer), context.look()));
  return kOk;
}

}  // namespace rad::radctl

#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {

std::string audit_text(JsonView entries, const Look& look) {
  const auto rows = entries.list("entries");
  if (rows.empty()) return "nobody has asked for anything\n";
  std::string out;
  for (const JsonView& entry : rows) {
    std::string text = fmt::format("{} ({}) {} {}", entry.text("user"), entry.text("role"),
                                   entry.text("action"), entry.text("subject"));
    if (!entry.text("note").empty()) text += fmt::format(" because '{}'", entry.text("note"));
    text += entry.flag("allowed") ? ": " + entry.text("outcome") : ": REFUSED";
    out += fact(utc_time(entry.time("at")), text, look, 20);
  }
  if (const std::uint64_t before = entries.number("next_before"); before != 0) {
    out += fmt::format("older ones: radctl audit --before {}\n", before);
  }
  return out;
}

int audit(const Context& context, const cli::Parsed& parsed) {
  std::string query = "limit=" + encode(parsed.text("--limit"));
  if (const auto before = parsed.given("--before")) query += "&before=" + encode(*before);
  RADCTL_TRY(const auto answer, context.client.get("/v1/audit?" + query));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, audit_text(JsonView(answer), context.look()));
  return kOk;
}

}  // namespace rad::radctl

#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {

std::string plugins_text(JsonView plugins, const Look& look) {
  const auto rows = plugins.list("plugins");
  const auto broken = plugins.list("broken");
  std::string out;
  if (!broken.empty()) {
    out +=
        paint(fmt::format("{} cannot be used", count(broken.size(), "plugin")), Colour::bad, look) +
        "\n";
  } else {
    out += fmt::format("{}, none broken\n", count(rows.size(), "plugin"));
  }
  for (const JsonView& plugin : broken) {
    const JsonView error = plugin.object("error");
    out += fact(plugin.text("name"), error.text("message"), look, 12);
    if (!error.text("hint").empty()) out += fact("", "hint: " + error.text("hint"), look, 12);
  }
  for (const JsonView& plugin : rows) {
    out += heading(fmt::format("{} {}", plugin.text("name"), plugin.text("version")), look);
    out += fact("roles", fmt::format("{}", fmt::join(plugin.texts("roles"), ", ")), look);
    std::vector<std::string> checks;
    for (const JsonView& check : plugin.list("checks")) checks.push_back(check.text("check"));
    if (!checks.empty()) out += fact("checks", fmt::format("{}", fmt::join(checks, ", ")), look);
  }
  return out;
}

int plugin_list(const Context& context, const cli::Parsed&) {
  RADCTL_TRY(const auto answer, context.client.get("/v1/plugins"));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, plugins_text(JsonView(answer), context.look()));
  return kOk;
}

}  // namespace rad::radctl

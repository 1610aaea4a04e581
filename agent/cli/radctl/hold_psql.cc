#include <cerrno>
#include <memory>
#include <system_error>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>
#include <wordexp.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/find_run.h"

namespace rad::radctl {
namespace {

Refusal cannot_run(std::string message) {
  return {.exit_status = kInconclusive,
          .reason = "tool_missing",
          .message = std::move(message),
          .hint = "without --exec the line is printed instead"};
}

/// Becomes the command. No shell: a name that came out of a backup must not be run by one.
Refusal become(const std::string& command) {
  wordexp_t words{};
  if (::wordexp(command.c_str(), &words, WRDE_NOCMD | WRDE_UNDEF) != 0) {
    return cannot_run("the agent's command is no plain list of words: " + printable(command));
  }
  const std::unique_ptr<wordexp_t, decltype(&::wordfree)> owner(&words, &::wordfree);
  std::size_t first = 0;
  while (first < words.we_wordc) {
    const std::string_view word(words.we_wordv[first]);
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos || equals == 0) break;
    if (::setenv(std::string(word.substr(0, equals)).c_str(), words.we_wordv[first] + equals + 1,
                 1) != 0) {
      break;
    }
    ++first;
  }
  if (first == words.we_wordc) return cannot_run("the agent named no command");
  ::signal(SIGPIPE, SIG_DFL);
  ::execvp(words.we_wordv[first], words.we_wordv + first);
  return cannot_run(fmt::format("cannot run '{}': {}", words.we_wordv[first],
                                std::system_category().message(errno)));
}

}  // namespace

int hold_psql(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const std::string id, find_hold(context, parsed.text("RUN")));
  RADCTL_TRY(const auto answer, context.client.post("/v1/holds/" + encode(id) + "/open", {}));
  if (context.json) return answer_json(answer);
  const auto command = json::get_string(answer, "command", "");
  if (!command || command->empty()) {
    return refuse(context, {.exit_status = kInconclusive,
                            .reason = "check_error",
                            .message = "the copy of run " + id + " cannot be reached yet",
                            .hint = "radctl hold list shows its state"});
  }
  if (parsed.has("--exec")) return refuse(context, become(*command));
  cli::write_out(stdout, printable(*command, 8000) + "\n");
  return kOk;
}

}  // namespace rad::radctl

#include <cerrno>
#include <memory>
#include <system_error>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>
#include <wordexp.h>

#include "agent/base/error.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/find_run.h"
#include "agent/cli/radctl/interrupts.h"

namespace rad::radctl {
namespace {

constexpr std::chrono::minutes kStartLimit{2};
constexpr std::chrono::milliseconds kLookEvery{500};

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

/// A copy that was kept a moment ago is still being started: waits until that is over.
Answered<void> wait_until_started(const Context& context, const std::string& id) {
  const SteadyPoint end = context.clock.steady_now() + kStartLimit;
  Interrupts interrupts;
  for (bool said = false;; said = true) {
    RAD_TRY(const auto answer, context.client.get("/v1/holds"));
    JsonView found;
    for (const JsonView& hold : JsonView(answer).list("holds")) {
      if (hold.text("run_id") == id) found = hold;
    }
    if (found.text("state") != "starting" || context.clock.steady_now() > end) return {};
    if (!said) cli::write_out(stderr, "the copy is being started; waiting\n");
    if (interrupts.wait(kLookEvery)) {
      return Refusal{.exit_status = kInterrupted,
                     .reason = "cancelled",
                     .message = "interrupted; the copy is still being started",
                     .hint = "radctl hold list shows its state"};
    }
  }
}

}  // namespace

int hold_psql(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const std::string id, find_hold(context, parsed.text("RUN")));
  if (const auto started = wait_until_started(context, id); !started) {
    return refuse(context, started.error());
  }
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

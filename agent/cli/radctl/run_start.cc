#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/find_run.h"
#include "agent/cli/radctl/interrupts.h"
#include "agent/cli/radctl/run_watch.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

boost::json::object request(const cli::Parsed& parsed) {
  boost::json::object body{{"target", parsed.text("TARGET")},
                           {"reason", parsed.text("--reason")},
                           {"depth", parsed.text("--depth")},
                           {"if_busy", parsed.text("--if-busy")}};
  for (const auto& [option, field] :
       {std::pair{"--backup", "backup"}, std::pair{"--recover-to", "recover_to"},
        std::pair{"--hold", "hold"}}) {
    if (const auto value = parsed.given(option)) body[field] = *value;
  }
  return body;
}

/// What was sent may have been carried out: its answer, with the run's id, is worth a moment.
constexpr std::chrono::seconds kAnswerPatience{3};

Answered<boost::json::object> ask_for_run(const Context& context, const cli::Parsed& parsed,
                                          Interrupts& interrupts) {
  std::optional<SteadyPoint> since;
  context.client.give_up_when([&] {
    if (!interrupts.pending()) return false;
    if (!since) since = context.clock.steady_now();
    return context.clock.steady_now() - *since >= kAnswerPatience;
  });
  auto answer = context.client.post("/v1/runs", request(parsed));
  context.client.give_up_when({});
  if (answer || answer.error().exit_status != kInterrupted) return answer;
  (void)interrupts.take();
  Refusal refusal = answer.error();
  const std::string target = printable(parsed.text("TARGET"));
  refusal.message += fmt::format("; the test of {} may have begun all the same", target);
  refusal.hint = fmt::format("radctl run list --target {} shows it", target);
  return refusal;
}

std::string left_words(JsonView answer) {
  const auto left = answer.seconds("time_left_seconds");
  return left ? fmt::format(", about {} left", format_duration(*left)) : "";
}

std::string first_line(JsonView answer, const std::string& target, const Look& look) {
  const std::string state = answer.text("state");
  if (state == "queued") {
    return fmt::format("{}  the test of {} waits for {}{}\n",
                       paint("QUEUED", Colour::doubtful, look), target, answer.text("waits_for"),
                       left_words(answer));
  }
  if (state == "attached") {
    return fmt::format("{}  {} is being tested already{}\n",
                       paint("ATTACHED", Colour::doubtful, look), target, left_words(answer));
  }
  return fmt::format("{}  the test of {} has begun\n", paint("STARTED", Colour::good, look),
                     target);
}

Answered<WatchOptions> watch_options(const cli::Parsed& parsed) {
  const auto patience = parse_duration(parsed.text("--patience"));
  if (!patience) {
    return Refusal{.exit_status = kUsage,
                   .reason = "usage",
                   .message = "--patience: " + patience.error().message,
                   .hint = patience.error().hint};
  }
  return WatchOptions{.patience = *patience};
}

}  // namespace

std::string started_text(JsonView answer, const std::string& target, const Look& look) {
  const std::string id = answer.text("run_id");
  return first_line(answer, target, look) + fact("run", id, look) +
         fact("follow", "radctl run wait " + id, look) +
         fact("stop", "radctl run cancel " + id, look);
}

int run_start(const Context& context, const cli::Parsed& parsed) {
  const std::string target = parsed.text("TARGET");
  RADCTL_TRY(const WatchOptions options, watch_options(parsed));
  // From here on a run may have begun: nobody leaves without its id.
  Interrupts interrupts;
  RADCTL_TRY(const auto answer, ask_for_run(context, parsed, interrupts));
  const JsonView view(answer);
  if (!parsed.has("--wait")) {
    if (context.json) return answer_json(answer);
    cli::write_out(stdout, started_text(view, printable(target), context.look()));
    return kOk;
  }
  Look plain = context.look();
  plain.style.colour = false;
  cli::write_out(
      stderr, first_line(view, printable(target), plain) + fact("run", view.text("run_id"), plain));
  return watch_run(context, view.text("run_id"), options, interrupts);
}

int run_wait(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const WatchOptions options, watch_options(parsed));
  RADCTL_TRY(const std::string id, find_run(context, parsed.text("RUN")));
  Interrupts interrupts;
  return watch_run(context, id, options, interrupts);
}

}  // namespace rad::radctl

#include <algorithm>
#include <array>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/find_run.h"
#include "agent/cli/radctl/interrupts.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

constexpr std::chrono::milliseconds kLookEvery{500};
constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warning", "error"};
constexpr std::chrono::minutes kPatience{5};

std::ptrdiff_t gravity(std::string_view level) {
  const auto* found = std::ranges::find(kLevels, level);
  // What is not known may be grave.
  return found == kLevels.end() ? std::ssize(kLevels) : found - kLevels.begin();
}

/// Prints the log as it grows; one object per call.
class LogPrinter {
 public:
  LogPrinter(const Context& context, std::string id, const std::string& level)
      : context_(context), id_(std::move(id)), least_(gravity(level)) {}

  enum class Page { more, last };  ///< whether there may be another one at once
  Answered<Page> page() {
    const auto answer = context_.client.get(
        fmt::format("/v1/runs/{}/log?after={}&limit=1000", encode(id_), after_));
    if (!answer) return answer.error();
    const JsonView view(*answer);
    const auto lines = view.list("lines");
    std::string out;
    for (const JsonView& line : lines) {
      if (gravity(line.text("level")) < least_) continue;
      if (context_.json) {
        all_.emplace_back(*line.raw());
      } else {
        out += log_line_text(line, context_.look());
      }
    }
    cli::write_out(stdout, out);
    printed_ += lines.size();
    after_ = std::max(after_, view.number("next_after"));
    ended_ = view.flag("ended");
    return lines.empty() || ended_ ? Page::last : Page::more;
  }

  bool ended() const noexcept { return ended_; }
  std::size_t printed() const noexcept { return printed_; }
  boost::json::array take() { return std::move(all_); }

 private:
  const Context& context_;
  std::string id_;
  std::ptrdiff_t least_;
  std::uint64_t after_ = 0;
  bool ended_ = false;
  std::size_t printed_ = 0;
  boost::json::array all_;
};

/// \return an exit status
int follow(const Context& context, LogPrinter& printer, const std::string& id) {
  Interrupts interrupts;
  SteadyPoint answered_at = context.clock.steady_now();
  bool away = false;
  for (;;) {
    const auto more = printer.page();
    if (more) {
      answered_at = context.clock.steady_now();
      away = false;
    } else if (more.error().exit_status != kUnreachable ||
               context.clock.steady_now() - answered_at > kPatience) {
      return refuse(context, more.error());
    } else if (!away) {
      away = true;
      cli::write_out(stderr, "the agent does not answer; trying again\n");
    }
    if (printer.ended()) return kOk;
    if (interrupts.wait(more && *more == LogPrinter::Page::more ? std::chrono::milliseconds(0)
                                                                : kLookEvery)) {
      cli::write_out(stderr, fmt::format("run {} goes on\n", id));
      return kInterrupted;
    }
  }
}

}  // namespace

std::string log_line_text(JsonView line, const Look& look) {
  const auto at = line.time("at");
  const std::string level = line.text("level");
  const std::string plugin = line.text("plugin");
  const Colour colour = level == "error"     ? Colour::bad
                        : level == "warning" ? Colour::doubtful
                                             : Colour::none;
  std::string stamp = utc_time(at);
  if (at) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*at).time_since_epoch() % 60;
    stamp = fmt::format("{}:{:02}", stamp.substr(11, 5), seconds.count());
  }
  return fmt::format("{} {} {}: {}\n", stamp, paint(fmt::format("{:<7}", level), colour, look),
                     plugin.empty() ? "agent" : plugin, line.text("text"));
}

int run_logs(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const std::string id, find_run(context, parsed.text("RUN")));
  LogPrinter printer(context, id, parsed.text("--level"));
  int status = kOk;
  if (parsed.has("--follow")) {
    status = follow(context, printer, id);
  } else {
    auto page = LogPrinter::Page::more;
    while (page == LogPrinter::Page::more) {
      RADCTL_TRY(page, printer.page());
    }
  }
  if (status != kOk && status != kInterrupted) return status;
  if (context.json) {
    answer_json({{"run_id", id}, {"lines", printer.take()}, {"ended", printer.ended()}});
  } else if (printer.printed() == 0) {
    cli::write_out(stderr,
                   fmt::format("run {} has said nothing{}\n", id, printer.ended() ? "" : " yet"));
  }
  return status;
}

}  // namespace rad::radctl

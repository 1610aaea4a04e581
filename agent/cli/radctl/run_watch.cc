#include "agent/cli/radctl/run_watch.h"

#include <array>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/event_stream.h"
#include "agent/cli/radctl/find_run.h"
#include "agent/cli/radctl/json_view.h"
#include "agent/model/json.h"
#include "agent/report/progress.h"

namespace rad::radctl {
namespace {

constexpr std::chrono::milliseconds kTurn{1000};

class Watch {
 public:
  Watch(const Context& context, std::string id, const WatchOptions& options, Interrupts& interrupts)
      : context_(context),
        id_(std::move(id)),
        options_(options),
        interrupts_(interrupts),
        progress_(STDERR_FILENO, context.clock),
        began_at_(context.clock.now()),
        heard_at_(context.clock.steady_now()) {}

  int run() {
    if (const auto status = context_.client.get("/v1/status")) {
      started_at_ = JsonView(*status).text("started_at");
    }
    connect();
    while (!exit_) {
      if (interrupts_.take()) interrupted();
      if (exit_) break;
      if (stream_) {
        turn();
      } else {
        reconnect();
      }
    }
    progress_.finish();
    return *exit_;
  }

 private:
  void say(std::string_view text) {
    progress_.clear();
    cli::write_out(stderr, fmt::format("{}\n", text));
  }

  void connect() {
    stream_ = std::make_unique<EventStream>(
        context_.client.socket(), fmt::format("/v1/runs/{}/events?after={}", encode(id_), after_),
        context_.clock);
  }

  void turn() {
    std::array<int, 2> fds{interrupts_.fd(), STDIN_FILENO};
    EventStream::Turn turn = stream_->wait({fds.data(), asking_ ? 2U : 1U}, kTurn);
    if (turn.open && !turn.ended) {
      heard_at_ = context_.clock.steady_now();
      away_ = false;
    }
    for (const ServerEvent& event : turn.events) {
      take(event);
      if (exit_) return;
    }
    if (asking_) read_answer();
    if (!asking_) progress_.tick();
    if (turn.ended && !exit_) lost(turn.refusal);
  }

  void take(const ServerEvent& event) {
    if (event.number) after_ = *event.number;
    const auto value = json::parse(event.data, "the event");
    if (!value || !value->is_object()) return;
    const JsonView data(value->as_object());
    if (event.type == "stage") {
      if (const auto stage = parse_stage(data.text("stage"))) begin(*stage);
    } else if (event.type == "progress") {
      const auto stage = parse_stage(data.text("stage"));
      if (stage && (stage_ != stage || shown_ != stage)) begin(*stage);
      if (!asking_) {
        progress_.update(data.number("bytes_done"), data.number("bytes_total"), data.text("note"));
      }
    } else if (event.type == "log") {
      const std::string level = data.text("level");
      if (level != "warning" && level != "error") return;
      const std::string plugin = data.text("plugin");
      say(fmt::format("{}: {}: {}", level, plugin.empty() ? "agent" : plugin, data.text("text")));
    } else if (event.type == "waiting") {
      const std::string why = data.text("waits_for");
      if (why != waits_for_) say("waiting for " + why);
      waits_for_ = why;
    } else if (event.type == "end") {
      end(value->as_object());
    }
  }

  void begin(Stage stage) {
    stage_ = stage;
    // While somebody is asked, the question stays the last thing on the screen.
    if (asking_) return;
    progress_.begin_stage(stage);
    shown_ = stage;
  }

  void end(const boost::json::object& record) {
    progress_.finish();
    if (asking_) cli::write_out(stderr, "\nthe run has ended meanwhile\n");
    if (const auto report = run_report_from_json(record)) {
      if (restarted_ && report->cause && report->cause->reason == Reason::interrupted) {
        cli::write_out(stderr, "the agent was restarted in the middle of the run\n");
      }
      if (context_.json) {
        answer_json(record);
      } else {
        print(record, *report);
      }
      exit_ = exit_status(*report);
      return;
    }
    exit_ = refuse(context_, {.exit_status = kInconclusive,
                              .reason = {},
                              .message = "the record of the run is not understood",
                              .hint = "is radctl as old as the agent?"});
  }

  void print(const boost::json::object& record, const RunReport& report) {
    const auto target = context_.client.get("/v1/targets/" + encode(report.target));
    cli::write_out(stdout,
                   run_text(record, target ? JsonView(*target) : JsonView(), context_.look()) +
                       held_text(context_, id_));
  }

  /// The stream has ended without an end of the run.
  void lost(const std::optional<Refusal>& refusal) {
    stream_.reset();
    if (refusal && refusal->exit_status != kUnreachable && refusal->exit_status != kInconclusive) {
      progress_.finish();
      exit_ = refuse(context_, *refusal);
      // A name that was right when the run began is no mistake of the caller.
      if (restarted_) exit_ = kInconclusive;
      return;
    }
    if (!away_) {
      say(refusal ? refusal->message : "the agent has closed the connection");
      say(fmt::format("looking for it again for {}", format_duration(options_.patience)));
    }
    away_ = true;
    wait_a_second();
  }

  void wait_a_second() {
    if (asking_) {
      asking_ = false;
      cli::write_out(stderr, "\n");
    }
    if (interrupts_.wait(kTurn)) interrupted();
  }

  void reconnect() {
    const auto status = context_.client.get("/v1/status");
    if (status) {
      const std::string started = JsonView(*status).text("started_at");
      // A new process counts its events from one again.
      const auto time = JsonView(*status).time("started_at");
      const bool known = !started_at_.empty();
      if (known ? started != started_at_ : time && *time > began_at_) {
        restarted_ = true;
        after_ = 0;
        say("the agent was restarted");
      }
      started_at_ = started;
      connect();
    } else if (status.error().exit_status == kNotPermitted) {
      exit_ = refuse(context_, status.error());
    }
    if (exit_ || context_.clock.steady_now() - heard_at_ < options_.patience) {
      if (!stream_ && !exit_) wait_a_second();
      return;
    }
    progress_.finish();
    exit_ =
        refuse(context_, {.exit_status = kUnreachable,
                          .reason = "agent_unreachable",
                          .message = fmt::format("run {} cannot be followed any more: its agent "
                                                 "has been silent for {}",
                                                 id_, format_duration(options_.patience)),
                          .hint = "systemctl status rad-agent; what came of the run will be "
                                  "told by: radctl run show " +
                                  id_});
  }

  void interrupted() {
    if (!context_.interactive || asking_ || cancelled_ || !stream_) {
      leave();
      return;
    }
    progress_.clear();
    asking_ = true;
    ask();
  }

  void ask() {
    cli::write_out(stderr, "\nleave it running (l), cancel it (c), or go on watching (Enter)? ");
  }

  /// Reads what is there, without waiting for more. The terminal hands over whole lines.
  void read_answer() {
    pollfd entry{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, 0) <= 0) return;
    std::array<char, 256> buffer{};
    const ssize_t size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    const std::string_view text(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    if (size <= 0 || text.starts_with('l') || text.starts_with('L')) {
      leave();
    } else if (text.starts_with('c') || text.starts_with('C')) {
      asking_ = false;
      cancel();
    } else if (text.front() == '\n') {
      asking_ = false;
    } else {
      ask();
    }
  }

  void cancel() {
    const auto answer = context_.client.post("/v1/runs/" + encode(id_) + "/cancel",
                                             {{"reason", "cancelled by Ctrl-C in radctl"}});
    if (!answer) {
      cli::print_problem(answer.error().message, answer.error().hint);
      return;
    }
    cancelled_ = true;
    say("cancelling; waiting until it has cleaned up (Ctrl-C leaves it to it)");
  }

  void leave() {
    progress_.finish();
    cli::write_out(stderr, fmt::format("\nrun {} goes on without you\n"
                                       "  follow it: radctl run wait {}\n"
                                       "  stop it:   radctl run cancel {}\n",
                                       id_, id_, id_));
    exit_ = kInterrupted;
  }

  const Context& context_;
  std::string id_;
  const WatchOptions& options_;
  Interrupts& interrupts_;
  ProgressWriter progress_;
  std::unique_ptr<EventStream> stream_;
  std::uint64_t after_ = 0;
  std::optional<Stage> stage_;
  std::optional<Stage> shown_;  ///< what the progress on the screen is about
  std::string waits_for_;
  TimePoint began_at_;
  std::string started_at_;  ///< of the agent's process; "" if it went away before it said so
  SteadyPoint heard_at_;
  bool away_ = false;
  bool restarted_ = false;
  bool asking_ = false;
  bool cancelled_ = false;
  std::optional<int> exit_;
};

}  // namespace

int watch_run(const Context& context, const std::string& run_id, const WatchOptions& options,
              Interrupts& interrupts) {
  return Watch(context, run_id, options, interrupts).run();
}

}  // namespace rad::radctl

// What every command of radctl is handed, and how it answers.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "agent/base/clock.h"
#include "agent/cli/command_line/output.h"
#include "agent/cli/command_line/parse.h"
#include "agent/cli/radctl/control_client.h"
#include "agent/cli/radctl/json_view.h"
#include "agent/report/terminal.h"

namespace rad::radctl {

/// How a text is to look. Texts are pure functions of the answers and this.
struct Look {
  TerminalStyle style;
  TimePoint now{};
};

struct Context {
  ControlClient& client;
  const Clock& clock;
  TerminalStyle style;  ///< of stdout
  bool json = false;
  bool interactive = false;  ///< there is somebody to ask: stdin and stderr are a terminal

  Look look() const { return {style, clock.now()}; }
};

/// Says why there is no answer: on stderr, with --json also as {"error": {…}} on stdout.
/// \return the exit status
int refuse(const Context& context, const Refusal& refusal);
/// Prints the agent's answer as it is. \return kOk
int answer_json(const boost::json::object& answer);

}  // namespace rad::radctl

/// `RADCTL_TRY(const auto answer, context.client.get("/v1/status"));` : binds the answer, or says
/// why there is none and returns the exit status.
#define RADCTL_TRY_CAT2(a, b) a##b
#define RADCTL_TRY_CAT(a, b) RADCTL_TRY_CAT2(a, b)
#define RADCTL_TRY_IMPL(tmp, decl, expr)                        \
  auto tmp = (expr);                                            \
  if (!tmp) return ::rad::radctl::refuse(context, tmp.error()); \
  decl = *std::move(tmp)
#define RADCTL_TRY(decl, ...) \
  RADCTL_TRY_IMPL(RADCTL_TRY_CAT(radctl_try_, __LINE__), decl, (__VA_ARGS__))

#include "agent/cli/radctl/context.h"

#include "agent/base/json.h"

namespace rad::radctl {

int refuse(const Context& context, const Refusal& refusal) {
  cli::print_problem(refusal.message, refusal.hint);
  if (context.json) {
    const boost::json::object error{{"reason", json::safe_string(refusal.reason)},
                                    {"message", json::safe_string(refusal.message)},
                                    {"hint", json::safe_string(refusal.hint)}};
    cli::write_out(stdout, json::pretty(boost::json::object{{"error", error}}));
  }
  return refusal.exit_status;
}

int answer_json(const boost::json::object& answer) {
  cli::write_out(stdout, json::pretty(answer));
  return kOk;
}

}  // namespace rad::radctl

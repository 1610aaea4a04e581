#include "agent/cli/radctl/context.h"

#include <sstream>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rad::radctl {
namespace {

constexpr std::size_t kLongestLine = 4096;

}  // namespace

int refuse(const Context& context, const Refusal& refusal) {
  std::istringstream detail(refusal.detail);
  for (std::string line; std::getline(detail, line);) {
    cli::write_out(stderr, printable(line, kLongestLine) + "\n");
  }
  cli::print_problem(refusal.message, refusal.hint);
  if (context.json) {
    boost::json::object error{{"reason", json::safe_string(refusal.reason)},
                              {"message", json::safe_string(refusal.message)},
                              {"hint", json::safe_string(refusal.hint)}};
    if (!refusal.detail.empty()) {
      error["detail"] = json::safe_string(refusal.detail, refusal.detail.size());
    }
    cli::write_out(stdout, json::pretty(boost::json::object{{"error", error}}));
  }
  return refusal.exit_status;
}

int answer_json(const boost::json::object& answer) {
  cli::write_out(stdout, json::pretty(answer));
  return kOk;
}

}  // namespace rad::radctl

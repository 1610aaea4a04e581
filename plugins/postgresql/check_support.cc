#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"
#include "plugins/postgresql/sql_error.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {

CheckOutcome pass(const protocol::CheckSpec& spec, Proof proof, std::string message) {
  CheckOutcome outcome;
  outcome.name = spec.name;
  outcome.check = spec.check;
  outcome.outcome = Outcome::pass;
  outcome.proof = proof;
  outcome.message = std::move(message);
  return outcome;
}

CheckOutcome from_error(const protocol::CheckSpec& spec, const Error& error) {
  CheckOutcome outcome;
  outcome.name = spec.name;
  outcome.check = spec.check;
  outcome.outcome =
      info(error.reason).blame == Blame::backup ? Outcome::fail : Outcome::inconclusive;
  outcome.reason = error.reason;
  outcome.message = error.message;
  outcome.hint = error.hint;
  outcome.object = error.object;
  return outcome;
}

Error explain(CheckEnv& env, const SqlError& error, std::string_view doing, std::string object) {
  if (error.lost && !error.stopped && env.instance != nullptr && env.instance->is_ending()) {
    return env.instance->why_it_ended();
  }
  return sql_failure(error, doing, printable(object, 300));
}

void add_details(CheckOutcome& outcome, std::vector<std::string> lines) {
  constexpr std::size_t kMaxLines = 100;
  const std::size_t total = lines.size();
  if (total > kMaxLines) {
    lines.resize(kMaxLines - 1);
    lines.push_back(fmt::format("and {} more", total - kMaxLines + 1));
  }
  for (std::string& line : lines) outcome.details.push_back(std::move(line));
}

unsigned parallel_of(const protocol::CheckSpec& spec, const CheckEnv& env) {
  const auto wanted = sdk::integer_option(spec.options, "parallel");
  return wanted && *wanted > 0 ? static_cast<unsigned>(std::min<std::int64_t>(*wanted, 32))
                               : env.reader.parallel();
}

}  // namespace rad::postgresql

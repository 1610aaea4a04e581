#include "tests/integration/postgresql/run_support.h"

#include "agent/model/json.h"

namespace rad::test {

namespace bj = boost::json;

protocol::CheckSpec check(const std::string& type, bj::object options) {
  protocol::CheckSpec spec;
  spec.name = type;
  spec.check = type;
  spec.options = std::move(options);
  return spec;
}

TestRun::TestRun(const RestoredCopy& copy, std::vector<protocol::CheckSpec> checks,
                 bj::object options)
    : copy_(copy), checks_(checks), driver_({std::move(options), std::move(checks), copy.place()}) {
  const auto answer = driver_.initialize();
  if (answer.error) throw std::runtime_error("initialize: " + answer.error->message);
}

protocol::StartResult TestRun::start(const bj::object& changes) {
  const auto answer = driver_.call("start", {{"artifact", copy_.artifact(changes)}});
  if (answer.error) {
    throw std::runtime_error("start: " + answer.error->message + "\n" + answer.error->detail);
  }
  started_ = protocol::from_json<protocol::StartResult>(*answer.result).value();
  return started_;
}

Error TestRun::start_error(const bj::object& changes) {
  const auto answer = driver_.call("start", {{"artifact", copy_.artifact(changes)}});
  if (!answer.error) throw std::runtime_error("start did not fail");
  return *answer.error;
}

bj::object TestRun::check_params() const {
  protocol::CheckParams params;
  params.endpoint = started_.endpoint;
  params.checks = checks_;
  return protocol::to_json(params);
}

std::vector<CheckOutcome> TestRun::check_all() {
  const auto answer = driver_.call("check", check_params());
  if (answer.error) throw std::runtime_error("check: " + answer.error->message);
  return protocol::from_json<protocol::CheckResult>(*answer.result).value().outcomes;
}

CheckOutcome TestRun::check_one() {
  return check_all().at(0);
}

std::string run_sql(const protocol::StartResult& started, const std::string& database,
                    const std::string& statements) {
  const bj::object& at = started.endpoint.properties;
  ChildSpec spec;
  spec.program = "/usr/lib/postgresql/15/bin/psql";
  spec.args = {"-XAtq",
               "-v",
               "ON_ERROR_STOP=1",
               "-h",
               std::string(at.at("socket_dir").as_string()),
               "-U",
               std::string(at.at("user").as_string()),
               "-d",
               database,
               "-f",
               "-"};
  spec.environment = std::map<std::string, std::string>{
      {"PGOPTIONS", "-c session_preload_libraries= -c statement_timeout=0"}};
  const ToolOutput output = run_tool(spec, statements).value();
  if (!output.status.ok()) throw std::runtime_error("psql: " + output.err);
  return output.out;
}

bj::object recover_to(const std::string& kind, const std::string& value) {
  return {{"recover_to", {{"kind", kind}, {"value", value}}}};
}

std::string summary(const CheckOutcome& outcome) {
  std::string text(to_string(outcome.outcome));
  if (outcome.reason) text += " " + std::string(to_string(*outcome.reason));
  if (!outcome.object.empty()) text += " " + outcome.object;
  return text;
}

}  // namespace rad::test

// The lines as they go over the wire, one file for each conversation: a change here is a change of
// the protocol.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include "agent/model/json.h"
#include "plugins/protocol/codec.h"
#include "tests/unit/protocol/examples.h"

namespace rad::protocol {
namespace {

Response result(std::int64_t id, boost::json::object object) {
  Response response;
  response.id = id;
  response.result = std::move(object);
  return response;
}

/// A request and its answer, and that reading and writing them again changes nothing.
void expect_exchange(const std::string& name, boost::json::object params,
                     boost::json::object answer) {
  const std::string lines =
      encode(Request{7, name, std::move(params)}) + encode(result(7, std::move(answer)));
  test::expect_golden("protocol/" + name + ".jsonl", lines);
  LineSplitter splitter;
  ASSERT_TRUE(splitter.feed(lines));
  std::string again;
  while (const auto line = splitter.next()) {
    const auto message = decode(*line);
    ASSERT_TRUE(message) << message.error().message;
    again += std::visit([](const auto& value) { return encode(value); }, *message);
  }
  EXPECT_EQ(again, lines);
}

TEST(ProtocolGolden, Requests) {
  expect_exchange("initialize", to_json(examples::initialize_params()),
                  to_json(examples::plugin_info()));
  expect_exchange("preflight", {}, to_json(examples::preflight_result()));
  expect_exchange("inspect", {}, to_json(ReadResult()));
  expect_exchange("verify", {}, to_json(examples::read_result()));
  expect_exchange("restore", {}, to_json(examples::restore_result()));
  expect_exchange("start", {{"artifact", rad::to_json(examples::restore_result().artifact)}},
                  to_json(examples::start_result()));
  expect_exchange("backups", {}, to_json(examples::backups_result()));
  expect_exchange("hold", {{"artifact", rad::to_json(examples::restore_result().artifact)}},
                  to_json(examples::start_result()));
  expect_exchange("check", to_json(examples::check_params()), to_json(examples::check_result()));
  expect_exchange("diagnose", to_json(examples::diagnose_params()),
                  to_json(examples::diagnose_result()));
  expect_exchange("cleanup", {}, to_json(examples::cleanup_result()));
  expect_exchange("gc", to_json(examples::gc_params()), to_json(examples::gc_result()));
  expect_exchange("shutdown", {}, {});
}

TEST(ProtocolGolden, Notifications) {
  test::expect_golden("protocol/notifications.jsonl",
                      encode(Notification{"cancel", {{"id", 7}}}) +
                          encode(Notification{"progress", to_json(examples::progress())}) +
                          encode(Notification{"log", to_json(examples::log_line())}));
}

TEST(ProtocolGolden, Errors) {
  Response failed;
  failed.id = 7;
  failed.error = examples::error();
  Response refused;
  refused.error = fail(Reason::plugin_protocol, "a message is not JSON");
  refused.error_code = kParseError;
  test::expect_golden("protocol/errors.jsonl", encode(failed) + encode(refused));
}

}  // namespace
}  // namespace rad::protocol

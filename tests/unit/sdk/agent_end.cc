#include "tests/unit/sdk/agent_end.h"

#include <array>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "agent/base/child_process.h"

namespace rad::sdk {

AgentEnd::AgentEnd(Plugin& plugin) {
  Pipe in = make_pipe().value();
  Pipe out = make_pipe().value();
  input_ = std::move(in.write_end);
  output_ = std::move(out.read_end);
  plugin_in_ = std::move(in.read_end);
  plugin_out_ = std::move(out.write_end);
  thread_ = std::jthread([this, &plugin] {
    status_ = serve(plugin, plugin_in_.get(), plugin_out_.get());
    plugin_out_.reset();
    plugin_in_.reset();
  });
}

AgentEnd::~AgentEnd() {
  close_input();
}

void AgentEnd::send_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(input_.get(), bytes.data(), bytes.size());
    ASSERT_GT(written, 0);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::int64_t AgentEnd::send(const std::string& method, boost::json::object params) {
  const std::int64_t id = next_id_++;
  send_bytes(encode(protocol::Request{id, method, std::move(params)}));
  return id;
}

void AgentEnd::notify(const std::string& method, boost::json::object params) {
  send_bytes(encode(protocol::Notification{method, std::move(params)}));
}

std::optional<protocol::Response> AgentEnd::response() {
  while (true) {
    while (const auto line = lines_.next()) {
      auto message = protocol::decode(*line);
      EXPECT_TRUE(message) << *line;
      if (!message) return std::nullopt;
      if (auto* response = std::get_if<protocol::Response>(&*message)) return *response;
      notifications.push_back(std::get<protocol::Notification>(*message));
    }
    pollfd wanted{.fd = output_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, 20'000) <= 0) {
      ADD_FAILURE() << "the plugin says nothing";
      return std::nullopt;
    }
    std::array<char, 65536> buffer;
    const ssize_t count = ::read(output_.get(), buffer.data(), buffer.size());
    if (count <= 0) return std::nullopt;
    EXPECT_TRUE(lines_.feed({buffer.data(), static_cast<std::size_t>(count)}));
  }
}

protocol::Response AgentEnd::call(const std::string& method, boost::json::object params) {
  const auto id = send(method, std::move(params));
  auto answer = response();
  if (!answer) {
    ADD_FAILURE() << "no answer to " << method;
    return {};
  }
  EXPECT_EQ(answer->id, id);
  return *answer;
}

protocol::Response AgentEnd::begin(const std::string& dir, boost::json::object options) {
  protocol::InitializeParams params;
  params.run_id = "run-1";
  params.scratch_dir = dir;
  params.runtime_dir = dir;
  params.options = std::move(options);
  return call("initialize", to_json(params));
}

int AgentEnd::wait() {
  thread_.join();
  return status_;
}

}  // namespace rad::sdk

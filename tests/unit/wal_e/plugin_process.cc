#include "tests/unit/wal_e/plugin_process.h"

#include <array>

#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rad::wal_e::test_support {
namespace {

namespace fs = std::filesystem;

constexpr int kLimitMilliseconds = 120'000;

std::string account() {
  if (::geteuid() != 0) return "";
  return ::getpwnam("rad-plugin") != nullptr ? "rad-plugin" : "nobody";
}

}  // namespace

PluginProcess::PluginProcess(Depth depth, boost::json::object options,
                             std::vector<protocol::CheckSpec> checks)
    : scratch_(dir_ / "s"), runtime_(dir_ / "r") {
  ::chmod(dir_.path().c_str(), 0755);
  fs::create_directories(scratch_);
  fs::create_directories(runtime_);
  ::chmod(scratch_.c_str(), 0700);
  ::chmod(runtime_.c_str(), 0700);
  params_.run_id = "run";
  params_.target = "target";
  params_.depth = depth;
  params_.scratch_dir = scratch_.string();
  params_.runtime_dir = runtime_.string();
  params_.account = account();
  params_.options = std::move(options);
  params_.checks = std::move(checks);
  auto in = make_pipe().value();
  auto out = make_pipe().value();
  ChildSpec spec;
  spec.program = fs::path(RAD_BINARY_DIR) / "plugins.d/wal_e";
  spec.stdin_fd = in.read_end.get();
  spec.stdout_fd = out.write_end.get();
  spec.stderr_fd = STDERR_FILENO;
  child_ = ChildProcess::start(spec).value();
  input_ = std::move(in.write_end);
  output_ = std::move(out.read_end);
}

PluginProcess::~PluginProcess() {
  EXPECT_TRUE(ask("cleanup")) << "cleanup";
  EXPECT_TRUE(ask("cleanup")) << "cleanup again";
  input_.reset();
  const auto status = child_->wait_for(std::chrono::seconds(20));
  EXPECT_TRUE(status && status->ok()) << (status ? status->text() : "still there");
  EXPECT_TRUE(fs::is_empty(scratch_));
  EXPECT_TRUE(fs::is_empty(runtime_));
}

Result<boost::json::object> PluginProcess::ask(const std::string& method,
                                               boost::json::object params) {
  const auto id = next_id_++;
  const auto line =
      protocol::encode(protocol::Request{.id = id, .method = method, .params = std::move(params)});
  EXPECT_EQ(::write(input_.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  while (true) {
    while (auto text = lines_.next()) {
      auto message = protocol::decode(*text);
      EXPECT_TRUE(message) << *text;
      if (!message) return std::move(message).error();
      auto* response = std::get_if<protocol::Response>(&*message);
      if (response == nullptr || response->id != id) continue;
      if (response->error) return *response->error;
      return response->result.value_or(boost::json::object{});
    }
    pollfd waiting{output_.get(), POLLIN, 0};
    std::array<char, 65536> piece;
    const bool ready = ::poll(&waiting, 1, kLimitMilliseconds) > 0;
    const ssize_t got = ready ? ::read(output_.get(), piece.data(), piece.size()) : -1;
    if (got <= 0) {
      ADD_FAILURE() << "no answer to " << method;
      return fail(Reason::timeout, "no answer");
    }
    RAD_CHECK(lines_.feed({piece.data(), static_cast<std::size_t>(got)}));
  }
}

Result<boost::json::object> PluginProcess::initialize() {
  return ask("initialize", protocol::to_json(params_));
}

std::vector<CheckOutcome> PluginProcess::check() {
  protocol::CheckParams params;
  params.checks = params_.checks;
  auto result = call<protocol::CheckResult>("check", protocol::to_json(params));
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? result->outcomes : std::vector<CheckOutcome>{};
}

std::vector<std::string> codes(const std::vector<Finding>& findings) {
  std::vector<std::string> result;
  for (const auto& finding : findings) result.push_back(finding.code);
  return result;
}

}  // namespace rad::wal_e::test_support

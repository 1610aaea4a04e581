#include "tests/contract/plugin_under_test.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/model/json.h"
#include "tests/contract/contract_config.h"
#include "tests/contract/survivors.h"

namespace rad::contract {
namespace {

namespace bj = boost::json;

/// Milliseconds until `end` for poll(), at least 0.
int left(SteadyPoint end) {
  const auto rest =
      std::chrono::ceil<std::chrono::milliseconds>(end - SystemClock().steady_now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(rest, 0, 1'000'000));
}

bool ready(int fd, short events, SteadyPoint end) {
  while (true) {
    pollfd wanted{.fd = fd, .events = events, .revents = 0};
    const int count = ::poll(&wanted, 1, left(end));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

/// The account a plugin becomes when the tests run as root.
std::string test_account() {
  if (::geteuid() != 0) return "";
  return ::getpwnam("rad-plugin") != nullptr ? "rad-plugin" : "nobody";
}

}  // namespace

PluginUnderTest::PluginUnderTest()
    : scratch_(dir_ / "scratch"), runtime_(dir_ / "run"), account_(test_account()) {
  // The agent ignores it too; a plugin that ends early must not end the suite.
  ::signal(SIGPIPE, SIG_IGN);
  adopt_orphans();
  ::chmod(dir_.path().c_str(), 0711);
  for (const std::string& path : {scratch_, runtime_}) {
    std::filesystem::create_directory(path);
    ::chmod(path.c_str(), 0700);
  }
  prepare();
  before_ = everything();
  start();
}

void PluginUnderTest::prepare() {
  if (config().prepare.empty()) return;
  ChildSpec spec;
  bj::array words;
  for (const std::string& word : config().prepare) words.emplace_back(word);
  const bj::value placed = place(words, {{"scratch", scratch_}, {"runtime", runtime_}});
  for (const bj::value& word : placed.as_array()) spec.args.emplace_back(word.as_string());
  spec.program = spec.args.front();
  spec.args.erase(spec.args.begin());
  const ToolOutput output = run_tool(spec).value();
  if (!output.status.ok()) throw std::runtime_error("prepare: " + output.err);
}

void PluginUnderTest::start() {
  if (!config().accept.empty()) return start_behind_socket();
  Pipe in = make_pipe().value();
  Pipe out = make_pipe().value();
  const UniqueFd errors(::open((dir_ / "stderr").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ChildSpec spec;
  spec.program = config().plugin;
  spec.stdin_fd = in.read_end.get();
  spec.stdout_fd = out.write_end.get();
  spec.stderr_fd = errors.get();
  process_ = ChildProcess::start(spec).value();
  input_ = std::move(in.write_end);
  output_ = std::move(out.read_end);
  ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
}

void PluginUnderTest::start_behind_socket() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("cannot make a pair of sockets");
  }
  input_ = UniqueFd(ends[0]);
  const UniqueFd far(ends[1]);
  const UniqueFd errors(::open((dir_ / "stderr").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ChildSpec spec;
  spec.program = config().accept;
  spec.args = {"--", config().plugin.string()};
  spec.stdin_fd = far.get();
  spec.stdout_fd = far.get();
  spec.stderr_fd = errors.get();
  process_ = ChildProcess::start(spec).value();
  output_ = UniqueFd(::fcntl(input_.get(), F_DUPFD_CLOEXEC, 0));
  ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
}

void PluginUnderTest::close_input() {
  if (input_ && !config().accept.empty()) ::shutdown(input_.get(), SHUT_WR);
  input_.reset();
}

PluginUnderTest::~PluginUnderTest() {
  close_input();
  close_output();
  if (!ended_ && !process_->wait_for(kStopLimit)) {
    ADD_FAILURE() << "the plugin still runs " << kStopLimit.count() / 1000
                  << " s after the end of its input";
    process_->kill();
    process_->wait();
  }
  for (const std::string& command : survivors()) {
    ADD_FAILURE() << "the plugin left a process behind: " << command;
  }
  if (::testing::Test::HasFailure()) {
    const auto errors = read_file(dir_ / "stderr");
    if (errors && !errors->empty()) fmt::print(stderr, "the plugin's stderr:\n{}\n", *errors);
  }
}

bool PluginUnderTest::send_bytes(std::string_view bytes, std::chrono::milliseconds limit) {
  const SteadyPoint end = SystemClock().steady_now() + limit;
  while (!bytes.empty()) {
    if (!ready(input_.get(), POLLOUT, end)) return false;
    const ssize_t written = ::write(input_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::int64_t PluginUnderTest::send(const std::string& method, bj::object params) {
  const std::int64_t id = next_id_++;
  EXPECT_TRUE(send_bytes(encode(protocol::Request{id, method, std::move(params)})))
      << "the plugin does not take '" << method << "'";
  return id;
}

void PluginUnderTest::notify(const std::string& method, bj::object params) {
  EXPECT_TRUE(send_bytes(encode(protocol::Notification{method, std::move(params)})));
}

std::optional<protocol::Message> PluginUnderTest::receive(std::chrono::milliseconds limit) {
  const SteadyPoint end = SystemClock().steady_now() + limit;
  while (true) {
    if (const auto line = lines_.next()) {
      auto message = protocol::decode(*line);
      if (message) return *std::move(message);
      ADD_FAILURE() << "the plugin printed a line that is no message: " << line->substr(0, 300)
                    << "\n"
                    << message.error().message;
      return std::nullopt;
    }
    if (!ready(output_.get(), POLLIN, end)) return std::nullopt;
    std::array<char, 65536> buffer;
    const ssize_t count = ::read(output_.get(), buffer.data(), buffer.size());
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
      output_ended_ = true;
      return std::nullopt;
    }
    if (count < 0) continue;
    const auto fed = lines_.feed({buffer.data(), static_cast<std::size_t>(count)});
    EXPECT_TRUE(fed) << "the plugin printed a line that is too long";
    if (!fed) return std::nullopt;
  }
}

std::optional<protocol::Response> PluginUnderTest::response(std::chrono::milliseconds limit) {
  const SteadyPoint end = SystemClock().steady_now() + limit;
  while (auto message = receive(std::chrono::milliseconds(left(end)))) {
    if (auto* response = std::get_if<protocol::Response>(&*message)) return std::move(*response);
    if (auto* notification = std::get_if<protocol::Notification>(&*message)) {
      notifications_.push_back(std::move(*notification));
    } else {
      ADD_FAILURE() << "the plugin sent a request";
    }
  }
  return std::nullopt;
}

protocol::Response PluginUnderTest::call(const std::string& method, bj::object params,
                                         std::chrono::milliseconds limit) {
  const std::int64_t id = send(method, std::move(params));
  auto answer = response(limit);
  if (!answer) {
    ADD_FAILURE() << "no answer to '" << method << "': "
                  << (output_ended_ ? "the plugin's output has ended"
                                    : "the limit of " + format_duration(limit) + " has passed");
    return {};
  }
  EXPECT_EQ(answer->id, id) << "the answer to '" << method << "' has another id";
  return *std::move(answer);
}

std::size_t PluginUnderTest::drain(std::size_t bytes) {
  const SteadyPoint end = SystemClock().steady_now() + kAnswerLimit;
  std::vector<char> buffer(65536);
  std::size_t total = 0;
  while (total < bytes && ready(output_.get(), POLLIN, end)) {
    const ssize_t count = ::read(output_.get(), buffer.data(), buffer.size());
    if (count == 0) break;
    if (count > 0) total += static_cast<std::size_t>(count);
  }
  return total;
}

void PluginUnderTest::await_sign_of_life(std::chrono::milliseconds limit) {
  auto message = receive(limit);
  if (!message) return;
  if (auto* notification = std::get_if<protocol::Notification>(&*message)) {
    notifications_.push_back(std::move(*notification));
  } else {
    ADD_FAILURE() << "an answer came before the request could be stopped: the long request of the "
                     "options file is too short";
  }
}

bj::object PluginUnderTest::with_options(const bj::object& options) const {
  protocol::InitializeParams params;
  params.run_id = "20261102-060000-contract";
  params.target = "contract";
  params.depth = config().depth;
  params.scratch_dir = scratch_;
  params.runtime_dir = runtime_;
  params.account = account_;
  params.checks = config().checks;
  params.options = place(options, {{"scratch", scratch_}, {"runtime", runtime_}}).as_object();
  return protocol::to_json(params);
}

bj::object PluginUnderTest::run_params(const bj::object& extra) const {
  bj::object options = config().options;
  for (const auto& [key, value] : extra) options[key] = value;
  return with_options(options);
}

protocol::PluginInfo PluginUnderTest::describe() {
  const auto answer = call("initialize", protocol::to_json(protocol::InitializeParams{}));
  const auto info = protocol::from_json<protocol::PluginInfo>(result_of(answer));
  if (info) return *info;
  ADD_FAILURE() << "the plugin's description is wrong: " << info.error().message;
  return {};
}

void PluginUnderTest::signal(int number) const {
  ::kill(process_->pid(), number);
}

std::optional<ExitStatus> PluginUnderTest::wait(std::chrono::milliseconds limit) {
  // What it still prints must not block it, and must be protocol.
  const SteadyPoint end = SystemClock().steady_now() + limit;
  while (output_ && response(std::chrono::milliseconds(left(end)))) {
  }
  const auto status = process_->wait_for(std::chrono::milliseconds(left(end)));
  ended_ = status.has_value();
  return status;
}

std::set<std::string> PluginUnderTest::everything() const {
  std::set<std::string> all;
  for (const std::string& name : entries(scratch_)) all.insert("scratch/" + name);
  for (const std::string& name : entries(runtime_)) all.insert("run/" + name);
  return all;
}

std::vector<std::string> PluginUnderTest::left_behind() const {
  std::vector<std::string> left;
  const std::set<std::string> now = everything();
  std::ranges::set_difference(now, before_, std::back_inserter(left));
  return left;
}

std::optional<Reason> reason_of(const protocol::Response& response) {
  if (response.error) return response.error->reason;
  ADD_FAILURE() << "an error was expected, the answer is a result";
  return std::nullopt;
}

bj::object result_of(const protocol::Response& response) {
  if (response.result) return *response.result;
  ADD_FAILURE() << "a result was expected, the answer is "
                << (response.error ? response.error->message + " (" +
                                         std::string(to_string(response.error->reason)) + ")"
                                   : "missing");
  return {};
}

}  // namespace rad::contract

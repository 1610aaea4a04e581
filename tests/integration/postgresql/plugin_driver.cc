#include "tests/integration/postgresql/plugin_driver.h"

#include <array>
#include <stdexcept>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/files.h"

namespace rad::test {
namespace {

namespace bj = boost::json;

bool readable(int fd, std::chrono::steady_clock::time_point end) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  if (left.count() <= 0) return false;
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(left.count())) > 0;
}

}  // namespace

std::string work_account() {
  return ::geteuid() == 0 ? "rad-plugin" : "";
}

PluginDriver::PluginDriver(const Setup& setup)
    : setup_(setup),
      scratch_(setup.place / "scratch"),
      runtime_(setup.place / "run"),
      account_(work_account()) {
  ::signal(SIGPIPE, SIG_IGN);
  for (const auto& path : {scratch_, runtime_}) {
    std::filesystem::create_directory(path);
    ::chmod(path.c_str(), 0700);
  }
  Pipe in = make_pipe().value();
  Pipe out = make_pipe().value();
  const UniqueFd errors(
      ::open((setup.place / "stderr").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  ChildSpec spec;
  spec.program = RAD_BINARY_DIR "/plugins.d/postgresql";
  spec.stdin_fd = in.read_end.get();
  spec.stdout_fd = out.write_end.get();
  spec.stderr_fd = errors.get();
  process_ = ChildProcess::start(spec).value();
  input_ = std::move(in.write_end);
  output_ = std::move(out.read_end);
}

PluginDriver::~PluginDriver() {
  input_.reset();
  const auto status = process_->wait_for(std::chrono::seconds(30));
  EXPECT_TRUE(status && status->ok()) << (status ? status->text() : "still running") << "\n"
                                      << errors();
}

protocol::Response PluginDriver::initialize() {
  protocol::InitializeParams params;
  params.run_id = "20260101T000000-00000000";
  params.target = "test";
  params.scratch_dir = scratch_;
  params.runtime_dir = runtime_;
  params.account = account_;
  params.options = setup_.options;
  params.checks = setup_.checks;
  return call("initialize", protocol::to_json(params));
}

std::int64_t PluginDriver::send(const std::string& method, bj::object params) {
  const std::int64_t id = next_id_++;
  const std::string line = protocol::encode(protocol::Request{id, method, std::move(params)});
  if (::write(input_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw std::runtime_error("the plugin takes no input: " + errors());
  }
  return id;
}

void PluginDriver::cancel() {
  const std::string line = protocol::encode(protocol::Notification{"cancel", {}});
  if (::write(input_.get(), line.data(), line.size()) < 0) throw std::runtime_error("no input");
}

std::optional<protocol::Message> PluginDriver::receive(std::chrono::steady_clock::time_point end) {
  std::array<char, 65536> buffer{};
  for (;;) {
    if (auto line = lines_.next()) return protocol::decode(*line).value();
    if (!readable(output_.get(), end)) return std::nullopt;
    const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
    if (got <= 0) throw std::runtime_error("the plugin has ended: " + errors());
    lines_.feed({buffer.data(), static_cast<std::size_t>(got)}).value();
  }
}

protocol::Response PluginDriver::answer(std::int64_t id, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (auto message = receive(end)) {
    if (const auto* note = std::get_if<protocol::Notification>(&*message)) {
      if (note->method == "progress") {
        progress_.push_back(protocol::from_json<protocol::Progress>(note->params).value());
      }
      continue;
    }
    if (const auto* response = std::get_if<protocol::Response>(&*message)) {
      if (response->id == id) return *response;
    }
  }
  throw std::runtime_error("no answer in time: " + errors());
}

protocol::Response PluginDriver::call(const std::string& method, bj::object params,
                                      std::chrono::milliseconds limit) {
  return answer(send(method, std::move(params)), limit);
}

bool PluginDriver::wait_for_progress(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (auto message = receive(end)) {
    const auto* note = std::get_if<protocol::Notification>(&*message);
    if (note != nullptr && note->method == "progress") return true;
  }
  return false;
}

std::optional<ExitStatus> PluginDriver::wait_for_end(std::chrono::milliseconds limit) {
  return process_->wait_for(limit);
}

std::string PluginDriver::errors() const {
  auto text = read_file(setup_.place / "stderr");
  return text ? *std::move(text) : "";
}

}  // namespace rad::test

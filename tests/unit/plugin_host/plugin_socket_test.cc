// A real plugin (fake) and the remover behind real sockets, accepted as the service manager does.
#include "agent/plugin_host/plugin_socket.h"

#include <array>
#include <future>
#include <optional>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/plugin_host/plugin_process.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Accepts one connection and starts a program with it as standard input.
class Service {
 public:
  Service(const std::filesystem::path& path, std::filesystem::path program,
          std::vector<std::string> args)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::signal(SIGPIPE, SIG_IGN);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how the call is made
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), generic, sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    thread_ = std::jthread([this, program = std::move(program), args = std::move(args)] {
      const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) return;
      ChildSpec spec;
      spec.program = program;
      spec.args = args;
      spec.stdin_fd = connection.get();
      spec.stdout_fd = connection.get();
      child_ = ChildProcess::start(spec).value();
    });
  }
  ~Service() { ::shutdown(listener_.get(), SHUT_RDWR); }

  std::string end(std::chrono::milliseconds limit = 20s) {
    thread_.join();
    const auto status = child_->wait_for(limit);
    return status ? status->text() : "it still runs";
  }

 private:
  UniqueFd listener_;
  std::optional<ChildProcess> child_;
  std::jthread thread_;
};

class PluginSocketTest : public ::testing::Test {
 protected:
  PluginSocketTest() { ::chmod(dir_.path().c_str(), 0755); }

  Service fake() {
    return {
        socket(), libexec("rad-accept"), {"--", std::string(RAD_BINARY_DIR) + "/plugins.d/fake"}};
  }
  std::filesystem::path socket() const { return dir_ / "x.sock"; }
  static std::filesystem::path libexec(const char* name) {
    return std::filesystem::path(RAD_BINARY_DIR) / "libexec" / name;
  }
  std::unique_ptr<PluginProcess> start() {
    PluginCommand command;
    command.name = "fake";
    command.socket = socket();
    auto started = PluginProcess::start(loop_.get_executor(), std::move(command));
    EXPECT_TRUE(started) << started.error().message;
    return std::move(*started);
  }
  template <class T>
  T wait(asio::awaitable<T> work) {
    auto done = asio::co_spawn(loop_, std::move(work), asio::use_future);
    loop_.restart();
    while (done.wait_for(0s) != std::future_status::ready && loop_.run_one_for(30s) > 0) {
    }
    return done.get();
  }
  Result<boost::json::object> describe(PluginProcess& plugin) {
    return wait(plugin.call("initialize", protocol::to_json(protocol::InitializeParams{}),
                            CallLimits{20s, 0s, 1s}));
  }

  test::TempDir dir_;
  asio::io_context loop_;
};

TEST_F(PluginSocketTest, SpeaksAndStops) {
  Service service = fake();
  auto plugin = start();
  const auto info = describe(*plugin);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->at("name").as_string(), "fake");
  EXPECT_EQ(plugin->pid(), 0);
  wait([](PluginProcess& one) -> asio::awaitable<bool> {
    co_await one.stop(10s);
    co_return true;
  }(*plugin));
  EXPECT_FALSE(plugin->alive());
  EXPECT_FALSE(plugin->early_end());
  EXPECT_EQ(service.end(), "exit code 0");
}

TEST_F(PluginSocketTest, KillIsOverWhenThePluginIsDead) {
  Service service = fake();
  auto plugin = start();
  ASSERT_TRUE(describe(*plugin));
  plugin->kill();
  loop_.restart();
  while (plugin->alive() && loop_.run_one_for(20s) > 0) {
  }
  EXPECT_FALSE(plugin->alive());
  ASSERT_TRUE(plugin->early_end());
  EXPECT_EQ(plugin->early_end()->reason, Reason::plugin_crashed);
  EXPECT_EQ(service.end(), "exit code 0");
}

TEST_F(PluginSocketTest, AgentThatIsGoneTakesThePluginWithIt) {
  Service service = fake();
  {
    auto connected = connect_plugin("fake", socket(), "");
    ASSERT_TRUE(connected) << connected.error().message;
  }
  EXPECT_EQ(service.end(), "exit code 0");
}

TEST_F(PluginSocketTest, NobodyListens) {
  const auto refused = connect_plugin("fake", socket(), "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::tool_missing);
  EXPECT_THAT(refused.error().message, HasSubstr("plugin 'fake'"));
}

TEST_F(PluginSocketTest, DirectoryThatOthersMayWriteToIsNotTrusted) {
  Service service = fake();
  ::chmod(dir_.path().c_str(), 0777);
  const auto refused = connect_plugin("fake", socket(), "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::config_invalid);
}

TEST_F(PluginSocketTest, RemoverEmptiesADirectoryAndNothingElse) {
  dir_.write("run/plugin/data/file", "x");
  dir_.write("run/.marker", "x");
  {
    Service service(socket(), libexec("rad-remove"), {});
    const Status emptied = empty_as_plugin_user(socket(), dir_ / "run/plugin", "", 20s);
    EXPECT_TRUE(emptied) << emptied.error().message;
    EXPECT_EQ(service.end(), "exit code 0");
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "run/plugin"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "run/.marker"));
}

TEST_F(PluginSocketTest, RemoverRefusesLinksAndDetours) {
  dir_.write("other/file", "x");
  std::filesystem::create_directory_symlink(dir_ / "other", dir_ / "link");
  for (const char* name : {"link", "other/../other", "missing"}) {
    std::filesystem::remove(socket());
    Service service(socket(), libexec("rad-remove"), {});
    const Status refused = empty_as_plugin_user(socket(), dir_ / name, "", 20s);
    EXPECT_FALSE(refused) << name;
    EXPECT_EQ(service.end(), "exit code 1");
  }
  EXPECT_TRUE(std::filesystem::exists(dir_ / "other/file"));
}

}  // namespace
}  // namespace rad

// rad-launch and the change of user, on the real kernel. What must never happen: a process that
// outlives the run. Each test marks its processes through the environment and looks for the mark.
#include "agent/base/isolation.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"
#include "agent/base/pidfd.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

std::string file_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<pid_t> children_of(pid_t pid) {
  std::istringstream list(file_text(fmt::format("/proc/{}/task/{}/children", pid, pid)));
  std::vector<pid_t> result;
  for (pid_t child = 0; list >> child;) result.push_back(child);
  return result;
}

/// Processes of this host that carry `mark` in their environment.
std::vector<std::string> marked(const std::string& mark) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (file_text(entry.path() / "environ").find(mark) != std::string::npos) {
      found.push_back(entry.path().filename().string() + " " + file_text(entry.path() / "comm"));
    }
  }
  return found;
}

/// Waits for the end of a process that is not a child.
bool ends(const UniqueFd& pidfd) {
  pollfd watched{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 30'000) == 1;
}

/// Runs `body` in a child process. \return its answer, or -1
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = -1;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

enum class User { caller, nobody };

/// One rad-launch, as the caller or as nobody, from a place that both can read.
class LaunchTest : public testing::TestWithParam<User> {
 protected:
  void SetUp() override {
    if (GetParam() == User::nobody && ::geteuid() != 0) GTEST_SKIP() << "needs root";
    fs::permissions(dir_.path(), fs::perms(0755));
    fs::copy_file(fs::path(RAD_BINARY_DIR) / "libexec/rad-launch", launcher_);
  }

  ChildSpec spec(const std::string& script, std::vector<std::string> options = {}) const {
    ChildSpec result;
    options.insert(options.end(), {"--", "/bin/sh", "-c", script});
    if (GetParam() == User::nobody) {
      result.program = "setpriv";
      result.args = {"--reuid=65534", "--regid=65534", "--clear-groups", launcher_.string()};
      result.args.insert(result.args.end(), options.begin(), options.end());
    } else {
      result.program = launcher_;
      result.args = options;
    }
    result.environment =
        std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"RAD_TEST_MARK", mark_}};
    result.stderr_fd = STDERR_FILENO;
    return result;
  }

  /// Starts `script` and waits until it has said "ready".
  ChildProcess start_ready(ChildSpec what) {
    Pipe pipe = *make_pipe();
    what.stdout_fd = pipe.write_end.get();
    auto child = ChildProcess::start(what);
    EXPECT_TRUE(child) << child.error().message;
    pipe.write_end.reset();
    out_ = std::move(pipe.read_end);
    std::string said;
    char c = 0;
    while (said.find("ready\n") == std::string::npos && ::read(out_.get(), &c, 1) == 1) said += c;
    EXPECT_THAT(said, HasSubstr("ready\n"));
    return *std::move(child);
  }

  bool out_is_at_end() const {
    pollfd watched{.fd = out_.get(), .events = POLLIN, .revents = 0};
    char c = 0;
    return ::poll(&watched, 1, 30'000) == 1 && ::read(out_.get(), &c, 1) == 0;
  }

  test::TempDir dir_;
  fs::path launcher_ = dir_ / "rad-launch";
  std::string mark_ = "RAD_TEST_MARK_" + random_hex(16);
  UniqueFd out_;
};

/// A plugin at its worst: a child, a daemon in a session of its own that ignores SIGTERM and holds
/// the output, and System V shared memory.
constexpr const char* kMess =
    "ipcmk -M 4321 >/dev/null; sleep 1000 & "
    "setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & echo ready; sleep 1000' & "
    "wait";

TEST_P(LaunchTest, PassesExitCodesOn) {
  for (const int code : {0, 1, 3, 125, 137, 255}) {
    EXPECT_EQ(ChildProcess::start(spec(fmt::format("exit {}", code)))->wait().code, code);
  }
}

TEST_P(LaunchTest, EndsByTheSignalThatEndedThePlugin) {
  for (const int number : {SIGKILL, SIGSEGV, SIGTERM, SIGABRT}) {
    EXPECT_EQ(ChildProcess::start(spec(fmt::format("kill -{} $$", number)))->wait().signal, number);
  }
}

TEST_P(LaunchTest, SaysThatAProgramCannotBeStarted) {
  ChildSpec missing = spec("");
  missing.args.resize(missing.args.size() - 3);
  missing.args.emplace_back("/no/such/plugin");
  const auto output = run_tool(missing);
  EXPECT_EQ(output->status.code, 127);
  missing.args.back() = "/etc/passwd";
  EXPECT_EQ(run_tool(missing)->status.code, 126);
}

TEST_P(LaunchTest, PassesStandardDescriptorsOnAndTellsTheIsolation) {
  ChildSpec what = spec("cat; echo \"$RAD_ISOLATION\"; ls /proc/self/fd | wc -l; echo $$");
  const auto output = run_tool(what, "through\n");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "through\npid,ipc,mount namespaces\n4\n2\n");
}

TEST_P(LaunchTest, LeavesNothingWhenTheLauncherIsKilled) {
  ChildProcess launcher = start_ready(spec(kMess));
  ASSERT_EQ(children_of(launcher.pid()).size(), 1U);
  const UniqueFd init = open_pidfd(children_of(launcher.pid())[0]);
  EXPECT_GE(marked(mark_).size(), 6U);
  launcher.kill();
  EXPECT_EQ(launcher.wait().signal, SIGKILL);
  EXPECT_TRUE(ends(init));
  EXPECT_THAT(marked(mark_), testing::IsEmpty());
  EXPECT_TRUE(out_is_at_end());
}

TEST_P(LaunchTest, LeavesNothingWhenInitIsKilled) {
  ChildProcess launcher = start_ready(spec(kMess));
  ::kill(children_of(launcher.pid()).at(0), SIGKILL);
  EXPECT_EQ(launcher.wait().signal, SIGKILL);
  EXPECT_THAT(marked(mark_), testing::IsEmpty());
  EXPECT_TRUE(out_is_at_end());
}

TEST_P(LaunchTest, LeavesNothingWhenThePluginIsKilled) {
  ChildProcess launcher = start_ready(spec(kMess));
  ::kill(children_of(children_of(launcher.pid()).at(0)).at(0), SIGKILL);
  EXPECT_EQ(launcher.wait().signal, SIGKILL);
  EXPECT_THAT(marked(mark_), testing::IsEmpty());
  EXPECT_TRUE(out_is_at_end());
}

TEST_P(LaunchTest, LeavesNothingWhenThePluginEndsInPeace) {
  const auto output = run_tool(spec("setsid sleep 1000 & ipcmk -M 4321 >/dev/null; exit 5"));
  EXPECT_EQ(output->status.code, 5);
  EXPECT_THAT(marked(mark_), testing::IsEmpty());
}

TEST_P(LaunchTest, LeavesNoSharedMemoryOnTheHost) {
  const std::string before = file_text("/proc/sysvipc/shm");
  ChildProcess launcher = start_ready(spec(
      "ipcmk -M 4321 >/dev/null && echo x > /dev/shm/$RAD_TEST_MARK && echo ready; sleep 1000"));
  EXPECT_EQ(file_text("/proc/sysvipc/shm").find(" 4321 "), std::string::npos);
  EXPECT_FALSE(fs::exists("/dev/shm/" + mark_));
  launcher.kill();
  launcher.wait();
}

TEST_P(LaunchTest, LeavesNothingWhenItsParentIsKilled) {
  ChildSpec parent = spec(kMess);
  std::string command = "exec 3>&-; " + parent.program.string();
  for (const std::string& arg : parent.args) {
    command += " '";
    for (const char c : arg) command += c == '\'' ? std::string("'\\''") : std::string(1, c);
    command += "'";
  }
  parent.program = "/bin/sh";
  parent.args = {"-c", command + "; true"};
  ChildProcess agent = start_ready(parent);
  const pid_t launcher_pid = children_of(agent.pid()).at(0);
  const UniqueFd launcher = open_pidfd(launcher_pid);
  const UniqueFd init = open_pidfd(children_of(launcher_pid).at(0));
  agent.kill();
  agent.wait();
  EXPECT_TRUE(ends(launcher));
  EXPECT_TRUE(ends(init));
  EXPECT_THAT(marked(mark_), testing::IsEmpty());
}

TEST_P(LaunchTest, RefusesToStartForAParentThatIsGone) {
  ChildSpec what = spec("echo must not run", {"--parent", "1"});
  const auto output = run_tool(what);
  EXPECT_EQ(output->status.code, 125);
  EXPECT_EQ(output->out, "");
  const auto mine = run_tool(spec("echo ran", {"--parent", std::to_string(::getpid())}));
  EXPECT_EQ(mine->out, "ran\n");
}

TEST_P(LaunchTest, HandsSigtermToThePlugin) {
  ChildProcess launcher = start_ready(
      spec("trap 'echo stopped; exit 9' TERM; echo ready; while :; do sleep 0.01; done"));
  launcher.terminate();
  EXPECT_EQ(launcher.wait().code, 9);
  std::array<char, 8> said{};
  EXPECT_EQ(::read(out_.get(), said.data(), said.size()), 8);
}

TEST_P(LaunchTest, KillsOrphansWithoutNamespacesToo) {
  const auto output =
      run_tool(spec("echo \"$RAD_ISOLATION\"; setsid sh -c 'sleep 1000 & sleep 1000' & exit 6",
                    {"--no-isolation"}));
  EXPECT_EQ(output->status.code, 6);
  EXPECT_EQ(output->out, "process group only (isolation is switched off)\n");
  EXPECT_THAT(marked(mark_), testing::IsEmpty());
}

TEST_P(LaunchTest, TakesThePluginAlongWithoutNamespacesToo) {
  ChildProcess launcher = start_ready(spec("echo ready; exec sleep 1000", {"--no-isolation"}));
  const UniqueFd plugin = open_pidfd(children_of(launcher.pid()).at(0));
  launcher.kill();
  EXPECT_TRUE(ends(plugin));
}

INSTANTIATE_TEST_SUITE_P(Users, LaunchTest, testing::Values(User::caller, User::nobody),
                         [](const auto& row) {
                           return row.param == User::caller ? "Caller" : "Nobody";
                         });

TEST(Launch, GoesOnWithoutNamespacesAndSaysWhy) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to take away CAP_SYS_ADMIN";
  ChildSpec spec;
  spec.program = "setpriv";
  spec.args = {"--bounding-set=-sys_admin",
               "--inh-caps=-sys_admin",
               std::string(RAD_BINARY_DIR) + "/libexec/rad-launch",
               "sh",
               "-c",
               "echo \"$RAD_ISOLATION\"; exit 4"};
  const auto output = run_tool(spec);
  EXPECT_EQ(output->status.code, 4);
  EXPECT_EQ(output->out, "process group only (unshare: Operation not permitted)\n");
}

TEST(FindAccount, KnowsNobodyAndNamesStrangers) {
  EXPECT_EQ(find_account("nobody")->uid, kNobody);
  const auto stranger = find_account("no-such-user");
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().reason, Reason::config_invalid);
  EXPECT_THAT(stranger.error().hint, HasSubstr("useradd --system"));
}

TEST(GiveUpRoot, IsForGood) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(in_child([] {
              ::prctl(PR_SET_PDEATHSIG, SIGKILL);
              const Account nobody{kNobody, kNobody, "nobody"};
              if (!give_up_root(nobody)) return 1;
              int death_signal = 0;
              ::prctl(PR_GET_PDEATHSIG, &death_signal);
              if (death_signal != SIGKILL) return 2;
              if (::geteuid() != kNobody || ::getegid() != kNobody || ::getgroups(0, nullptr) > 1) {
                return 3;
              }
              if (::setuid(0) == 0 || ::seteuid(0) == 0 || ::setgroups(0, nullptr) == 0) return 4;
              if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 5;
              return give_up_root(nobody) ? 0 : 6;
            }),
            0);
}

TEST(GiveUpRoot, RefusesAnAccountThatIsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(give_up_root(Account{0, 0, "root"}).error().reason, Reason::config_invalid);
  EXPECT_EQ(::geteuid(), 0U);
}

/// Whether the only device is `lo`, and works.
int has_loopback_alone() {
  const std::string devices = file_text("/proc/thread-self/net/dev");
  if (std::count(devices.begin(), devices.end(), '\n') != 3) return 10;
  if (devices.find(" lo:") == std::string::npos) return 11;
  const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (::bind(server.get(), raw, size) != 0 || ::listen(server.get(), 1) != 0) return 12;
  if (::getsockname(server.get(), raw, &size) != 0) return 13;
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(client.get(), raw, size) == 0 ? 0 : 14;
}

TEST(NetworkNamespace, HasNothingButLoopback) {
  EXPECT_EQ(in_child([] { return enter_network_namespace() ? has_loopback_alone() : 1; }), 0);
}

TEST(NetworkNamespace, CanBeEnteredAfterRootWasGivenUp) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "a user namespace is only for who has no threads, and ThreadSanitizer has one";
#endif
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(in_child([] {
              if (!give_up_root(Account{kNobody, kNobody, "nobody"})) return 1;
              return enter_network_namespace() ? has_loopback_alone() : 2;
            }),
            0);
}

}  // namespace
}  // namespace rad

#include "agent/base/child_process.h"

#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace rad {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

ChildSpec shell(const std::string& script) {
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.args = {"-c", script};
  return spec;
}

std::string output_of(const ChildSpec& spec, std::string_view input = {}) {
  const auto output = run_tool(spec, input);
  return output ? output->out : "error: " + output.error().message;
}

TEST(ExitStatusText, SaysCodeOrSignal) {
  EXPECT_EQ((ExitStatus{.code = 2, .signal = 0}).text(), "exit code 2");
  EXPECT_EQ((ExitStatus{.code = 0, .signal = SIGKILL}).text(), "signal 9 (Killed)");
}

TEST(ChildProcess, TellsExitCodeAndSignalAsOftenAsAsked) {
  auto child = ChildProcess::start(shell("exit 7"));
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait().code, 7);
  EXPECT_EQ(child->wait().code, 7);
  EXPECT_EQ(child->wait_for(milliseconds(0))->code, 7);
  child->kill();  // harmless after the end
  auto killed = ChildProcess::start(shell("kill -SEGV $$"));
  EXPECT_EQ(killed->wait().signal, SIGSEGV);
  EXPECT_FALSE(killed->wait().ok());
}

TEST(ChildProcess, NamesAProgramThatIsNotThere) {
  ChildSpec spec;
  spec.program = "no-such-program-anywhere";
  EXPECT_EQ(ChildProcess::start(spec).error().reason, Reason::tool_missing);
  EXPECT_THAT(ChildProcess::start(spec).error().message, HasSubstr("'no-such-program-anywhere'"));
  spec.program = "/no/such/program";
  EXPECT_EQ(ChildProcess::start(spec).error().reason, Reason::tool_missing);
  const test::TempDir dir;
  spec.program = dir.write("not_executable", "x");
  EXPECT_EQ(ChildProcess::start(spec).error().reason, Reason::host_unfit);
}

TEST(ChildProcess, WaitsNoLongerThanTold) {
  auto child = ChildProcess::start(shell("read line; exit 1"));
  Pipe held = *make_pipe();
  ChildSpec spec = shell("read line; exit 4");
  spec.stdin_fd = held.read_end.get();
  auto waiting = ChildProcess::start(spec);
  EXPECT_EQ(waiting->wait_for(milliseconds(20)), std::nullopt);
  held.read_end.reset();
  held.write_end.reset();
  EXPECT_EQ(waiting->wait_for(seconds(20))->code, 4);
}

TEST(ChildProcess, EndsFromAnotherThreadWhileOneWaits) {
  auto child = ChildProcess::start(shell("while :; do read line < /dev/zero; done"));
  ASSERT_TRUE(child);
  std::thread other([&] { child->kill(); });
  EXPECT_EQ(child->wait().signal, SIGKILL);
  other.join();
}

TEST(ChildProcess, DestructorLeavesNoProcess) {
  pid_t pid = 0;
  {
    auto child = ChildProcess::start(shell("exec sleep 1000"));
    pid = child->pid();
    ChildProcess moved = *std::move(child);
    EXPECT_EQ(moved.pid(), pid);
    moved = *ChildProcess::start(shell("exit 0"));
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcess, GetsThreeDescriptorsAndNoMore) {
  const int leaked = ::open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC on purpose
  ASSERT_GE(leaked, 3);
  // ls itself opens the directory, as the fourth.
  EXPECT_EQ(output_of(shell("ls /proc/self/fd | tr '\\n' ' '")), "0 1 2 3 ");
  ::close(leaked);
}

TEST(ChildProcess, CanSwapItsStandardDescriptors) {
  Pipe out = *make_pipe();
  Pipe err = *make_pipe();
  // Both at the lowest numbers free, crossed over.
  ChildSpec spec = shell("echo out; echo err >&2");
  spec.stdout_fd = out.write_end.get();
  spec.stderr_fd = err.write_end.get();
  EXPECT_EQ(ChildProcess::start(spec)->wait().code, 0);
  std::array<char, 16> text{};
  EXPECT_EQ(::read(out.read_end.get(), text.data(), text.size()), 4);
  EXPECT_EQ(std::string_view(text.data(), 4), "out\n");
  EXPECT_EQ(::read(err.read_end.get(), text.data(), text.size()), 4);
  EXPECT_EQ(std::string_view(text.data(), 4), "err\n");
}

TEST(ChildProcess, StartsWithCleanSignals) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  const std::string text =
      output_of(shell("grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -s '\\t\\n' ' '"));
  ::signal(SIGPIPE, handler);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  // 32 and 33 belong to glibc, whose posix_spawn leaves them ignored.
  EXPECT_EQ(text, "SigBlk: 0000000000000000 SigIgn: 0000000180000000 ");
}

TEST(ChildProcess, TakesEnvironmentAndDirectory) {
  ChildSpec spec = shell("echo \"$A|$HOME|$PWD\"");
  spec.environment.emplace()["A"] = "x y";
  spec.directory = "/usr";
  EXPECT_EQ(output_of(spec), "x y||/usr\n");
  spec.directory = "/no/such/directory";
  EXPECT_EQ(ChildProcess::start(spec).error().reason, Reason::host_unfit);
}

TEST(RunTool, FeedsAndDrainsMoreThanAPipeHolds) {
  const std::string input(5'000'000, 'x');
  const auto output = run_tool(shell("tee /dev/stderr"), input);
  ASSERT_TRUE(output);
  EXPECT_TRUE(output->status.ok());
  EXPECT_EQ(output->out.size(), input.size());
  EXPECT_EQ(output->err.size(), input.size());
  EXPECT_FALSE(output->cut);
}

TEST(RunTool, CutsWhatIsTooMuchAndStillEnds) {
  const auto output = run_tool(shell("head -c 3000000 /dev/zero"), {}, seconds(60), 1000);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->out.size(), 1000U);
  EXPECT_TRUE(output->cut);
  EXPECT_TRUE(output->status.ok());
}

TEST(RunTool, OutlivesAToolThatDoesNotReadItsInput) {
  const auto output = run_tool(shell("exec true"), std::string(5'000'000, 'x'));
  ASSERT_TRUE(output);
  EXPECT_TRUE(output->status.ok());
}

TEST(RunTool, DoesNotWaitForWhoInheritedTheOutput) {
  Pipe held = *make_pipe();
  ChildSpec spec = shell("echo said; (read line) <&0 & exit 3");
  spec.stdin_fd = held.read_end.get();
  const auto output = run_tool(spec, {}, seconds(60));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->status.code, 3);
  EXPECT_EQ(output->out, "said\n");
}

TEST(RunTool, KillsWhatTakesTooLong) {
  const auto output = run_tool(shell("echo sofar >&2; exec sleep 1000"), {}, milliseconds(100));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().reason, Reason::timeout);
  EXPECT_TRUE(output.error().retryable);
}

TEST(FindProgram, SearchesThePath) {
  EXPECT_TRUE(find_program("sh")->is_absolute());
  EXPECT_EQ(*find_program("/bin/sh"), "/bin/sh");
  EXPECT_EQ(find_program("").error().reason, Reason::tool_missing);
  EXPECT_EQ(find_program("/etc").error().reason, Reason::tool_missing);
}

TEST(MakePipe, ClosesBothEndsOnExec) {
  const Pipe pipe = *make_pipe(1U << 20U);
  EXPECT_EQ(::fcntl(pipe.read_end.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(pipe.write_end.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(pipe.read_end.get(), F_GETPIPE_SZ), 1 << 20);
}

}  // namespace
}  // namespace rad

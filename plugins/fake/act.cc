#include "plugins/fake/act.h"

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/model/json.h"
#include "plugins/protocol/codec.h"
#include "plugins/sdk/options.h"

namespace rad::fake {
namespace {

namespace bj = boost::json;
using namespace std::chrono_literals;

/// \return false once nobody reads any more.
bool write_raw(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// A valid `log` line of exactly `bytes`, newline included.
std::string line_of(std::uint64_t bytes) {
  std::string line = R"({"jsonrpc":"2.0","method":"log","params":{"level":"debug","message":"xx"}})"
                     "\n";
  if (bytes > line.size()) line.insert(line.size() - 5, bytes - line.size(), 'x');
  return line;
}

void flood(int fd, std::string_view kind) {
  std::string block;
  if (kind == "line") {
    block.assign(65536, 'x');
  } else {
    const std::string line = kind == "notifications" ? line_of(1024) : "no protocol here\n";
    while (block.size() < 65536) block += line;
  }
  while (write_raw(fd, block)) {
  }
}

/// A process that has left session, group and parent, as servers do.
void start_daemon() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    ::close_range(0, ~0U, 0);
    ::signal(SIGTERM, SIG_IGN);
    while (true) ::pause();
  }
  while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

[[noreturn]] void hang() {
  while (true) ::pause();
}

void crash(std::string_view how, int exit_code) {
  if (how == "abort") std::abort();
  if (how == "segv") ::raise(SIGSEGV);
  if (how == "kill") ::raise(SIGKILL);
  if (how == "exit") ::_exit(exit_code);
}

Status make_file(const bj::object& file, Stage& stage) {
  RAD_TRY(const std::string name, json::get_string(file, "path"));
  RAD_TRY(const std::uint64_t bytes, json::get_uint(file, "bytes", 0));
  RAD_TRY(const std::string where, json::get_string(file, "where", "scratch"));
  RAD_TRY(const bool keep, json::get_bool(file, "keep", false));
  const std::filesystem::path path = (where == "runtime" ? stage.runtime : stage.scratch) / name;
  std::error_code ec;
  std::filesystem::create_directories(path.parent_path(), ec);
  if (!keep) stage.made.push_back(path);
  return write_file_atomic(path, std::string(bytes, 'f'));
}

Status report_progress(const bj::object& progress, sdk::Context& context) {
  RAD_TRY(const std::uint64_t steps, json::get_uint(progress, "steps", 10));
  RAD_TRY(const std::uint64_t total, json::get_uint(progress, "bytes_total", 1'000'000));
  const auto time = sdk::duration_option(progress, "time").value_or(0ms);
  for (std::uint64_t step = 0; step <= steps; ++step) {
    context.progress(steps == 0 ? total : total / steps * step, total, "working as told");
    if (steps > 0) RAD_CHECK(wait(time / static_cast<std::int64_t>(steps), context));
  }
  return {};
}

Status say(const bj::object& act, const Stage& stage, sdk::Context& context) {
  RAD_TRY(const std::string log, json::get_string(act, "log", ""));
  if (!log.empty()) context.log("info", log);
  RAD_TRY(const std::string errors, json::get_string(act, "stderr", ""));
  write_raw(STDERR_FILENO, errors);
  RAD_TRY(const std::string output, json::get_string(act, "stdout", ""));
  write_raw(stage.raw_stdout, output);
  RAD_TRY(const std::uint64_t line_bytes, json::get_uint(act, "line_bytes", 0));
  if (line_bytes > 0) write_raw(stage.raw_stdout, line_of(line_bytes));
  return {};
}

Status scripted_error(const bj::object& fields) {
  bj::object whole = to_json(fail(Reason::internal_error, "the script says so"));
  for (const auto& [key, value] : fields) whole[key] = value;
  const auto error = error_from_json(whole);
  if (!error) return fail(Reason::config_invalid, "an 'error' of the script has a wrong field");
  return *error;
}

}  // namespace

Status wait(std::chrono::milliseconds time, sdk::Context& context) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  const std::stop_token token = context.stop_token();
  never.wait_for(lock, token, time, [] { return false; });
  if (token.stop_requested()) return fail(Reason::cancelled, "stopped while it waited");
  return {};
}

Status perform(const bj::object& act, Stage& stage, sdk::Context& context) {
  RAD_CHECK(say(act, stage, context));
  RAD_TRY(const bj::array files, json::get_array(act, "files"));
  for (const bj::value& file : files) {
    if (!file.is_object()) return fail(Reason::config_invalid, "'files' is no list of objects");
    RAD_CHECK(make_file(file.get_object(), stage));
  }
  RAD_TRY(const bool daemon, json::get_bool(act, "daemon", false));
  if (daemon) start_daemon();
  RAD_TRY(const bj::object progress, json::get_object(act, "progress"));
  if (!progress.empty()) RAD_CHECK(report_progress(progress, context));
  if (act.contains("delay")) {
    RAD_CHECK(wait(sdk::duration_option(act, "delay").value_or(0ms), context));
  }
  RAD_TRY(const bool hanging, json::get_bool(act, "hang", false));
  if (hanging) hang();
  RAD_TRY(const std::string kind, json::get_string(act, "flood", ""));
  if (!kind.empty()) flood(stage.raw_stdout, kind);
  RAD_TRY(const std::string how, json::get_string(act, "crash", ""));
  RAD_TRY(const std::int64_t exit_code, json::get_int(act, "exit_code", 3));
  crash(how, static_cast<int>(exit_code));
  RAD_TRY(const bj::object error, json::get_object(act, "error"));
  if (!error.empty()) return scripted_error(error);
  return {};
}

}  // namespace rad::fake

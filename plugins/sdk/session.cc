#include "plugins/sdk/session.h"

#include <algorithm>
#include <array>
#include <new>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/model/json.h"
#include "plugins/sdk/check_answer.h"
#include "plugins/sdk/options.h"

namespace rad::sdk {
namespace {

namespace bj = boost::json;
using namespace std::chrono_literals;

constexpr auto kProgressInterval = 100ms;

struct Method {
  std::string_view name;
  std::optional<Role> role;  ///< offered by plugins of this role alone
  bool cancellable;
};
constexpr std::array kMethods{
    Method{"initialize", std::nullopt, true}, Method{"explain", std::nullopt, true},
    Method{"preflight", std::nullopt, true},  Method{"inspect", Role::restore, true},
    Method{"verify", Role::restore, true},    Method{"restore", Role::restore, true},
    Method{"start", Role::instance, true},    Method{"backups", Role::restore, true},
    Method{"hold", Role::instance, true},     Method{"check", Role::check, true},
    Method{"diagnose", std::nullopt, true},   Method{"cleanup", std::nullopt, false},
    Method{"gc", std::nullopt, false},        Method{"shutdown", std::nullopt, false},
};

const Method* find_method(std::string_view name) {
  const auto found = std::ranges::find(kMethods, name, &Method::name);
  return found == kMethods.end() ? nullptr : &*found;
}

template <class T>
Result<bj::object> as_json(Result<T> result) {
  if (!result) return std::move(result).error();
  return protocol::to_json(*result);
}

/// An `initialize` without a run, which is answered even after the end of input: it costs nothing,
/// and lets a person ask a plugin from a shell.
bool only_describes(const protocol::Request& request) {
  if (request.method != "initialize") return false;
  const bj::value* run = request.params.if_contains("run_id");
  return run == nullptr || run->is_null() || (run->is_string() && run->get_string().empty());
}

Error cancelled_error() {
  return fail(Reason::cancelled, "the request was cancelled");
}

}  // namespace

Session::Session(Plugin& plugin, int in_fd, Output& output, const StopSignal& signal, int quit)
    : plugin_(plugin),
      in_fd_(in_fd),
      output_(output),
      signal_(signal),
      quit_(quit),
      info_(plugin.describe()) {}

std::stop_token Session::stop_token() const {
  const std::lock_guard lock(mutex_);
  return stop_.get_token();
}

void Session::progress(std::uint64_t bytes_done, std::uint64_t bytes_total, std::string_view note) {
  const std::lock_guard lock(progress_mutex_);
  if (!progress_open_) return;
  protocol::Progress progress{
      .bytes_done = bytes_done, .bytes_total = bytes_total, .note = std::string(note)};
  const SteadyPoint now = clock_.steady_now();
  if (now - progress_sent_ < kProgressInterval) {
    progress_waiting_ = std::move(progress);
    return;
  }
  progress_sent_ = now;
  progress_waiting_.reset();
  output_.write(encode(protocol::Notification{"progress", protocol::to_json(progress)}));
}

void Session::log(std::string_view level, std::string_view message) {
  const protocol::LogLine line{.level = std::string(level), .message = std::string(message)};
  output_.write(encode(protocol::Notification{"log", protocol::to_json(line)}));
}

int Session::run() {
  const std::jthread reader([this] { read_all(); });
  const int status = answer_all();
  output_.hurry();
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(quit_, &one, sizeof one);
  return status;
}

int Session::answer_all() {
  while (auto item = next()) {
    const protocol::Response response = answer(*item);
    finish_current();
    send(response, item->request.method);
    if (item->request.method == "shutdown" && response.result) return 0;
  }
  return stop_and_clean_up();
}

std::optional<Session::Queued> Session::next() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return !queue_.empty() || stopping_; });
  if (queue_.empty()) return std::nullopt;
  Queued item = std::move(queue_.front());
  queue_.pop_front();
  const Method* method = find_method(item.request.method);
  stop_ = std::stop_source();
  current_ = item.request.id;
  cancellable_ = method != nullptr && method->cancellable;
  item.cancelled = (item.cancelled || stopping_) && cancellable_ && !only_describes(item.request);
  lock.unlock();
  const std::lock_guard progress_lock(progress_mutex_);
  progress_open_ = true;
  progress_sent_ = SteadyPoint();
  return item;
}

void Session::finish_current() {
  {
    const std::lock_guard lock(progress_mutex_);
    if (progress_waiting_) {
      output_.write(
          encode(protocol::Notification{"progress", protocol::to_json(*progress_waiting_)}));
      progress_waiting_.reset();
    }
    progress_open_ = false;
  }
  const std::lock_guard lock(mutex_);
  current_ = 0;
}

protocol::Response Session::answer(const Queued& item) {
  protocol::Response response;
  response.id = item.request.id;
  error_code_ = protocol::kFailed;
  auto result = item.cancelled ? Result<bj::object>(cancelled_error()) : call(item.request);
  if (result) {
    response.result = *std::move(result);
    return response;
  }
  response.error = std::move(result).error();
  response.error_code = error_code_;
  // Whatever breaks because it was stopped is an echo of the stop, never a fault of the backup.
  if (stopping() && response.error->reason != Reason::cancelled) {
    Error error = cancelled_error();
    error.detail = response.error->message;
    response.error = std::move(error);
  }
  return response;
}

Result<bj::object> Session::call(const protocol::Request& request) {
  try {
    return dispatch(request);
  } catch (const std::bad_alloc&) {
    return fail(Reason::out_of_memory, fmt::format("out of memory in '{}'", request.method));
  } catch (const ErrorException& exception) {
    return exception.error();
  } catch (const std::exception& exception) {
    return fail(Reason::internal_error, fmt::format("plugin '{}' failed in '{}': {}", info_.name,
                                                    request.method, exception.what()));
  } catch (...) {
    return fail(Reason::internal_error, fmt::format("plugin '{}' failed in '{}' with an unknown "
                                                    "exception",
                                                    info_.name, request.method));
  }
}

Result<bj::object> Session::dispatch(const protocol::Request& request) {
  const std::string_view name = request.method;
  const Method* method = find_method(name);
  if (method == nullptr ||
      (method->role && std::ranges::find(info_.roles, *method->role) == info_.roles.end())) {
    error_code_ = protocol::kMethodNotFound;
    return fail(Reason::plugin_protocol,
                fmt::format("plugin '{}' does not offer the method '{}'", info_.name, name),
                "see PROTOCOL.md for the methods of each role");
  }
  if (name == "shutdown") return bj::object();
  if (name == "initialize") return initialize(request.params);
  if (name == "explain") return explain(request.params);
  if (name == "cleanup" && !params_) return protocol::to_json(protocol::CleanupResult());
  if (name == "cleanup") return cleanup();
  if (!ready_) {
    error_code_ = protocol::kInvalidRequest;
    return fail(Reason::plugin_protocol,
                fmt::format("'{}' came before a successful 'initialize' with a run", name));
  }
  if (name == "preflight") return as_json(plugin_.preflight(*this));
  if (name == "inspect") return as_json(plugin_.inspect(*this));
  if (name == "verify") return as_json(plugin_.verify(*this));
  if (name == "restore") return as_json(plugin_.restore(*this));
  if (name == "backups") return as_json(plugin_.backups(*this));
  if (name == "check") return check(request.params);
  error_code_ = protocol::kInvalidParams;
  if (name == "start" || name == "hold") {
    const bj::value* artifact = request.params.if_contains("artifact");
    if (artifact == nullptr || !artifact->is_object()) {
      return fail(Reason::plugin_protocol, "field 'artifact' is not an object");
    }
    RAD_TRY(const Artifact given, artifact_from_json(artifact->get_object()));
    error_code_ = protocol::kFailed;
    return as_json(name == "start" ? plugin_.start(given, *this) : plugin_.hold(given, *this));
  }
  if (name == "diagnose") {
    RAD_TRY(const auto params, protocol::from_json<protocol::DiagnoseParams>(request.params));
    error_code_ = protocol::kFailed;
    return as_json(plugin_.diagnose(params, *this));
  }
  RAD_TRY(const auto params, protocol::from_json<protocol::GcParams>(request.params));
  error_code_ = protocol::kFailed;
  return as_json(plugin_.gc(params, *this));
}

Result<bj::object> Session::initialize(const bj::object& object) {
  error_code_ = protocol::kInvalidParams;
  RAD_TRY(auto params, protocol::from_json<protocol::InitializeParams>(object));
  error_code_ = protocol::kFailed;
  if (std::ranges::find(params.versions, protocol::kVersion) == params.versions.end()) {
    return fail(Reason::version_unsupported,
                fmt::format("the agent speaks protocol version {}, plugin '{}' speaks {}",
                            fmt::join(params.versions, ", "), info_.name, protocol::kVersion),
                "install agent and plugin of the same release");
  }
  if (params.run_id.empty()) return protocol::to_json(info_);
  if (params_) {
    error_code_ = protocol::kInvalidRequest;
    return fail(Reason::plugin_protocol, "a second 'initialize' with a run");
  }
  for (const auto& [key, path] : {std::pair("scratch_dir", &params.scratch_dir),
                                  std::pair("runtime_dir", &params.runtime_dir)}) {
    if (!path->starts_with('/')) {
      error_code_ = protocol::kInvalidParams;
      return fail(Reason::plugin_protocol, fmt::format("field '{}' is not an absolute path", key));
    }
  }
  RAD_CHECK(check_all_options(params, info_));
  params_ = std::move(params);
  RAD_CHECK(plugin_.initialize(*params_, *this));
  ready_ = true;
  return protocol::to_json(info_);
}

Result<bj::object> Session::explain(const bj::object& object) {
  const bj::value* options = object.if_contains("options");
  if (options == nullptr || !options->is_object()) {
    error_code_ = protocol::kInvalidParams;
    return fail(Reason::plugin_protocol, "field 'options' is not an object");
  }
  RAD_CHECK(
      check_options(options->get_object(), info_.options, fmt::format("plugin '{}'", info_.name)));
  RAD_TRY(const auto lines, plugin_.explain(options->get_object()));
  return bj::object{{"lines", bj::array(lines.begin(), lines.end())}};
}

Result<bj::object> Session::check(const bj::object& object) {
  error_code_ = protocol::kInvalidParams;
  RAD_TRY(auto params, protocol::from_json<protocol::CheckParams>(object));
  error_code_ = protocol::kFailed;
  protocol::InitializeParams again = *params_;
  again.checks = params.checks;
  RAD_CHECK(check_all_options(again, info_));

  const std::vector<protocol::CheckSpec> asked = std::move(params.checks);
  protocol::CheckResult result;
  params.checks = applicable(asked, info_, params_->depth, result.outcomes);
  if (!params.checks.empty()) {
    RAD_TRY(auto answered, plugin_.check(params, *this));
    std::ranges::move(answered.outcomes, std::back_inserter(result.outcomes));
    result.outcomes_file = std::move(answered.outcomes_file);
  }
  if (!result.outcomes_file.empty()) return protocol::to_json(result);
  complete(asked, result.outcomes);
  const std::string path = params_->scratch_dir + "/outcomes.json";
  RAD_TRY(const bool spilled, spill(result, path));
  if (spilled) outcomes_file_ = path;
  return protocol::to_json(result);
}

Result<bj::object> Session::cleanup() {
  if (!outcomes_file_.empty()) ::unlink(outcomes_file_.c_str());
  return as_json(plugin_.cleanup(*this));
}

int Session::stop_and_clean_up() {
  bool failed = false;
  if (params_) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = std::stop_source();
    }
    const auto cleaned = call(protocol::Request{0, "cleanup", {}});
    if (!cleaned) {
      failed = true;
      log("error", fmt::format("cleanup failed: {}", cleaned.error().message));
    }
  }
  const std::lock_guard lock(mutex_);
  return broken_ || failed ? 1 : 0;
}

void Session::send(const protocol::Response& response, std::string_view method) {
  const std::string line = encode(response);
  if (line.size() <= protocol::kMaxLineBytes) {
    output_.write(line);
    return;
  }
  protocol::Response refused;
  refused.id = response.id;
  refused.error = fail(Reason::internal_error,
                       fmt::format("the answer of plugin '{}' to '{}' has {} bytes, at most {} go",
                                   info_.name, method, line.size(), protocol::kMaxLineBytes));
  output_.write(encode(refused));
}

}  // namespace rad::sdk

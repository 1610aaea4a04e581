#include "agent/cli/selftest_probes.h"

#include <memory>

#include <boost/json/object.hpp>
#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/cli/radctl/control_client.h"

namespace rad::cli {
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kPatience(10);
constexpr std::string_view kSeries = "rad_scheduler_last_tick_timestamp_seconds";

SelftestStep failure(std::string step, std::string subject, std::string message, std::string hint,
                     Reason reason = Reason::host_unfit) {
  return {.step = std::move(step),
          .subject = std::move(subject),
          .outcome = StepOutcome::failed,
          .message = std::move(message),
          .hint = std::move(hint),
          .reason = reason};
}

SelftestStep absent(std::string step, std::string why) {
  return {.step = std::move(step),
          .outcome = StepOutcome::not_tried,
          .needed = false,
          .message = std::move(why)};
}

SelftestStep probe_reporter(const ReporterConfig& reporter) {
  // What is missing is made by the reporter with its first issue.
  fs::path place = reporter.issue_directory.path;
  std::error_code ec;
  while (!fs::exists(place, ec) && place.has_parent_path() && place != place.parent_path()) {
    place = place.parent_path();
  }
  if (::access(place.c_str(), W_OK | X_OK) != 0) {
    return failure("reporter", reporter.name, fmt::format("'{}' cannot be written", place.string()),
                   "change its owner, or the reporter's path", Reason::access_denied);
  }
  return {.step = "reporter",
          .subject = reporter.name,
          .message = fmt::format("{} can be written", reporter.issue_directory.path.string())};
}

/// \return whether a daemon answered.
bool probe_control(const AgentOptions& options, const std::string& target,
                   const std::function<void(const SelftestStep&)>& tell) {
  std::error_code ec;
  if (!fs::exists(options.control_socket, ec)) {
    tell(absent("control", fmt::format("no daemon runs here: there is no socket '{}'",
                                       options.control_socket.string())));
    return false;
  }
  radctl::ControlClient client(options.control_socket, kPatience);
  const auto known = client.get("/v1/targets/" + radctl::encode(target));
  if (known) {
    tell({.step = "control", .message = "the daemon answers and knows the target"});
    return true;
  }
  const radctl::Refusal& refusal = known.error();
  if (refusal.exit_status == radctl::kNotPermitted) {
    tell(absent("control", refusal.message));
    return false;
  }
  tell(failure("control", "", refusal.message, refusal.hint));
  return refusal.exit_status != radctl::kUnreachable;
}

std::size_t collect(char* data, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size * count > radctl::kLargestAnswer) return 0;
  body.append(data, size * count);
  return size * count;
}

SelftestStep probe_metrics(const ListenAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  const std::string url = fmt::format("http://{}{}{}:{}/metrics", is_v6 ? "[" : "", address.host,
                                      is_v6 ? "]" : "", address.port);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  if (!curl) return failure("metrics", "", "no memory", "");
  std::string body;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, std::chrono::milliseconds(kPatience).count());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &collect);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(curl.get());
  const std::string hint = fmt::format("curl {}; journalctl -u rad-agent", url);
  if (code != CURLE_OK) {
    return failure("metrics", "", fmt::format("{}: {}", url, curl_easy_strerror(code)), hint);
  }
  if (body.find(kSeries) == std::string::npos) {
    return failure("metrics", "", fmt::format("{} answers without {}", url, kSeries), hint);
  }
  return {.step = "metrics", .message = url + " answers"};
}

}  // namespace

void probe_reports(const Config& config, const std::string& target,
                   const std::function<void(const SelftestStep&)>& tell) {
  for (const ReporterConfig& reporter : config.reporters) tell(probe_reporter(reporter));
  if (config.reporters.empty()) tell(absent("reporter", "none is configured"));
  const bool runs = probe_control(config.agent, target, tell);
  const auto& address = config.agent.metrics_listen;
  if (!address) {
    tell(absent("metrics", "agent.metrics.listen is off"));
  } else if (!runs || address->port == 0) {
    tell(absent("metrics", runs ? "the daemon chose its port itself" : "no daemon answers"));
  } else {
    tell(probe_metrics(*address));
  }
}

}  // namespace rad::cli

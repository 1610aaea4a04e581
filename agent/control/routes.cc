#include "agent/control/routes.h"

#include <array>

#include <boost/url/parse_path.hpp>
#include <boost/url/segments_encoded_view.hpp>

namespace rad {
namespace {

namespace urls = boost::urls;

constexpr std::string_view kGet = "GET";
constexpr std::string_view kPost = "POST";
constexpr Access kLook = Access::viewer;
constexpr Access kAct = Access::manager;
constexpr std::size_t kMaxPath = 2000;

constexpr std::array kRoutes{
    Route{kGet, "/v1/status", kLook, "getStatus", "status", get_status},
    Route{kGet, "/v1/targets", kLook, "listTargets", "target.list", list_targets},
    Route{kGet, "/v1/targets/{target}", kLook, "getTarget", "target.show", get_target},
    Route{kGet, "/v1/targets/{target}/backups", kLook, "listBackups", "backup.list", list_backups},
    Route{kGet, "/v1/schedules", kLook, "listSchedules", "schedule.list", list_schedules},
    Route{kPost, "/v1/schedules/pause", kAct, "pauseSchedules", "schedule.pause", pause_schedules},
    Route{kPost, "/v1/schedules/resume", kAct, "resumeSchedules", "schedule.resume",
          resume_schedules},
    Route{kGet, "/v1/runs", kLook, "listRuns", "run.list", list_runs},
    Route{kPost, "/v1/runs", kAct, "startRun", "run.start", start_run},
    Route{kGet, "/v1/runs/{run}", kLook, "getRun", "run.show", get_run},
    Route{kGet, "/v1/runs/{run}/events", kLook, "followRun", "run.follow", follow_run},
    Route{kGet, "/v1/runs/{run}/log", kLook, "getRunLog", "run.log", get_run_log},
    Route{kPost, "/v1/runs/{run}/cancel", kAct, "cancelRun", "run.cancel", cancel_run},
    Route{kGet, "/v1/holds", kLook, "listHolds", "hold.list", list_holds},
    Route{kPost, "/v1/holds/{run}/open", kAct, "openHold", "hold.open", open_hold},
    Route{kPost, "/v1/holds/{run}/release", kAct, "releaseHold", "hold.release", release_hold},
    Route{kGet, "/v1/plugins", kLook, "listPlugins", "plugin.list", list_plugins},
    Route{kPost, "/v1/reload", kAct, "reload", "reload", reload},
    Route{kGet, "/v1/audit", kAct, "listAudit", "audit.list", list_audit},
};

using Segments = std::vector<std::string>;

/// \return nothing for what is not a path.
std::optional<Segments> split(std::string_view path) {
  if (path.size() > kMaxPath || !path.starts_with('/')) return std::nullopt;
  const auto parsed = urls::parse_path({path.data(), path.size()});
  if (!parsed) return std::nullopt;
  Segments segments;
  for (const auto& segment : *parsed) {
    const auto decoded = segment.decode();
    segments.emplace_back(decoded.begin(), decoded.end());
  }
  return segments;
}

/// The values of {…}, or nothing if the path is another one. Pattern and path are split likewise.
std::optional<Segments> match(std::string_view pattern, const Segments& path) {
  Segments names;
  std::size_t at = 0;
  pattern.remove_prefix(1);
  while (true) {
    const auto slash = pattern.find('/');
    const std::string_view word = pattern.substr(0, slash);
    if (at == path.size()) return std::nullopt;
    if (word.starts_with('{')) {
      if (path[at].empty()) return std::nullopt;
      names.push_back(path[at]);
    } else if (word != path[at]) {
      return std::nullopt;
    }
    ++at;
    if (slash == std::string_view::npos) break;
    pattern.remove_prefix(slash + 1);
  }
  if (at != path.size()) return std::nullopt;
  return names;
}

}  // namespace

std::span<const Route> all_routes() noexcept {
  return kRoutes;
}

RouteMatch find_route(std::string_view method, std::string_view path) {
  RouteMatch result;
  const auto segments = split(path);
  if (!segments) return result;
  for (const Route& route : kRoutes) {
    auto names = match(route.path, *segments);
    if (!names) continue;
    if (route.method == (method == "HEAD" ? kGet : method)) {
      result.route = &route;
      result.names = *std::move(names);
      return result;
    }
    if (!result.allowed.empty()) result.allowed += ", ";
    result.allowed += route.method;
  }
  return result;
}

}  // namespace rad

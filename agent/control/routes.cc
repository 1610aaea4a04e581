#include "agent/control/routes.h"

#include <array>

#include "agent/control/paths.h"

namespace rad {
namespace {

constexpr std::string_view kGet = "GET";
constexpr std::string_view kPost = "POST";
constexpr Access kLook = Access::viewer;
constexpr Access kAct = Access::manager;

constexpr std::array kRoutes{
    Route{kGet, "/v1/status", kLook, "getStatus", "status", get_status},
    Route{kGet, "/v1/targets", kLook, "listTargets", "target.list", list_targets},
    Route{kGet, "/v1/targets/{target}", kLook, "getTarget", "target.show", get_target},
    Route{kGet, "/v1/targets/{target}/backups", kLook, "listBackups", "backup.list", list_backups},
    Route{kGet, "/v1/schedules", kLook, "listSchedules", "schedule.list", list_schedules},
    Route{kGet, "/v1/missed", kLook, "listMissed", "missed.list", list_missed},
    Route{kPost, "/v1/schedules/pause", kAct, "pauseSchedules", "schedule.pause", pause_schedules},
    Route{kPost, "/v1/schedules/resume", kAct, "resumeSchedules", "schedule.resume",
          resume_schedules},
    Route{kGet, "/v1/runs", kLook, "listRuns", "run.list", list_runs},
    Route{kPost, "/v1/runs", kAct, "startRun", "run.start", start_run},
    Route{kGet, "/v1/runs/{run}", kLook, "getRun", "run.show", get_run},
    Route{kGet, "/v1/runs/{run}/events", kLook, "followRun", "run.follow", follow_run},
    Route{kGet, "/v1/runs/{run}/log", kLook, "getRunLog", "run.log", get_run_log},
    Route{kPost, "/v1/runs/{run}/cancel", kAct, "cancelRun", "run.cancel", cancel_run},
    Route{kGet, "/v1/restores", kLook, "listRestores", "restore.list", list_restores},
    Route{kGet, "/v1/holds", kLook, "listHolds", "hold.list", list_holds},
    Route{kPost, "/v1/holds/{run}/open", kAct, "openHold", "hold.open", open_hold},
    Route{kPost, "/v1/holds/{run}/release", kAct, "releaseHold", "hold.release", release_hold},
    Route{kGet, "/v1/plugins", kLook, "listPlugins", "plugin.list", list_plugins},
    Route{kPost, "/v1/reload", kAct, "reload", "reload", reload},
    Route{kGet, "/v1/audit", kAct, "listAudit", "audit.list", list_audit},
};

}  // namespace

std::span<const Route> all_routes() noexcept {
  return kRoutes;
}

RouteMatch find_route(std::string_view method, std::string_view path) {
  RouteMatch result;
  const auto segments = split_path(path);
  if (!segments) return result;
  for (const Route& route : kRoutes) {
    auto names = match_path(route.path, *segments);
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

// The operations of the control API: one row for each in openapi.yaml.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/control/api.h"
#include "agent/model/caller.h"

namespace rad {

struct Route {
  std::string_view method;
  std::string_view path;  ///< "/v1/runs/{run}/log"
  Access needed = Access::viewer;
  std::string_view operation;  ///< operationId
  std::string_view action;     ///< word of the audit: for what acts, and for what is refused
  ApiHandler handler;
};

std::span<const Route> all_routes() noexcept;

struct RouteMatch {
  const Route* route = nullptr;    ///< null: see allowed
  std::vector<std::string> names;  ///< what stands for {…}, decoded
  std::string allowed;             ///< methods of this path, "GET, POST"; "": no such path
};

/// HEAD is taken as GET.
RouteMatch find_route(std::string_view method, std::string_view path);

}  // namespace rad

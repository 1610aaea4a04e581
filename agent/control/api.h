// What the operations of the control API have in common. Their table is in routes.h; each file
// *_api.cc has those of one subject.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/control/fields.h"
#include "agent/control/http_server.h"
#include "agent/model/caller.h"
#include "agent/run/daemon.h"

namespace rad {

/// What the operations remember between calls.
struct ApiState {
  int listing_backups = 0;  ///< plugins that are being asked now
};

/// One call of one operation by somebody who may make it.
struct ApiCall {
  Daemon& daemon;
  const Clock& clock;
  ApiState& state;
  boost::asio::any_io_executor executor;
  Caller caller;
  const HttpRequest& request;
  std::vector<std::string> names;  ///< of the path: the target or the run
};

/// An error becomes the answer that error_answer() makes of it.
using ApiResult = Result<HttpResponse>;
using ApiHandler = boost::asio::awaitable<ApiResult> (*)(ApiCall&);

HttpResponse json_answer(const boost::json::object& body, unsigned status = 200);
/// {"error": {"reason", "message", "hint"}}; the status follows from the reason.
HttpResponse error_answer(const Error& error);
HttpResponse error_answer(unsigned status, const Error& error);
/// With "detail" besides, for what the agent itself has written there: many lines.
HttpResponse error_answer_with_detail(const Error& error);
/// 404.
HttpResponse not_found(std::string message, std::string hint = {});

boost::asio::awaitable<ApiResult> get_status(ApiCall& call);
boost::asio::awaitable<ApiResult> list_targets(ApiCall& call);
boost::asio::awaitable<ApiResult> get_target(ApiCall& call);
boost::asio::awaitable<ApiResult> list_backups(ApiCall& call);
boost::asio::awaitable<ApiResult> list_schedules(ApiCall& call);
boost::asio::awaitable<ApiResult> list_missed(ApiCall& call);
boost::asio::awaitable<ApiResult> pause_schedules(ApiCall& call);
boost::asio::awaitable<ApiResult> resume_schedules(ApiCall& call);
boost::asio::awaitable<ApiResult> list_runs(ApiCall& call);
boost::asio::awaitable<ApiResult> start_run(ApiCall& call);
boost::asio::awaitable<ApiResult> get_run(ApiCall& call);
boost::asio::awaitable<ApiResult> follow_run(ApiCall& call);
boost::asio::awaitable<ApiResult> get_run_log(ApiCall& call);
boost::asio::awaitable<ApiResult> cancel_run(ApiCall& call);
boost::asio::awaitable<ApiResult> list_restores(ApiCall& call);
boost::asio::awaitable<ApiResult> list_holds(ApiCall& call);
boost::asio::awaitable<ApiResult> open_hold(ApiCall& call);
boost::asio::awaitable<ApiResult> release_hold(ApiCall& call);
boost::asio::awaitable<ApiResult> list_plugins(ApiCall& call);
boost::asio::awaitable<ApiResult> reload(ApiCall& call);
boost::asio::awaitable<ApiResult> list_audit(ApiCall& call);

}  // namespace rad

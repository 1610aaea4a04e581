// The values of agent/model as JSON: one spelling for the plugin protocol, the store, --json and
// the control API. Every field is always present, null for none; unknown fields are ignored; sizes
// are bytes, instants RFC 3339 UTC, durations seconds as numbers with fractions.
#pragma once

#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "agent/model/artifact.h"
#include "agent/model/outcome.h"
#include "agent/model/run_report.h"

namespace rad {

boost::json::object to_json(const Error& error);
boost::json::object to_json(const CheckOutcome& outcome);
boost::json::object to_json(const Finding& finding);
boost::json::object to_json(const BackupRef& backup);
boost::json::object to_json(const RecoveryPoint& point);
boost::json::object to_json(const Artifact& artifact);
boost::json::object to_json(const Endpoint& endpoint);
boost::json::object to_json(const StageRecord& stage);
boost::json::object to_json(const RunReport& report);

/// The readers take hostile text: every field is checked, texts are cut and made printable. They
/// answer Reason::plugin_protocol, naming the field.
Result<Error> error_from_json(const boost::json::object& object);
Result<CheckOutcome> check_outcome_from_json(const boost::json::object& object);
Result<Finding> finding_from_json(const boost::json::object& object);
Result<BackupRef> backup_ref_from_json(const boost::json::object& object);
Result<RecoveryPoint> recovery_point_from_json(const boost::json::object& object);
Result<Artifact> artifact_from_json(const boost::json::object& object);
Result<Endpoint> endpoint_from_json(const boost::json::object& object);
Result<StageRecord> stage_record_from_json(const boost::json::object& object);
Result<RunReport> run_report_from_json(const boost::json::object& object);

}  // namespace rad

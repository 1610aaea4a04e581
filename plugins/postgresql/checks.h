// The checks of this plugin: one function each, and the one list that names them all.
//
// A check that finds the backup at fault fails; one that could not find out is inconclusive with
// the reason why; neither is ever a pass. Measured and expected values never hold values of rows.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/model/outcome.h"
#include "plugins/postgresql/instance.h"
#include "plugins/postgresql/row_manifest.h"
#include "plugins/postgresql/table_reader.h"
#include "plugins/protocol/messages.h"
#include "plugins/sdk/plugin.h"

namespace rad::postgresql {

/// What a check works with.
struct CheckEnv {
  Instance* instance = nullptr;  ///< nothing when another plugin made the endpoint
  TableReader& reader;
  const std::map<std::string, RowManifest>& manifests;  ///< by name of the check
  sdk::Context& context;

  const ServerAddress& address() const noexcept { return reader.address(); }
};

using CheckFunction = CheckOutcome (*)(const protocol::CheckSpec& spec, CheckEnv& env);

struct CheckType {
  protocol::CheckInfo info;
  CheckFunction run;
  /// Refuses options that cannot be, before anything is restored; may be null.
  Status (*validate)(const protocol::CheckSpec& spec);
};

/// In the order in which they are done: page_checksums is last, since it stops the server. Adding
/// one: a function, a row.
const std::vector<CheckType>& check_types();

CheckOutcome check_recovery_point(const protocol::CheckSpec& spec, CheckEnv& env);
CheckOutcome check_relation_files(const protocol::CheckSpec& spec, CheckEnv& env);
CheckOutcome check_read_all(const protocol::CheckSpec& spec, CheckEnv& env);
CheckOutcome check_row_counts(const protocol::CheckSpec& spec, CheckEnv& env);
CheckOutcome check_sql(const protocol::CheckSpec& spec, CheckEnv& env);
CheckOutcome check_freshness(const protocol::CheckSpec& spec, CheckEnv& env);
CheckOutcome check_amcheck(const protocol::CheckSpec& spec, CheckEnv& env);
CheckOutcome check_page_checksums(const protocol::CheckSpec& spec, CheckEnv& env);

Status validate_row_counts(const protocol::CheckSpec& spec);
Status validate_sql(const protocol::CheckSpec& spec);
Status validate_freshness(const protocol::CheckSpec& spec);
Status validate_amcheck(const protocol::CheckSpec& spec);

/// Compares where recovery ended with where it had to. Pure; check_recovery_point() in full.
CheckOutcome judge_recovery(const DataDirectory& data, const RecoveryEnd& end);

// --- for the checks' own use ---

CheckOutcome pass(const protocol::CheckSpec& spec, Proof proof, std::string message);
/// fail, or inconclusive when the error does not blame the backup.
CheckOutcome from_error(const protocol::CheckSpec& spec, const Error& error);
/// The same for an error of a statement; when the server has gone, why it has.
Error explain(CheckEnv& env, const SqlError& error, std::string_view doing,
              std::string object = {});
/// At most 100 lines are kept; a last one says how many more there were.
void add_details(CheckOutcome& outcome, std::vector<std::string> lines);
/// Option `parallel` of a check, else that of the plugin.
unsigned parallel_of(const protocol::CheckSpec& spec, const CheckEnv& env);

}  // namespace rad::postgresql

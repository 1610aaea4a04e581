// What SQLite's result codes mean for people, and for the agent. Not for use outside agent/store.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/store/values.h"

struct sqlite3;

namespace rad::store {

/// The same in two forms.
struct Diagnosis {
  StoreTrouble trouble = StoreTrouble::other;
  Error error;
};

/// \param code  extended result code. \param system_errno  of the call that failed, 0 if unknown.
Diagnosis diagnose(int code, int system_errno, std::string_view text, const std::string& path);

/// The same with what the connection (may be null) knows about its last call.
Diagnosis diagnose(int code, sqlite3* connection, const std::string& path);

}  // namespace rad::store

// Bringing rows from one store into another: out of a damaged file as far as they can be read, or
// back from a store that took the place of one which could not be written. Not for use outside
// agent/store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/store/database.h"

namespace rad::store {

struct Transferred {
  std::uint64_t runs = 0;
  std::uint64_t ledger_entries = 0;
  std::uint64_t rows = 0;                   ///< of all tables, these included
  std::vector<std::string> damaged_tables;  ///< those of which not every row could be read
};

/// Adds the rows of `from` to `to`, in one transaction of `to`. A row that is in both: a run that
/// has ended stays, counters take the greater value, else that of `from` is taken. Columns that
/// only one side has are left out.
/// \param instead  what `to` has of pauses, requests and holds goes: `from` was the only one in
/// use. \return an error if `to` cannot be written; what cannot be read is counted, no error.
Result<Transferred> transfer(Database& from, Database& to, bool instead);

}  // namespace rad::store

#include "plugins/postgresql/sql_error.h"

#include <gtest/gtest.h>

namespace rad::postgresql {
namespace {

struct Case {
  const char* state;
  const char* message;
  Reason reason;
};

TEST(SqlReason, TellsTheBackupFromTheHost) {
  for (const Case& row : {
           Case{"XX001", "invalid page in block 0 of relation base/5/6", Reason::checksum_mismatch},
           Case{"XX001", "unexpected chunk number 3", Reason::check_failed},
           Case{"XX002", "item order invariant violated", Reason::check_failed},
           Case{"XX000", "cache lookup failed for type 5", Reason::check_failed},
           Case{"58P01", "could not open file \"base/5/6\": No such file or directory",
                Reason::check_failed},
           Case{"58P01", "could not access file \"$libdir/postgis-3\": No such file or directory",
                Reason::library_missing},
           Case{"58030", "could not read block 3: Input/output error", Reason::host_unfit},
           Case{"53100", "could not extend file: No space left on device", Reason::scratch_full},
           Case{"53200", "out of memory", Reason::out_of_memory},
           Case{"53300", "sorry, too many clients already", Reason::host_unfit},
           Case{"57014", "canceling statement due to statement timeout", Reason::timeout},
           Case{"57P01", "terminating connection", Reason::check_error},
           Case{"42P01", "relation \"x\" does not exist", Reason::check_error},
           Case{"XX000", "database locale is incompatible with operating system",
                Reason::locale_missing},
       }) {
    EXPECT_EQ(to_string(sql_reason({row.state, row.message})), to_string(row.reason))
        << row.message;
  }
  EXPECT_EQ(sql_reason({"57014", "canceling statement", false, true}), Reason::cancelled);
  EXPECT_EQ(sql_reason({"", "server closed the connection", true, false}), Reason::check_error);
}

TEST(SqlText, LeavesOutWhatCouldHoldAValue) {
  EXPECT_EQ(sql_text({"22P02", "invalid input syntax for type integer: \"secret\""}),
            "SQLSTATE 22P02");
  EXPECT_EQ(sql_text({"P0001", "raised by a function: secret"}), "SQLSTATE P0001");
  EXPECT_EQ(sql_text({"42P01", "relation \"x\" does not exist"}),
            "relation \"x\" does not exist (SQLSTATE 42P01)");
}

}  // namespace
}  // namespace rad::postgresql

// What an error of a statement means for the verdict, and what of it may be told.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "plugins/postgresql/connection.h"

namespace rad::postgresql {

/// The reason behind a SQLSTATE and its text. Damaged data and missing relation files blame the
/// backup; a library, locale or resource that the host lacks does not; a statement that is wrong
/// does not.
Reason sql_reason(const SqlError& error);

/// The text with its SQLSTATE. A message that could hold a value of a row (class 22 and everything
/// not known to speak of names only) is left out.
std::string sql_text(const SqlError& error);

/// "`doing`: text", with sql_reason(). `object`: relation or database that was read.
Error sql_failure(const SqlError& error, std::string_view doing, std::string object = {});

}  // namespace rad::postgresql

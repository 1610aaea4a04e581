// Who may do everything in a restored cluster: the role with OID 10, whatever its name. When no
// known role can connect, `postgres --single` is asked; its output has a form of its own.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/error.h"

namespace rad::postgresql {

/// Name, rolsuper and rolcanlogin of the role with OID 10, readable by every role.
inline constexpr const char* kSuperuserQuery =
    "select rolname, rolsuper, rolcanlogin from pg_catalog.pg_roles where oid = 10";

/// The same for the standard input of `postgres --single`.
std::string single_user_commands();

/// The name in the output of single_user_commands(), lines of the form
/// `\t 1: rolname = "somebody"\t(typeid = 19, ...)`.
/// \return start_failed when there is none.
Result<std::string> superuser_in(std::string_view output);

/// The command for `postgres --single` that lets the role log in as a superuser, "" if it can.
Result<std::string> superuser_rights_command(std::string_view output, const std::string& name);

}  // namespace rad::postgresql

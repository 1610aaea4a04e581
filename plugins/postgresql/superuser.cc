#include "plugins/postgresql/superuser.h"

#include <optional>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/postgresql/connection.h"

namespace rad::postgresql {
namespace {

std::optional<std::string> field_in(std::string_view output, std::string_view field) {
  const std::string begin_mark = fmt::format(": {} = \"", field);
  const auto begin = output.find(begin_mark);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::string_view rest = output.substr(begin + begin_mark.size());
  const auto end = rest.find("\"\t(typeid = ");
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(rest.substr(0, end));
}

Error no_superuser() {
  return fail(Reason::start_failed, "the catalog of roles has no readable role with OID 10", "",
              "pg_authid");
}

}  // namespace

std::string single_user_commands() {
  return std::string(kSuperuserQuery) + ";\n";
}

Result<std::string> superuser_in(std::string_view output) {
  auto name = field_in(output, "rolname");
  if (!name || name->empty()) return no_superuser();
  return *std::move(name);
}

Result<std::string> superuser_rights_command(std::string_view output, const std::string& name) {
  const auto super = field_in(output, "rolsuper");
  const auto login = field_in(output, "rolcanlogin");
  if (!super || !login) return no_superuser();
  if (*super == "t" && *login == "t") return std::string{};
  // In this mode a line end ends the command.
  if (name.find('\n') != std::string::npos) return no_superuser();
  return fmt::format("alter role {} with superuser login;\n", Connection::quote(name));
}

}  // namespace rad::postgresql

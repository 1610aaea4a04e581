// Finding the programs of one major version of PostgreSQL.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/base/error.h"

namespace rad::postgresql {

/// Where to look when the option `bin_dirs` is not set; {major} stands for the version.
std::vector<std::string> default_bin_dirs();

/// Major versions whose `postgres` program exists in one of `patterns`, ascending.
std::vector<int> installed_majors(const std::vector<std::string>& patterns);

/// The directory that holds `postgres` and `pg_controldata` of `major`.
/// \return version_unsupported naming what is installed.
Result<std::filesystem::path> find_bin_dir(const std::vector<std::string>& patterns, int major);

}  // namespace rad::postgresql

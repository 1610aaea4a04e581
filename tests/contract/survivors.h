// What a plugin leaves behind, and what its processes show to everybody.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace rad::contract {

/// From now on processes that lose their parent become children of this one.
void adopt_orphans();
/// Waits until no child is left. \return the command lines of those that stayed; they are killed.
std::vector<std::string> survivors();

/// Relative paths of everything below `dir`.
std::set<std::string> entries(const std::filesystem::path& dir);

/// Arguments and environment of a process and all its descendants, as one text.
std::string visible_text(pid_t root);

}  // namespace rad::contract

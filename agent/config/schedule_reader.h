// The schedules of a target and the rotations, from what a SectionReader found.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/config.h"
#include "agent/config/section_reader.h"

namespace rad {

/// Complains where a value is good by itself but does not fit the others, and goes on.
/// \param list      path of the list, "targets[0].schedules"
/// \param time_zone of schedules that name none
std::vector<ScheduleConfig> read_schedules(SectionReader& reader, const std::string& list,
                                           const std::string& time_zone);

/// Appends config.rotations; the targets have all been read.
void read_rotations(SectionReader& reader, Config& config);

/// Targets that are tested only by hand, or never restored.
void warn_of_schedules(const Config& config, std::vector<Diagnostic>& warnings);

/// Whether `name` matches a pattern of letters, `*` (any text) and `?` (any one character). Takes
/// time proportional to the product of the lengths at most.
bool matches(std::string_view pattern, std::string_view name) noexcept;

}  // namespace rad

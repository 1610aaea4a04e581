// A store of schema version 1, as that version wrote it.
#pragma once

#include <string>

#include "agent/base/files.h"

namespace rad::test {

inline std::string version_1_sql() {
  return read_file(RAD_SOURCE_DIR "/tests/unit/store/version_1.sql").value();
}

}  // namespace rad::test

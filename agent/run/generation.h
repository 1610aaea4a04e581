// One loaded configuration with everything that was made of it.
#pragma once

#include <memory>
#include <vector>

#include "agent/config/config.h"
#include "agent/run/plugin_catalog.h"
#include "agent/run/reporter.h"

namespace rad {

/// A configuration with what the plugins said about themselves; immutable.
struct Generation {
  Config config;
  PluginCatalog catalog;
};

/// What a run keeps for as long as it goes on: a reload changes nothing under its feet.
struct RunContext {
  std::shared_ptr<const Generation> generation;
  std::vector<std::unique_ptr<Reporter>> reporters;
};

}  // namespace rad

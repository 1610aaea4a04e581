// The executable plugins.d/wal_e.
#include "plugins/sdk/plugin.h"
#include "plugins/wal_e/wal_e_plugin.h"

int main() {
  rad::wal_e::WalEPlugin plugin;
  return rad::sdk::serve(plugin);
}

#include "agent/base/isolation.h"
#include "plugins/postgresql/postgresql_plugin.h"
#include "plugins/postgresql/server.h"
#include "plugins/sdk/plugin.h"

int main() {
  // Before there are threads. A restored server must not reach anything; where the host does not
  // allow a namespace, the server still listens on a unix socket alone, and preflight says so.
  rad::postgresql::PostgresqlPlugin plugin(rad::enter_network_namespace());
  rad::postgresql::Server::adopt_orphans();
  return rad::sdk::serve(plugin);
}

#include <fcntl.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"
#include "plugins/fake/fake_plugin.h"

int main() {
  const rad::UniqueFd raw_stdout(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  rad::fake::FakePlugin plugin(raw_stdout.get());
  return rad::sdk::serve(plugin);
}

// Ending whatever has become a child of this process. Header only: rad-launch and rad-accept stay
// in memory for each plugin and link nothing for it.
#pragma once

#include <cstdio>

#include <signal.h>
#include <sys/wait.h>

namespace rad {

/// SIGKILL to every child, until there is none; a subreaper gets those of its children too. Only
/// processes that became children of this one are found; without a PID namespace there is no more.
inline void kill_children() {
  while (true) {
    std::FILE* list = std::fopen("/proc/thread-self/children", "re");
    if (list == nullptr) return;
    int pid = 0;
    bool any = false;
    while (std::fscanf(list, "%d", &pid) == 1) {
      any = true;
      ::kill(pid, SIGKILL);
    }
    std::fclose(list);
    if (!any) return;
    // One only: waiting for all would also wait for children of theirs that came here meanwhile.
    ::waitpid(-1, nullptr, 0);
  }
}

}  // namespace rad

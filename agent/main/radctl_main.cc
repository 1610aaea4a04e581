// radctl: looks at and controls the rad-agent of this host.

#include <cstdlib>
#include <string>
#include <vector>

#include <curl/curl.h>
#include <signal.h>

#include "agent/cli/radctl/radctl.h"

int main(int argc, char** argv) {
  // Whoever reads our output may stop to: `radctl run list | head`.
  ::signal(SIGPIPE, SIG_IGN);
  curl_global_init(CURL_GLOBAL_NOTHING);
  rad::radctl::Surroundings surroundings;
  if (const char* socket = std::getenv("RAD_SOCKET"); socket != nullptr && *socket != '\0') {
    surroundings.socket = socket;
  }
  const char* term = std::getenv("TERM");
  surroundings.allow_colour =
      std::getenv("NO_COLOR") == nullptr && std::string(term != nullptr ? term : "") != "dumb";
  const int status = rad::radctl::run({argv + 1, argv + argc}, surroundings);
  curl_global_cleanup();
  return status;
}

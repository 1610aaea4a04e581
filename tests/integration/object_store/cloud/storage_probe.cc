// One look at a storage by an envdir, for tests: what it answers, as one line of JSON.
//
//   storage_probe ENVDIR list [PREFIX]
//   storage_probe ENVDIR stat KEY
//   storage_probe ENVDIR read KEY [LISTED_SIZE]
//
// {"reason": "" or an error's, "message", "hint", "objects", "bytes", "sha256", "seconds"}; the
// environment's RAD_PROBE_TIMEOUT is TransportOptions::timeout in seconds.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <openssl/evp.h>

#include "agent/base/reason.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/wal_e/envdir.h"

namespace rad {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  ~Sha256() { EVP_MD_CTX_free(context_); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(const void* bytes, std::size_t size) { EVP_DigestUpdate(context_, bytes, size); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_, digest, &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4U];
      text += "0123456789abcdef"[digest[i] & 15U];
    }
    return text;
  }

 private:
  EVP_MD_CTX* context_;
};

Status read(object_store::Storage& storage, const std::string& key, const char* listed,
            boost::json::object& out) {
  object_store::OpenOptions options;
  if (listed != nullptr) options.expected_size = std::stoull(listed);
  RAD_TRY(const auto reader, storage.open(key, options));
  Sha256 digest;
  std::uint64_t bytes = 0;
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  for (;;) {
    RAD_TRY(const std::size_t got, reader->read(buffer));
    if (got == 0) break;
    digest.add(buffer.data(), got);
    bytes += got;
  }
  out["bytes"] = bytes;
  out["sha256"] = digest.hex();
  return {};
}

Status look(const std::vector<const char*>& arguments, boost::json::object& out) {
  const std::string command = arguments.at(2);
  object_store::TransportOptions transport;
  if (const char* seconds = std::getenv("RAD_PROBE_TIMEOUT")) {
    transport.timeout = std::chrono::seconds(std::stoi(seconds));
    transport.stall = transport.timeout / 3;
  }
  RAD_TRY(const auto variables, wal_e::read_envdir(arguments.at(1)));
  RAD_TRY(const auto environment, wal_e::understand_environment(variables, arguments.at(1)));
  RAD_TRY(const auto opened,
          object_store::open_storage(environment.storage_url, variables, transport));
  out["credentials"] = opened.summary.credentials;
  if (command == "read") {
    return read(*opened.storage, arguments.at(3), arguments.size() > 4 ? arguments[4] : nullptr,
                out);
  }
  if (command == "stat") {
    RAD_TRY(const auto info, opened.storage->stat(arguments.at(3)));
    out["bytes"] = info.size;
    return {};
  }
  boost::json::object objects;
  RAD_CHECK(opened.storage->visit(arguments.size() > 3 ? arguments[3] : "",
                                  [&](const object_store::ObjectInfo& object) -> Status {
                                    objects[object.key] = object.size;
                                    return {};
                                  }));
  out["objects"] = std::move(objects);
  return {};
}

}  // namespace
}  // namespace rad

int main(int argc, char** argv) {
  const std::vector<const char*> arguments(argv, argv + argc);
  if (arguments.size() < 3) return 2;
  boost::json::object out{{"reason", ""}};
  const auto begin = std::chrono::steady_clock::now();
  const rad::Status done = rad::look(arguments, out);
  if (!done) {
    const rad::Error& error = done.error();
    out["reason"] = rad::to_string(error.reason);
    out["message"] = error.message;
    out["hint"] = error.hint;
    out["detail"] = error.detail;
    out["object"] = error.object;
  }
  out["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::cout << boost::json::serialize(out) << "\n";
  return 0;
}

// OpenStack Swift, as WAL-E's Swift backend writes it: names with a leading slash ("/PREFIX/...").
// Source of requests and answers: docs.openstack.org/api-ref/object-store
//
// Large objects: a static one (SLO) is listed with its whole length, a dynamic one (DLO) and a
// symlink with 0 bytes; so what is listed as empty is looked at once more.
// A listing may lag behind: an object that is listed but cannot be had is storage_unreachable.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/object_names.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/object_store/swift_identity.h"
#include "plugins/object_store/swift_listing.h"
#include "plugins/object_store/token_keeper.h"

namespace rad::object_store {

/// Thread-safe; outlives its readers. The token is renewed before it ends, and when the service
/// refuses it.
class SwiftStorage final : public Storage, private HttpService {
 public:
  SwiftStorage(SwiftSettings settings, const ContainerUrl& url,
               std::shared_ptr<HttpTransport> transport);

  Status visit(std::string_view prefix, const ObjectVisitor& visit, std::stop_token stop) override;
  Result<ObjectInfo> stat(std::string_view key) override;
  Result<std::unique_ptr<ObjectReader>> open(std::string_view key,
                                             const OpenOptions& options) override;
  std::string describe() const override;

 private:
  /// The identity service, seen by the transport.
  class Identity final : public HttpService {
   public:
    Status sign(HttpRequest& request, std::stop_token stop) override;
    Error judge(const HttpRequest& request, const HttpResponse& response) const override;
  };

  /// Puts the storage's address before the path; it is known only with the token.
  Status sign(HttpRequest& request, std::stop_token stop) override;
  Error judge(const HttpRequest& request, const HttpResponse& response) const override;
  bool renew(const HttpResponse& denied) override;

  HttpRequest object_request(std::string_view key) const;
  Result<AccessToken> fetch_token(std::stop_token stop);
  Result<ObjectInfo> head(std::string_view key, std::stop_token stop);
  Result<ObjectInfo> find_in_listing(const std::string& key);

  SwiftSettings settings_;
  std::string container_;
  ObjectNames names_;
  std::shared_ptr<HttpTransport> transport_;
  Identity identity_;
  TokenKeeper token_;
};

/// \param url swift://container/prefix.
Result<OpenedStorage> open_swift_storage(std::string_view url, const Variables& variables,
                                         const TransportOptions& transport);

}  // namespace rad::object_store

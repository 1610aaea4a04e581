// Google Cloud Storage by its JSON interface, as WAL-E writes it: names with a leading slash.
// Source of requests and answers: cloud.google.com/storage/docs/json_api
//
// Settings:
//   GOOGLE_APPLICATION_CREDENTIALS  a JSON file (gcs_credentials.h); not set: the service account
//                                   of this virtual machine, from the metadata server
//   GCE_METADATA_HOST               where the metadata server is, host[:port]
//   WALE_GS_ENDPOINT                "https://host[:port]" instead of https://storage.googleapis.com
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "plugins/object_store/gcs_credentials.h"
#include "plugins/object_store/gcs_listing.h"
#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/object_names.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/object_store/token_keeper.h"

namespace rad::object_store {

struct GcsSettings {
  GcsCredentials credentials;
  std::string metadata = "http://metadata.google.internal";
  std::string base = "https://storage.googleapis.com";
  std::string path;  ///< what comes before "/storage/v1": "" or "/path"

  /// Reads the file of credentials. \return config_invalid, access_denied.
  static Result<GcsSettings> from(const Variables& variables);
};

/// Thread-safe; outlives its readers. The token is renewed before it ends, and when the service
/// refuses it.
class GcsStorage final : public Storage, private HttpService {
 public:
  GcsStorage(GcsSettings settings, const ContainerUrl& url,
             std::shared_ptr<HttpTransport> transport);

  Status visit(std::string_view prefix, const ObjectVisitor& visit, std::stop_token stop) override;
  Result<ObjectInfo> stat(std::string_view key) override;
  Result<std::unique_ptr<ObjectReader>> open(std::string_view key,
                                             const OpenOptions& options) override;
  std::string describe() const override;

 private:
  /// The token endpoint, seen by the transport.
  class TokenEndpoint final : public HttpService {
   public:
    Status sign(HttpRequest& request, std::stop_token stop) override;
    Error judge(const HttpRequest& request, const HttpResponse& response) const override;
  };
  /// \return false: enough.
  using Visitor = std::function<Result<bool>(const GcsObject&)>;

  Status sign(HttpRequest& request, std::stop_token stop) override;
  Error judge(const HttpRequest& request, const HttpResponse& response) const override;
  bool renew(const HttpResponse& denied) override;

  HttpRequest objects_request() const;
  Status each_object(const std::string& name_prefix, unsigned page_size, const Visitor& visit,
                     std::stop_token stop);
  Result<AccessToken> fetch_token(std::stop_token stop);

  GcsSettings settings_;
  std::string bucket_;
  ObjectNames names_;
  std::shared_ptr<HttpTransport> transport_;
  TokenEndpoint token_endpoint_;
  TokenKeeper token_;
};

/// \param url gs://bucket/prefix.
Result<OpenedStorage> open_gcs_storage(std::string_view url, const Variables& variables,
                                       const TransportOptions& transport);

}  // namespace rad::object_store

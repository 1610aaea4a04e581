// Azure Blob storage, as WAL-E's WABS backend writes it: block blobs, names without a leading
// slash. Source of requests, answers and codes: learn.microsoft.com/rest/api/storageservices
//
// Settings (those of WAL-E, then those that other tools of the vendor have):
//   WABS_ACCOUNT_NAME      the storage account
//   WABS_ACCESS_KEY        its key, base64; or
//   WABS_SAS_TOKEN         a shared access signature with the rights to read and list; or, if
//                          neither is set, the managed identity of this host:
//   AZURE_CLIENT_ID        which of its identities
//   AZURE_POD_IDENTITY_AUTHORITY_HOST   where the metadata service is
//   WALE_WABS_ENDPOINT     "https://host[:port][/account]" instead of
//                          https://ACCOUNT.blob.core.windows.net
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "plugins/object_store/azure_listing.h"
#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/object_names.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/object_store/token_keeper.h"

namespace rad::object_store {

/// The version of the service's interface that every request names.
inline constexpr std::string_view kAzureVersion = "2021-12-02";

struct AzureSettings {
  std::string account;
  std::string key;        ///< decoded; "" if there is none
  Fields sas;             ///< decoded; empty if there is none
  std::string client_id;  ///< of a managed identity; "" for the host's only one
  std::string metadata = "http://169.254.169.254";
  std::string base;  ///< "https://host:port"
  std::string path;  ///< what comes before "/container": "" or "/account"

  /// \return config_invalid naming the variable.
  static Result<AzureSettings> from(const Variables& variables);
  bool managed() const noexcept { return key.empty() && sas.empty(); }
};

/// Thread-safe; outlives its readers.
class AzureStorage final : public Storage, private HttpService {
 public:
  AzureStorage(AzureSettings settings, const ContainerUrl& url,
               std::shared_ptr<HttpTransport> transport);

  Status visit(std::string_view prefix, const ObjectVisitor& visit, std::stop_token stop) override;
  Result<ObjectInfo> stat(std::string_view key) override;
  Result<std::unique_ptr<ObjectReader>> open(std::string_view key,
                                             const OpenOptions& options) override;
  std::string describe() const override;

 private:
  Status sign(HttpRequest& request, std::stop_token stop) override;
  Error judge(const HttpRequest& request, const HttpResponse& response) const override;
  bool renew(const HttpResponse& denied) override;
  bool vouches_for_missing(const HttpResponse& response) const override;

  /// \return false: enough.
  using BlobVisitor = std::function<Result<bool>(const AzureBlob&)>;
  Status each_blob(const std::string& name_prefix, unsigned page_size, const BlobVisitor& visit,
                   std::stop_token stop);
  HttpRequest container_request() const;
  HttpRequest object_request(std::string_view key) const;
  Result<AccessToken> fetch_token(std::stop_token stop);
  std::string denied_hint(const std::string& detail) const;

  AzureSettings settings_;
  std::string container_;
  ObjectNames names_;
  std::shared_ptr<HttpTransport> transport_;
  TokenKeeper token_;
};

/// \param url wabs://container/prefix.
Result<OpenedStorage> open_azure_storage(std::string_view url, const Variables& variables,
                                         const TransportOptions& transport);

}  // namespace rad::object_store

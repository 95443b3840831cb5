#pragma once
// Owners of OpenSSL's C handles. Only .cc files of libs/crypto include <openssl/...>; the types are
// declared here so that headers can hold them.
#include <memory>

struct evp_pkey_st;
struct evp_pkey_ctx_st;
struct evp_mac_ctx_st;

namespace countersign::crypto {

struct FreePkey {
  void operator()(evp_pkey_st* key) const;
};
struct FreePkeyContext {
  void operator()(evp_pkey_ctx_st* context) const;
};
struct FreeMacContext {
  void operator()(evp_mac_ctx_st* context) const;
};
using PkeyHandle = std::unique_ptr<evp_pkey_st, FreePkey>;
using PkeyContextHandle = std::unique_ptr<evp_pkey_ctx_st, FreePkeyContext>;
using MacContextHandle = std::unique_ptr<evp_mac_ctx_st, FreeMacContext>;

}  // namespace countersign::crypto

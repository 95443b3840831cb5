#include "libs/crypto/handles.h"

#include <openssl/evp.h>

namespace countersign::crypto {

void FreePkey::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void FreePkeyContext::operator()(evp_pkey_ctx_st* context) const { EVP_PKEY_CTX_free(context); }
void FreeMacContext::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

}  // namespace countersign::crypto

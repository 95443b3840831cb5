#include "services/outbox-relay/domain/standby_position.h"

#include <algorithm>

namespace countersign::relay {

// Under load the standbys are always a little behind the end: so it is the end of an earlier look
// that they reach.
void StandbyPosition::Looked(Lsn written, std::optional<Lsn> flushed) {
  if (flushed) {
    if (awaited_ && *flushed >= *awaited_) {
      safe_ = std::max(safe_, *awaited_);
      awaited_.reset();
    }
    if (*flushed >= written) safe_ = std::max(safe_, written);
  }
  if (!awaited_ && safe_ < written) awaited_ = written;
}

}  // namespace countersign::relay

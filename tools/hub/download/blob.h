// One file's bytes into the cache, checked, under the name that says what they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tools/hub/download/client.h"

namespace tinyllm::hub {

struct Blob {
    std::string name;       ///< of the file, for people
    std::string id;         ///< sha256 of the bytes (64 digits), or git's blob id (40)
    std::int64_t size = 0;  ///< bytes
};

/// Makes sure that `blobs`/<id> is there. What an earlier call left in <id>.incomplete is gone on with; the
/// size and the sum are checked before the file gets its name. `lock` keeps others off meanwhile, who then
/// find it done. Returns the bytes that were downloaded. Throws Error: not_found (network, server, no space),
/// corrupt (size or sum is not as listed); Interrupted.
std::int64_t fetch_blob(Client& client, const std::string& url, const std::string& subject, const Blob& blob,
                        const std::filesystem::path& blobs, const std::filesystem::path& lock);

}  // namespace tinyllm::hub

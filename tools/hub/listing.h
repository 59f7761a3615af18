// The files of a model as the hub lists them, and which of them a model is run from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tinyllm::hub {

struct RemoteFile {
    std::string name;        ///< path within the model, safe to use below a folder
    std::string id;          ///< sha256 or git blob id; empty: the list does not say
    std::int64_t size = -1;  ///< bytes; -1: the list does not say
};

/// 64 or 40 hexadecimal digits.
bool is_blob_id(std::string_view id);

constexpr std::int64_t kLargestFile = std::int64_t{1} << 46;

struct Listing {
    std::string commit;
    std::vector<RemoteFile> files;

    const RemoteFile* find(const std::string& name) const;
};

/// What a message may quote of a name that may be unsafe: its beginning, '?' for all but printable ASCII.
std::string printable_name(const std::string& name);

/// Reads what {endpoint}/api/models/{id}/revision/{revision}?blobs=true answers; mirrors that know no `blobs`
/// list names alone. The server is not trusted: Error(corrupt), beginning with `subject`, for anything that
/// is not as expected; above all names that are absolute, hold "..", control characters or are no UTF-8, and
/// names that stand twice.
Listing read_listing(const std::string& text, const std::string& subject);

/// What to download. Shards are known only once the index is there.
struct Choice {
    std::vector<RemoteFile> files;
    std::string index;  ///< name of the weights' index among them; empty: none
};

/// Without globs: configuration, tokenizer, and of the weights model.safetensors, its shards,
/// pytorch_model.bin, its shards the first that is there (as they are loaded); or the only .gguf. With globs
/// (`*` matches any character, `/` too): the files that match one. Throws Error: usage if several .gguf files
/// are to choose from; not_found, naming what is there, if nothing can be run or a glob matches nothing.
Choice choose_files(const Listing& listing, const std::vector<std::string>& globs,
                    const std::string& subject);

}  // namespace tinyllm::hub

#include "tools/hub/listing.h"

#include <fnmatch.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "engine/fail.h"
#include "tools/hub/repository.h"
#include "tools/json_text.h"

namespace tinyllm::hub {
namespace {

constexpr std::size_t kMostNamed = 12;  // in a message

bool is_hex(std::string_view text, std::size_t digits) {
    return text.size() == digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool is_safe_part(std::string_view part) {
    return !part.empty() && part != "." && part != ".." && part.size() <= 255;
}

bool is_safe_name(std::string_view name) {
    if (name.size() > 1024) return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const auto byte = static_cast<unsigned char>(name[i]);
        if (byte < 0x20 || byte == 0x7F) return false;
        // U+0080 to U+009F steer terminals too. That the rest is UTF-8 the JSON reader has seen to.
        if (byte == 0xC2 && i + 1 < name.size() && static_cast<unsigned char>(name[i + 1]) < 0xA0)
            return false;
    }
    while (true) {
        const std::size_t slash = name.find('/');
        if (!is_safe_part(name.substr(0, slash))) return false;
        if (slash == name.npos) return true;
        name.remove_prefix(slash + 1);
    }
}

std::string names_of(const std::vector<RemoteFile>& files) {
    std::string text;
    for (std::size_t i = 0; i < std::min(files.size(), kMostNamed); ++i)
        text += (i == 0 ? "" : ", ") + files[i].name;
    if (files.size() > kMostNamed) text += fmt::format(" and {} more", files.size() - kMostNamed);
    return text.empty() ? "no files" : text;
}

RemoteFile read_file_entry(const Json& entry, const std::string& subject) {
    const auto text_of = [](const Json& object, const char* key) {
        const auto found = object.is_object() ? object.find(key) : object.end();
        if (!object.is_object() || found == object.end() || !found->is_string()) return std::string();
        return found->get<std::string>();
    };
    RemoteFile file;
    file.name = text_of(entry, "rfilename");
    if (!is_safe_name(file.name))
        fail(ErrorKind::corrupt,
             "{}: the server lists a file whose name is absolute, has \"..\" or control characters: \"{}\"",
             subject, printable_name(file.name));
    file.id = text_of(entry, "blobId");
    const auto lfs = entry.find("lfs");
    if (lfs != entry.end() && lfs->is_object()) {
        file.id = text_of(*lfs, "sha256");
        if (!is_hex(file.id, 64))
            fail(ErrorKind::corrupt, "{}: {}: expected a sha256 in the server's list, found none", subject,
                 file.name);
    } else if (!file.id.empty() && !is_hex(file.id, 40)) {
        fail(ErrorKind::corrupt, "{}: {}: expected a blob id in the server's list, found none", subject,
             file.name);
    }
    const auto size = entry.find("size");
    if (size == entry.end() || size->is_null()) return file;
    if (!size->is_number_integer() || *size < 0 || *size > kLargestFile)
        fail(ErrorKind::corrupt, "{}: {}: expected a size in the server's list, found none", subject,
             file.name);
    file.size = size->get<std::int64_t>();
    return file;
}

bool is_gguf(const RemoteFile& file) {
    return file.name.ends_with(".gguf");
}

}  // namespace

std::string printable_name(const std::string& name) {
    std::string text = name.substr(0, 80);
    for (char& c : text)
        if (c < 0x20 || c >= 0x7F) c = '?';
    return text;
}

bool is_blob_id(std::string_view id) {
    return is_hex(id, 64) || is_hex(id, 40);
}

const RemoteFile* Listing::find(const std::string& name) const {
    const auto found =
        std::find_if(files.begin(), files.end(), [&](const RemoteFile& file) { return file.name == name; });
    return found == files.end() ? nullptr : &*found;
}

Listing read_listing(const std::string& text, const std::string& subject) {
    const Json json = json_if(text).value_or(Json());
    const auto get = [&](const char* key) { return json.is_object() ? json.find(key) : json.end(); };
    const auto commit = get("sha"), files = get("siblings");
    if (!json.is_object() || commit == json.end() || files == json.end() || !commit->is_string() ||
        !is_commit(commit->get<std::string>()) || !files->is_array())
        fail(ErrorKind::corrupt, "{}: expected the hub's list of files, the server answers something else",
             subject);
    Listing listing;
    listing.commit = commit->get<std::string>();
    std::set<std::string> names;
    for (const auto& entry : *files) {
        listing.files.push_back(read_file_entry(entry, subject));
        if (!names.insert(listing.files.back().name).second)
            fail(ErrorKind::corrupt, "{}: the server lists {} twice", subject, listing.files.back().name);
    }
    return listing;
}

Choice choose_files(const Listing& listing, const std::vector<std::string>& globs,
                    const std::string& subject) {
    Choice choice;
    if (!globs.empty()) {
        for (const std::string& glob : globs) {
            const auto matches = [&](const RemoteFile& file) {
                return fnmatch(glob.c_str(), file.name.c_str(), 0) == 0;
            };
            if (std::none_of(listing.files.begin(), listing.files.end(), matches))
                fail(ErrorKind::not_found, "{}: no file matches --file {}; there are {}", subject, glob,
                     names_of(listing.files));
        }
        for (const RemoteFile& file : listing.files)
            if (std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
                    return fnmatch(glob.c_str(), file.name.c_str(), 0) == 0;
                }))
                choice.files.push_back(file);
        return choice;
    }
    const RemoteFile* weights = nullptr;
    for (const char* name : {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                             "pytorch_model.bin.index.json"})
        if (weights == nullptr) weights = listing.find(name);
    if (weights != nullptr && listing.find("config.json") != nullptr) {
        for (const char* name : {"config.json", "generation_config.json", "tokenizer.json",
                                 "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                                 "vocab.json", "merges.txt", "tokenizer.model", "spiece.model"})
            if (const RemoteFile* file = listing.find(name)) choice.files.push_back(*file);
        choice.files.push_back(*weights);
        if (weights->name.ends_with(".json")) choice.index = weights->name;
        return choice;
    }
    std::copy_if(listing.files.begin(), listing.files.end(), std::back_inserter(choice.files), is_gguf);
    if (choice.files.size() > 1)
        fail(ErrorKind::usage, "{}: choose one of its {} .gguf files by --file: {}", subject,
             choice.files.size(), names_of(choice.files));
    if (choice.files.empty())
        fail(ErrorKind::not_found,
             "{}: expected config.json with model.safetensors or pytorch_model.bin, or a .gguf file; there "
             "are {} (--file GLOB takes any)",
             subject, names_of(listing.files));
    return choice;
}

}  // namespace tinyllm::hub

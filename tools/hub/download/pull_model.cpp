#include "tools/hub/download/pull_model.h"

#include <fnmatch.h>

#include <algorithm>

#include "engine/fail.h"
#include "tools/hub/cache.h"
#include "tools/hub/download/blob.h"
#include "tools/hub/file_lock.h"
#include "tools/hub/remove.h"
#include "tools/output.h"

namespace tinyllm::hub {

namespace fs = std::filesystem;

namespace {

void make_folder(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) fail(ErrorKind::not_found, "{}: cannot be created: {}", path.string(), error.message());
}

// snapshots/<commit>/<name> -> ../../blobs/<id>, with as many .. more as the name has folders. Whatever is in
// the place of one of those folders must be one: a link there could lead out of the cache.
void link_blob(const fs::path& snapshot, const RemoteFile& file) {
    fs::path folder = snapshot, target = "../../blobs";
    const fs::path relative = fs::path(file.name).parent_path();
    for (const fs::path& part : relative) {
        folder /= part;
        target = ".." / target;
        std::error_code error;
        fs::create_directory(folder, error);
        if (!fs::is_directory(fs::symlink_status(folder, error)))
            fail(ErrorKind::corrupt, "{}: expected a folder, found something else", folder.string());
    }
    const fs::path link = snapshot / file.name;
    target /= file.id;
    std::error_code error;
    if (fs::read_symlink(link, error) == target) return;
    if (fs::is_directory(fs::symlink_status(link, error)))
        fail(ErrorKind::corrupt, "{}: expected a file, found a folder", link.string());
    const fs::path fresh = folder / (file.id + ".link");
    fs::remove(fresh, error);
    fs::create_symlink(target, fresh, error);
    if (error)
        fail(ErrorKind::not_found,
             "{}: no symbolic link can be made: {}; HF_HUB_CACHE can name a folder on another file system",
             link.string(), error.message());
    fs::rename(fresh, link, error);
    if (error) fail(ErrorKind::not_found, "{}: cannot be written: {}", link.string(), error.message());
}

class ModelPull {
  public:
    ModelPull(Client& client, const RepositoryName& name)
        : client_(client),
          name_(name),
          subject_(name.revision == "main" ? name.id() : name.id() + "@" + name.revision),
          repository_(hub_cache() / name.folder()) {}

    PulledModel run(const std::vector<std::string>& globs) {
        FileLock gate(gate_of(name_.folder()));
        gate.lock(FileLock::Kind::shared, check_interrupted);
        const std::string path =
            "/api/models/" + name_.id() + "/revision/" + url_encode(name_.revision) + "?blobs=true";
        const Listing listing = read_listing(client_.get_text(client_.address(path), subject_), subject_);
        const Choice choice = choose_files(listing, globs, subject_);
        pulled_.commit = listing.commit;
        pulled_.path = repository_ / "snapshots" / listing.commit;
        make_folder(repository_ / "blobs");
        make_folder(pulled_.path);
        for (const RemoteFile& file : choice.files) fetch(file);
        if (!choice.index.empty()) fetch_shards(listing, choice.index);
        if (name_.revision != listing.commit) {
            const fs::path ref = repository_ / "refs" / name_.revision;
            make_folder(ref.parent_path());
            write_file(ref.string(), listing.commit);
        }
        note_left_out(listing);
        choose_path(globs);
        return std::move(pulled_);
    }

  private:
    void fetch(RemoteFile file) {
        const std::string path =
            "/" + name_.id() + "/resolve/" + pulled_.commit + "/" + url_encode(file.name, true);
        if (file.id.empty() || file.size < 0) ask_headers(path, file);
        const fs::path lock = hub_cache() / ".locks" / name_.folder() / (file.id + ".lock");
        const std::int64_t downloaded =
            fetch_blob(client_, client_.address(path), subject_ + ": " + file.name,
                       {file.name, file.id, file.size}, repository_ / "blobs", lock);
        link_blob(pulled_.path, file);
        pulled_.files.push_back({file, downloaded});
    }

    // As Hugging Face's own programs learn it, and mirrors offer it.
    void ask_headers(const std::string& path, RemoteFile& file) {
        const std::string subject = subject_ + ": " + file.name;
        const Reply reply = client_.head(client_.address(path), subject);
        const auto either = [&](const char* first, const char* second) {
            return reply.header(first).empty() ? reply.header(second) : reply.header(first);
        };
        file.id = etag_value(either("x-linked-etag", "etag"));
        if (!is_blob_id(file.id))
            fail(
                ErrorKind::corrupt,
                "{}: expected a sha256 or git blob id as the server's ETag, found \"{}\"; without it nothing "
                "can be checked",
                subject, printable_name(file.id));
        const auto size = byte_count(either("x-linked-size", "content-length"));
        if (!size || *size > kLargestFile)
            fail(ErrorKind::corrupt, "{}: expected a size from the server, found none", subject);
        file.size = *size;
    }

    void fetch_shards(const Listing& listing, const std::string& index) {
        for (const std::string& shard : shards_of_index(pulled_.path / index)) {
            const RemoteFile* file = listing.find(shard);
            if (file == nullptr)
                fail(ErrorKind::corrupt, "{}: {} names {}, which is not among the model's files", subject_,
                     index, printable_name(shard));
            fetch(*file);
        }
    }

    void note_left_out(const Listing& listing) {
        for (const RemoteFile& file : listing.files)
            if (std::none_of(pulled_.files.begin(), pulled_.files.end(),
                             [&](const PulledFile& have) { return have.file.name == file.name; }))
                pulled_.left_out.push_back(file);
    }

    void choose_path(const std::vector<std::string>& globs) {
        pulled_.path = folder_or_its_gguf(pulled_.path);
        if (globs.empty()) return;
        std::vector<fs::path> files;
        for (const PulledFile& have : pulled_.files)
            if (have.file.name.ends_with(".gguf"))
                files.push_back(repository_ / "snapshots" / pulled_.commit / have.file.name);
        if (files.size() == 1 && pulled_.files.size() == 1) pulled_.path = files.front();
    }

    Client& client_;
    RepositoryName name_;
    std::string subject_;
    fs::path repository_;
    PulledModel pulled_;
};

}  // namespace

PulledModel pull_model(Client& client, const RepositoryName& name, const std::vector<std::string>& globs) {
    return ModelPull(client, name).run(globs);
}

PulledModel find_pulled(const RepositoryName& name, const std::vector<std::string>& globs) {
    fs::path snapshot;
    try {
        snapshot = find_snapshot(name, name.id());
    } catch (const Error&) {
        fail(ErrorKind::not_found, "{}@{}: {} has no such revision, and HF_HUB_OFFLINE forbids to fetch it",
             name.id(), name.revision, (hub_cache() / name.folder()).string());
    }
    PulledModel found;
    found.path = folder_or_its_gguf(snapshot);
    if (globs.empty()) {
        const std::vector<std::string> missing = missing_files(snapshot);
        if (!missing.empty())
            fail(ErrorKind::not_found, "{}: {} lacks {}, and HF_HUB_OFFLINE forbids to fetch it", name.id(),
                 snapshot.string(), missing.front());
    }
    for (const std::string& glob : globs) {
        std::vector<fs::path> files;
        for (const auto& entry : fs::recursive_directory_iterator(snapshot)) {
            const std::string relative = entry.path().lexically_relative(snapshot).string();
            if (!entry.is_directory() && fs::exists(entry.path()) &&
                fnmatch(glob.c_str(), relative.c_str(), 0) == 0)
                files.push_back(entry.path());
        }
        if (files.empty())
            fail(ErrorKind::not_found,
                 "{}: {} has no file that matches --file {}, and HF_HUB_OFFLINE forbids to fetch one",
                 name.id(), snapshot.string(), glob);
        if (globs.size() == 1 && files.size() == 1 && files.front().extension() == ".gguf")
            found.path = files.front();
    }
    return found;
}

}  // namespace tinyllm::hub

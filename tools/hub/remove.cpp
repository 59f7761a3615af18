#include "tools/hub/remove.h"

#include <algorithm>
#include <set>

#include "engine/fail.h"
#include "tools/hub/cache.h"
#include "tools/hub/file_lock.h"

namespace tinyllm::hub {

namespace fs = std::filesystem;

namespace {

void refuse_link(const fs::path& path) {
    std::error_code error;
    if (fs::is_symlink(path, error))
        fail(
            ErrorKind::corrupt,
            "{}: expected a folder of the cache, found a link, which may lead out of it; nothing was removed",
            path.string());
}

void remove_one(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);  // does not follow links
    if (error) fail(ErrorKind::runtime, "{}: cannot be removed: {}", path.string(), error.message());
}

void count_file(const fs::path& path, Removed& removed) {
    std::error_code error;
    if (fs::is_symlink(path, error) || !fs::is_regular_file(path, error)) return;
    ++removed.files;
    removed.bytes += static_cast<std::int64_t>(fs::file_size(path, error));
}

void count_files(const fs::path& folder, Removed& removed) {
    std::error_code error;
    for (fs::recursive_directory_iterator files(folder, error), end; !error && files != end;
         files.increment(error))
        count_file(files->path(), removed);
}

// The blobs that snapshots name, by their links' last component.
std::set<std::string> named_blobs(const fs::path& snapshots) {
    std::set<std::string> names;
    std::error_code error;
    for (fs::recursive_directory_iterator files(snapshots, error), end; !error && files != end;
         files.increment(error)) {
        std::error_code ignored;
        if (files->is_symlink(ignored)) names.insert(fs::read_symlink(files->path(), ignored).filename());
    }
    if (error)  // a blob whose link was not seen would be lost
        fail(ErrorKind::runtime, "{}: cannot be read: {}; nothing was removed", snapshots.string(),
             error.message());
    return names;
}

void remove_unnamed_blobs(const fs::path& repository, Removed& removed) {
    const std::set<std::string> named = named_blobs(repository / "snapshots");
    std::vector<fs::path> unnamed;
    std::error_code error;
    for (const auto& blob : fs::directory_iterator(repository / "blobs", error))
        if (blob.path().extension() != ".incomplete" && !named.contains(blob.path().filename()))
            unnamed.push_back(blob.path());
    for (const fs::path& blob : unnamed) {
        const std::uintmax_t bytes = fs::file_size(blob, error);
        if (!error) removed.bytes += static_cast<std::int64_t>(bytes);
        ++removed.files;
        remove_one(blob);
    }
}

void remove_revision(const CachedModel& model, const RepositoryName& name, Removed& removed) {
    const auto stands_there = [&](const Snapshot& snapshot) {
        return snapshot.commit == name.revision ||
               std::find(snapshot.refs.begin(), snapshot.refs.end(), name.revision) != snapshot.refs.end();
    };
    const auto found = std::find_if(model.snapshots.begin(), model.snapshots.end(), stands_there);
    if (found == model.snapshots.end())
        fail(ErrorKind::not_found, "{}@{}: the hub cache has no such revision: {}", name.id(), name.revision,
             (model.path / "snapshots").string());
    const bool by_commit = found->commit == name.revision;
    for (const std::string& ref : found->refs)
        if (by_commit || ref == name.revision) remove_one(model.path / "refs" / ref);
    if (!by_commit && found->refs.size() > 1) return;  // another branch stands there
    count_files(found->path, removed);                 // plain files, where the cache was made without links
    remove_one(found->path);
    remove_one(model.path / ".no_exist" / found->commit);
    removed.revisions.push_back(found->commit);
    if (model.snapshots.size() > 1) return remove_unnamed_blobs(model.path, removed);
    count_files(model.path / "blobs", removed);
    remove_one(model.path);
}

}  // namespace

fs::path gate_of(const std::string& folder) {
    return hub_cache() / ".locks" / folder / "tinyllm.lock";
}

Removed remove_model(const RepositoryName& name, bool revision_given) {
    const fs::path folder = hub_cache() / name.folder();
    std::error_code error;
    if (!fs::exists(fs::symlink_status(folder, error)))
        fail(ErrorKind::not_found, "{}: the hub cache has no {}", name.id(), folder.string());
    refuse_link(folder);
    for (const char* part : {"blobs", "snapshots", "refs", ".no_exist"}) refuse_link(folder / part);
    FileLock gate(gate_of(name.folder()));
    if (!gate.try_lock(FileLock::Kind::exclusive))
        fail(ErrorKind::runtime, "{}: a pull of it is running; nothing was removed", name.id());

    Removed removed;
    removed.name = name.id();
    const CachedModel model = read_cached_model(folder);
    if (revision_given) {
        removed.name += "@" + name.revision;
        remove_revision(model, name, removed);
        return removed;
    }
    for (const Snapshot& snapshot : model.snapshots) removed.revisions.push_back(snapshot.commit);
    count_files(folder / "blobs", removed);
    count_files(folder / "snapshots", removed);
    remove_one(folder);
    return removed;
}

Removed remove_data(const DataKey& name) {
    const eval::Task& task = eval::find_task(name.task);  // only names of tasks reach the path
    const fs::path folder = data_cache() / task.name;
    const auto is_there = [](const fs::path& path) {
        std::error_code error;
        return fs::exists(fs::symlink_status(path, error));
    };
    std::vector<fs::path> paths{folder};
    if (name.part == DataPart::training) {
        paths.clear();
        for (const DataSplit& split : data_splits(task, name.part))
            for (const char* end : {"", ".incomplete"}) paths.push_back(folder / (split.file + end));
    }
    if (std::none_of(paths.begin(), paths.end(), is_there))
        fail(ErrorKind::not_found, "{}: not there: {}", name.text(),
             (paths.empty() ? folder : paths.front()).string());
    refuse_link(folder);
    FileLock gate(data_cache() / (name.task + ".lock"));
    if (!gate.try_lock(FileLock::Kind::exclusive))
        fail(ErrorKind::runtime, "{}: a pull of it is running; nothing was removed", name.text());
    Removed removed;
    removed.name = name.text();
    for (const fs::path& path : paths) {
        count_files(path, removed);
        count_file(path, removed);
        remove_one(path);
    }
    std::error_code not_empty;
    fs::remove(folder, not_empty);
    return removed;
}

}  // namespace tinyllm::hub

#include "engine/shards.h"

#include <map>
#include <utility>
#include <vector>

#include "engine/fail.h"
#include "engine/json_file.h"
#include "engine/printable.h"

namespace tinyllm {

namespace {

using Opener = std::function<std::unique_ptr<TensorSource>(const std::string& path)>;

class Shards : public TensorSource {
  public:
    Shards(const std::string& folder, const std::string& index_path, const Opener& open) {
        const nlohmann::json index = read_json_file(index_path);
        if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
            fail(ErrorKind::corrupt, "{}: expected an object with a weight_map", index_path);
        }
        std::map<std::string, std::string> shard_of;  // tensor -> shard
        for (const auto& [name, shard] : index["weight_map"].items()) {
            if (!shard.is_string()) {
                fail(ErrorKind::corrupt, "{}: weight_map: tensor {}: expected a file name, found {}",
                     index_path, printable(name), printable(shard.dump()));
            }
            shard_of[name] = shard.get<std::string>();
            add_shard(folder, index_path, shard_of[name], open);
        }
        for (const auto& [shard, file] : shards_) {
            for (const TensorView& tensor : file->tensors()) {
                const auto entry = shard_of.find(tensor.name);
                if (entry == shard_of.end() || entry->second != shard) {
                    fail(ErrorKind::corrupt, "{}: tensor {} lies in {}, but the weight_map places it in {}",
                         index_path, printable(tensor.name), shard,
                         entry == shard_of.end() ? "no file" : entry->second);
                }
                tensors_.push_back(tensor);
                owners_.push_back(file.get());
                shard_of.erase(entry);
            }
        }
        if (!shard_of.empty()) {
            fail(ErrorKind::corrupt, "{}: weight_map: tensor {} is not in {}", index_path,
                 printable(shard_of.begin()->first), shard_of.begin()->second);
        }
    }

    std::span<const TensorView> tensors() const override { return tensors_; }
    void release(const TensorView& tensor, std::span<const std::byte> part) const override {
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            if (tensors_[i].data.data() == tensor.data.data()) return owners_[i]->release(tensor, part);
        }
    }

  private:
    void add_shard(const std::string& folder, const std::string& index_path, const std::string& shard,
                   const Opener& open) {
        if (shards_.count(shard) != 0) return;
        // A name that leaves the folder could make the loader read any file of the machine.
        if (shard.empty() || shard == "." || shard == ".." ||
            shard.find_first_of(std::string("/\\\0", 3)) != shard.npos) {
            fail(ErrorKind::corrupt,
                 "{}: weight_map: expected the name of a file in this folder, found \"{}\"", index_path,
                 printable(shard));
        }
        try {
            shards_.emplace(shard, open(folder + "/" + shard));
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::not_found) throw;
            fail(ErrorKind::not_found, "{} (a shard that {} names)", error.what(), index_path);
        }
    }

    std::map<std::string, std::unique_ptr<TensorSource>> shards_;
    std::vector<TensorView> tensors_;
    std::vector<const TensorSource*> owners_;  // of tensors_
};

}  // namespace

std::unique_ptr<TensorSource> open_shards(const std::string& folder, const std::string& index_path,
                                          const Opener& open) {
    return std::make_unique<Shards>(folder, index_path, open);
}

}  // namespace tinyllm

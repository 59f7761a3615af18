// Names of models on the Hugging Face hub, and where its local cache keeps them. The cache is the one that
// other programs use too; its layout is described in huggingface_hub's documentation ("Understand caching"):
//
//   <hub cache>/models--org--name/blobs/<etag>                 the bytes: named by sha256 (LFS) or git blob
//   id
//                                 snapshots/<commit>/<file>    relative links to blobs
//                                 refs/<branch>                the commit a branch stood at
//   <hub cache>/.locks/models--org--name/<etag>.lock           held while a blob is written
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tinyllm::hub {

struct RepositoryName {
    std::string org, name, revision = "main";

    std::string id() const { return org + "/" + name; }
    std::string folder() const { return "models--" + org + "--" + name; }
};

/// org/name[@revision]; a revision is a commit, a tag or a branch such as refs/pr/1. Nothing if the text is
/// no such name or could leave the cache.
std::optional<RepositoryName> parse_repository(const std::string& argument);

/// 40 hexadecimal digits in lower case.
bool is_commit(std::string_view text);

/// TINYLLM_CACHE, HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub: the
/// first that is set.
std::filesystem::path hub_cache();

/// $HF_HOME, $XDG_CACHE_HOME/huggingface, ~/.cache/huggingface: the first that is set.
std::filesystem::path hub_home();

/// An environment variable's value; null where it is unset or empty.
const char* environment(const char* name);

/// HF_HUB_OFFLINE is 1, ON, YES or TRUE, in any case.
bool is_offline();

/// "; `tinyllm pull NAME` fetches it" for error messages; empty in a build that cannot.
std::string pull_hint(const std::string& name);

}  // namespace tinyllm::hub

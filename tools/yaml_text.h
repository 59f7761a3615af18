// YAML that people hand us, read by yaml-cpp's parser into a small tree with line numbers. Nothing of it is
// trusted: size, depth and number of nodes are bounded; anchors, aliases and tags, which a file of settings
// has no need of, are refused.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tinyllm {

struct YamlNode {
    enum class Kind { null, scalar, sequence, map };

    Kind kind = Kind::null;
    int line = 1;
    std::string text;             ///< of a scalar
    std::vector<YamlNode> keys;   ///< of a map: scalars, each once
    std::vector<YamlNode> items;  ///< of a sequence; of a map, what the keys stand for, in their order

    /// "a list", "a map", "nothing", or the scalar's text in quotes, shortened: for messages.
    std::string shown() const;
};

inline constexpr std::size_t kMostYamlBytes = 256 * 1024;

/// The one document of `text`. Throws Error(corrupt): "`name`:line: expected ..., found ...".
YamlNode read_yaml(std::string_view text, const std::string& name);

}  // namespace tinyllm

#include "tools/yaml_text.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "engine/fail.h"

namespace tinyllm {
namespace {

constexpr std::size_t kMostYamlDepth = 8, kMostYamlNodes = 20'000;

// The parser works through the text recursively and tells what it meets; what is too much ends it by
// throwing.
class YamlTree : public YAML::EventHandler {
  public:
    explicit YamlTree(const std::string& name) : name_(name) {}

    YamlNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        no_anchor(mark, anchor);
        add(mark, YamlNode::Kind::null, "");
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        refuse(line_of(mark), "no aliases", "one");
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        no_anchor(mark, anchor);
        no_tag(mark, tag);
        add(mark, YamlNode::Kind::scalar, value);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::sequence);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::map);
    }
    void OnMapEnd() override { close(); }

    [[noreturn]] void refuse(int line, const std::string& expected, const std::string& found) const {
        fail(ErrorKind::corrupt, "{}:{}: expected {}, found {}", name_, line, expected, found);
    }

    static int line_of(const YAML::Mark& mark) { return std::max(mark.line, 0) + 1; }

  private:
    void no_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
        if (anchor != YAML::NullAnchor) refuse(line_of(mark), "no anchors", "one");
    }
    void no_tag(const YAML::Mark& mark, const std::string& tag) const {
        // "?": a plain scalar or collection, "!": a quoted scalar.
        if (!tag.empty() && tag != "?" && tag != "!") refuse(line_of(mark), "no tags", "one");
    }
    // A node goes where the innermost open collection wants it; in a map a key first, then its value.
    YamlNode& add(const YAML::Mark& mark, YamlNode::Kind kind, const std::string& text) {
        const int line = line_of(mark);
        if (++nodes_ > kMostYamlNodes) refuse(line, fmt::format("at most {} values", kMostYamlNodes), "more");
        YamlNode node;
        node.kind = kind;
        node.line = line;
        node.text = text;
        if (open_.empty()) return root_ = std::move(node);
        YamlNode& parent = *open_.back();
        if (parent.kind == YamlNode::Kind::sequence) return parent.items.emplace_back(std::move(node));
        if (value_next_.back()) {
            value_next_.back() = false;
            return parent.items.back() = std::move(node);
        }
        if (kind != YamlNode::Kind::scalar) refuse(line, "a key", node.shown());
        for (const YamlNode& key : parent.keys)
            if (key.text == text)
                refuse(line, fmt::format("each key once (\"{}\" stands in line {})", text, key.line),
                       "it again");
        value_next_.back() = true;
        parent.items.emplace_back();
        return parent.keys.emplace_back(std::move(node));
    }
    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
        no_anchor(mark, anchor);
        no_tag(mark, tag);
        if (open_.size() >= kMostYamlDepth)
            refuse(line_of(mark), fmt::format("at most {} levels", kMostYamlDepth), "more");
        open_.push_back(&add(mark, kind, ""));
        value_next_.push_back(false);
    }
    void close() {
        open_.pop_back();
        value_next_.pop_back();
    }

    const std::string& name_;
    YamlNode root_;
    // Outer ones do not grow while an inner one is open, so these stay where they are.
    std::vector<YamlNode*> open_;
    std::vector<bool> value_next_;  // of each: the key was there
    std::size_t nodes_ = 0;
};

}  // namespace

std::string YamlNode::shown() const {
    constexpr std::size_t kMost = 40;
    switch (kind) {
        case Kind::null:
            return "nothing";
        case Kind::sequence:
            return "a list";
        case Kind::map:
            return "a map";
        case Kind::scalar:
            break;
    }
    return fmt::format("\"{}\"", text.size() > kMost ? text.substr(0, kMost) + "..." : text);
}

YamlNode read_yaml(std::string_view text, const std::string& name) {
    YamlTree tree(name);
    if (text.size() > kMostYamlBytes)
        tree.refuse(1, fmt::format("at most {} bytes", kMostYamlBytes), std::to_string(text.size()));
    // It ends lines and files for yaml-cpp, which would pass over what follows.
    if (const std::size_t zero = text.find_first_of(std::string_view("\0\x04", 2)); zero != text.npos)
        tree.refuse(static_cast<int>(
                        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), '\n')) +
                        1,
                    "text", "a control character");
    std::istringstream stream{std::string(text)};
    try {
        YAML::Parser parser(stream);
        parser.HandleNextDocument(tree);
        YamlTree second(name);
        if (parser.HandleNextDocument(second)) tree.refuse(1, "one document", "several");
    } catch (const YAML::Exception& problem) {
        tree.refuse(YamlTree::line_of(problem.mark), "YAML", problem.msg);
    }
    return tree.take();
}

}  // namespace tinyllm

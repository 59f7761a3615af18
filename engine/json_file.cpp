#include "engine/json_file.h"

#include <vector>

#include "engine/fail.h"
#include "engine/mapped_file.h"
#include "engine/printable.h"

namespace tinyllm {

namespace {

constexpr std::size_t kMostDepth = 64;

/// Builds the value as nlohmann's own builder would, and refuses what that one lets pass: deep nesting and
/// repeated keys.
class Builder {
  public:
    explicit Builder(const std::string& what) : what_(what) {}

    nlohmann::json take() { return std::move(root_); }

    bool null() { return put(nullptr); }
    bool boolean(bool value) { return put(value); }
    bool number_integer(std::int64_t value) { return put(value); }
    bool number_unsigned(std::uint64_t value) { return put(value); }
    bool number_float(double value, const std::string&) { return put(value); }
    bool string(std::string& value) { return put(std::move(value)); }
    bool binary(std::vector<std::uint8_t>&) { return false; }  // not part of JSON text

    bool start_object(std::size_t) { return open(nlohmann::json::object()); }
    bool start_array(std::size_t) { return open(nlohmann::json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }

    bool key(std::string& name) {
        const auto [slot, added] = stack_.back()->emplace(name, nullptr);
        if (!added)
            fail(ErrorKind::corrupt, "{}: key \"{}\" stands twice in one object", what_, printable(name));
        slot_ = &*slot;
        return true;
    }

    bool parse_error(std::size_t byte, const std::string&, const nlohmann::json::exception& error) {
        std::string_view reason =
            error.what();  // "[json.exception...] parse error at line 1, column 2: reason"
        if (const auto head = reason.find("column "); head != reason.npos) {
            if (const auto colon = reason.find(": ", head); colon != reason.npos)
                reason.remove_prefix(colon + 2);
        }
        fail(ErrorKind::corrupt, "{}: byte {}: {}", what_, byte, printable(reason, 300));
    }

  private:
    template <typename T>
    bool put(T&& value) {
        place(std::forward<T>(value));
        return true;
    }

    template <typename T>
    nlohmann::json* place(T&& value) {
        if (stack_.empty()) {
            root_ = std::forward<T>(value);
            return &root_;
        }
        if (stack_.back()->is_array()) return &stack_.back()->emplace_back(std::forward<T>(value));
        *slot_ = std::forward<T>(value);
        return slot_;
    }

    bool open(nlohmann::json container) {
        if (stack_.size() == kMostDepth) {
            fail(ErrorKind::corrupt, "{}: nested deeper than {} levels", what_, kMostDepth);
        }
        stack_.push_back(place(std::move(container)));
        return true;
    }

    bool close() {
        stack_.pop_back();
        return true;
    }

    const std::string& what_;
    nlohmann::json root_;
    std::vector<nlohmann::json*>
        stack_;  // open containers; a parent's other members do not move while it is open
    nlohmann::json* slot_ = nullptr;  // of the key read last
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& what) {
    Builder builder(what);
    nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
    return builder.take();
}

nlohmann::json read_json_file(const std::string& path) {
    const MappedFile file(path);
    return parse_json({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path);
}

}  // namespace tinyllm

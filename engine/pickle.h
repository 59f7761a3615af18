// Python pickles, read as data. Nothing is ever imported or called: the only objects built are numbers,
// strings, tuples, lists, dicts and descriptions of tensors; a pickle that asks for anything else is refused
// by the name of what it asks for. Format: https://docs.python.org/3/library/pickletools.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tinyllm {

struct PickleValue;
using PickleRef = const PickleValue*;

struct PickleNone {};
struct PickleTuple {
    std::vector<PickleRef> items;
};
struct PickleList {
    std::vector<PickleRef> items;
};
struct PickleDict {
    std::vector<std::pair<PickleRef, PickleRef>>
        items;  // as pickled; a later key replaces an earlier equal one
};
/// "torch.FloatStorage", "torch._utils._rebuild_tensor_v2"
struct PickleGlobal {
    std::string name;
};
/// What the pickle keeps outside itself: a storage of numbers.
struct PicklePersistent {
    PickleRef id;
};
/// The result of calling a global, not carried out.
struct PickleCall {
    std::string name;
    PickleRef arguments;
};

struct PickleValue {
    std::variant<PickleNone, bool, std::int64_t, double, std::string, PickleTuple, PickleList, PickleDict,
                 PickleGlobal, PicklePersistent, PickleCall>
        data;

    template <typename T>
    const T* as() const {
        return std::get_if<T>(&data);
    }
};

/// Owns the values of the pickles read into it.
class PickleReader {
  public:
    /// `file` is for messages; `bytes` may go on behind the pickle.
    PickleReader(std::string file, std::span<const std::byte> bytes)
        : file_(std::move(file)), bytes_(bytes) {}

    /// Reads one pickle and stands behind it. Throws Error(corrupt) naming the byte, or the global that was
    /// refused.
    PickleRef read();

    std::size_t position() const { return position_; }

  private:
    friend class PickleMachine;
    std::string file_;
    std::span<const std::byte> bytes_;
    std::size_t position_ = 0;
    std::deque<PickleValue> values_;  // a deque, so that nothing is destroyed recursively and no value moves
};

}  // namespace tinyllm

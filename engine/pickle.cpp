#include "engine/pickle.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "engine/fail.h"
#include "engine/printable.h"

namespace tinyllm {

namespace {

constexpr std::size_t kMostValues = 1u << 20;  // a model of 10,000 tensors has some 200,000

// Everything a file of weights needs. A name that is not here is never looked at further.
constexpr std::string_view kAllowed[] = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch._tensor._rebuild_from_type_v2",
    "torch.Tensor",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.BFloat16Storage",
    "torch.DoubleStorage",
    "torch.LongStorage",
    "torch.IntStorage",
    "torch.ShortStorage",
    "torch.CharStorage",
    "torch.ByteStorage",
    "torch.BoolStorage",
};

}  // namespace

/// The stack machine of one pickle.
class PickleMachine {
  public:
    explicit PickleMachine(PickleReader& reader) : r_(reader) {}

    PickleRef run() {
        while (true) {
            const auto op = read<std::uint8_t>();
            if (op == '.') return pop();
            step(op);
        }
    }

  private:
    template <typename... T>
    [[noreturn]] void corrupt(fmt::format_string<T...> format, T&&... args) const {
        fail(ErrorKind::corrupt, "{}: pickle: byte {}: {}", r_.file_, r_.position_,
             fmt::format(format, std::forward<T>(args)...));
    }

    // -------------------------------------------------------------------------------------------------------
    // reading

    std::string_view take(std::uint64_t n) {
        const std::size_t left = r_.bytes_.size() - r_.position_;
        if (n > left) corrupt("expected {} more bytes, but the data ends after {}", n, left);
        const auto* text = reinterpret_cast<const char*>(r_.bytes_.data()) + r_.position_;
        r_.position_ += static_cast<std::size_t>(n);
        return {text, static_cast<std::size_t>(n)};
    }

    template <typename T>
    T read() {
        T value;
        std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
        return value;
    }

    std::string line() {
        const auto rest = r_.bytes_.subspan(r_.position_);
        const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
        if (end == rest.end()) corrupt("a line without end");
        const std::string text(take(static_cast<std::uint64_t>(end - rest.begin())));
        (void)take(1);
        return text;
    }

    /// A little-endian two's complement number; Python's may be longer than ours.
    std::int64_t long_integer(std::uint64_t n) {
        if (n > sizeof(std::int64_t)) corrupt("a number of {} bytes, expected at most 8", n);
        const std::string_view digits = take(n);
        const bool negative = !digits.empty() && (static_cast<unsigned char>(digits.back()) & 0x80) != 0;
        std::int64_t value = negative ? -1 : 0;
        std::memcpy(&value, digits.data(), digits.size());
        return value;
    }

    double big_endian_double() {
        char bytes[8];
        std::memcpy(bytes, take(8).data(), 8);
        std::reverse(std::begin(bytes), std::end(bytes));
        double value;
        std::memcpy(&value, bytes, 8);
        return value;
    }

    // ---------------------------------------------------------------------------------------------------------
    // stack

    PickleValue* make(decltype(PickleValue::data) data) {
        if (r_.values_.size() >= kMostValues) corrupt("more than {} values", kMostValues);
        r_.values_.push_back({std::move(data)});
        return &r_.values_.back();
    }

    void push(PickleValue* value) {
        if (stack_.size() >= kMostValues) corrupt("more than {} values on the stack", kMostValues);
        stack_.push_back(value);
    }
    void push_new(decltype(PickleValue::data) data) { push(make(std::move(data))); }

    PickleValue* pop() {
        if (stack_.size() <= floor()) corrupt("the stack is empty");
        PickleValue* value = stack_.back();
        stack_.pop_back();
        return value;
    }

    PickleValue* top() {
        if (stack_.size() <= floor()) corrupt("the stack is empty");
        return stack_.back();
    }

    void push_mark() {
        if (marks_.size() >= kMostValues) corrupt("more than {} marks", kMostValues);
        marks_.push_back(stack_.size());
    }

    /// Values above the last mark belong to it; nothing may take those below.
    std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

    std::vector<PickleRef> pop_to_mark() {
        if (marks_.empty()) corrupt("no mark on the stack");
        const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
        std::vector<PickleRef> items(begin, stack_.end());
        stack_.erase(begin, stack_.end());
        marks_.pop_back();
        return items;
    }

    void push_tuple(int n) {
        PickleTuple tuple;
        for (int i = 0; i < n; ++i) tuple.items.push_back(pop());
        std::reverse(tuple.items.begin(), tuple.items.end());
        push_new(std::move(tuple));
    }

    void remember(std::uint64_t slot) {
        if (slot >= kMostValues) corrupt("memo slot {}", slot);
        memo_[slot] = top();
    }

    void recall(std::uint64_t slot) {
        const auto found = memo_.find(slot);
        if (found == memo_.end()) corrupt("memo slot {} was never filled", slot);
        push(found->second);
    }

    void append(const std::vector<PickleRef>& items) {
        auto* list = std::get_if<PickleList>(&top()->data);
        if (list == nullptr) corrupt("append to what is no list");
        list->items.insert(list->items.end(), items.begin(), items.end());
    }

    void set_items(const std::vector<PickleRef>& items) {
        auto* dict = std::get_if<PickleDict>(&top()->data);
        if (dict == nullptr) corrupt("keys for what is no dict");
        if (items.size() % 2 != 0) corrupt("a key without value");
        for (std::size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
    }

    // ------------------------------------------------------------------------------------------------
    // globals, calls

    void push_global(const std::string& name) {
        if (std::find(std::begin(kAllowed), std::end(kAllowed), name) == std::end(kAllowed)) {
            corrupt("the pickle asks for {}, which no weights need; refused, nothing was run",
                    printable(name));
        }
        push_new(PickleGlobal{name});
    }

    void call() {
        const PickleValue* arguments = pop();
        const PickleValue* callee = pop();
        const auto* global = callee->as<PickleGlobal>();
        const auto* tuple = arguments->as<PickleTuple>();
        if (global == nullptr || tuple == nullptr) corrupt("a call of what is no function");
        if (global->name == "collections.OrderedDict" && tuple->items.empty()) {
            push_new(PickleDict{});
        } else if (global->name == "torch._utils._rebuild_parameter" && !tuple->items.empty()) {
            push(const_cast<PickleValue*>(tuple->items[0]));  // a parameter is its tensor
        } else if (global->name == "torch._tensor._rebuild_from_type_v2") {
            push_with_attributes(*tuple);
        } else {
            push_new(PickleCall{global->name, arguments});
        }
    }

    /// (function, class, its arguments, attributes): a tensor with Python attributes is the tensor without.
    void push_with_attributes(const PickleTuple& tuple) {
        const auto* function = tuple.items.size() == 4 ? tuple.items[0]->as<PickleGlobal>() : nullptr;
        const auto* type = function ? tuple.items[1]->as<PickleGlobal>() : nullptr;
        if (type == nullptr || type->name != "torch.Tensor" ||
            !function->name.starts_with("torch._utils._rebuild_tensor") ||
            tuple.items[2]->as<PickleTuple>() == nullptr) {
            corrupt("a tensor of a class of its own");
        }
        push_new(PickleCall{function->name, tuple.items[2]});
    }

    /// State of an OrderedDict: torch keeps module versions there, without effect on the weights.
    void build() {
        (void)pop();
        if (top()->as<PickleDict>() == nullptr) corrupt("state for what is no dict");
    }

    void step(std::uint8_t op) {
        switch (op) {
            case 0x80:  // PROTO
                if (const auto version = read<std::uint8_t>(); version > 5)
                    corrupt("pickle protocol {}", version);
                break;
            case 0x95:
                (void)take(8);
                break;  // FRAME
            case '(':
                push_mark();
                break;
            case '0':
                (void)pop();
                break;
            case '1':
                (void)pop_to_mark();
                break;
            case '2':
                push(top());
                break;
            case 'N':
                push_new(PickleNone{});
                break;
            case 0x88:
                push_new(true);
                break;
            case 0x89:
                push_new(false);
                break;
            case 'K':
                push_new(std::int64_t{read<std::uint8_t>()});
                break;
            case 'M':
                push_new(std::int64_t{read<std::uint16_t>()});
                break;
            case 'J':
                push_new(std::int64_t{read<std::int32_t>()});
                break;
            case 0x8a:
                push_new(long_integer(read<std::uint8_t>()));
                break;
            case 0x8b:
                push_new(long_integer(read<std::uint32_t>()));
                break;
            case 'G':
                push_new(big_endian_double());
                break;
            case 'U':
            case 0x8c:
            case 'C':
                push_new(std::string(take(read<std::uint8_t>())));
                break;
            case 'T':
            case 'X':
            case 'B':
                push_new(std::string(take(read<std::uint32_t>())));
                break;
            case 0x8d:
                push_new(std::string(take(read<std::uint64_t>())));
                break;
            case ')':
                push_new(PickleTuple{});
                break;
            case 't':
                push_new(PickleTuple{pop_to_mark()});
                break;
            case 0x85:
                push_tuple(1);
                break;
            case 0x86:
                push_tuple(2);
                break;
            case 0x87:
                push_tuple(3);
                break;
            case ']':
                push_new(PickleList{});
                break;
            case 'l':
                push_new(PickleList{pop_to_mark()});
                break;
            case 'a':
                append({pop()});
                break;
            case 'e':
                append(pop_to_mark());
                break;
            case '}':
                push_new(PickleDict{});
                break;
            case 's': {
                const PickleValue* value = pop();
                set_items({pop(), value});
                break;
            }
            case 'u':
                set_items(pop_to_mark());
                break;
            case 'q':
                remember(read<std::uint8_t>());
                break;
            case 'r':
                remember(read<std::uint32_t>());
                break;
            case 0x94:
                remember(memo_.size());
                break;
            case 'h':
                recall(read<std::uint8_t>());
                break;
            case 'j':
                recall(read<std::uint32_t>());
                break;
            case 'Q':
                push_new(PicklePersistent{pop()});
                break;
            case 'c': {
                const std::string module = line();
                push_global(module + "." + line());
                break;
            }
            case 0x93: {  // STACK_GLOBAL
                const auto* name = pop()->as<std::string>();
                const auto* module = pop()->as<std::string>();
                if (name == nullptr || module == nullptr) corrupt("a global whose name is no string");
                push_global(*module + "." + *name);
                break;
            }
            case 'R':
                call();
                break;
            case 'b':
                build();
                break;
            default:
                corrupt("opcode {:#04x} is not needed for weights; refused", op);
        }
    }

    PickleReader& r_;
    std::vector<PickleValue*> stack_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

PickleRef PickleReader::read() {
    return PickleMachine(*this).run();
}

}  // namespace tinyllm

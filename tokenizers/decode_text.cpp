#include "tokenizers/decode_text.h"

#include <utility>

#include "tokenizers/byte_level.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

class ByteStage : public DecodeStage {
  public:
    explicit ByteStage(bool fused) : fused_(fused) {}
    void push(std::string token) override {
        if (fused_) {
            token_ += token;
            return;
        }
        if (!from_byte_level(token, bytes_)) bytes_ += token;
        const std::size_t closed = bytes_.size() - open_tail(bytes_);
        if (closed > 0) next->push(repair_utf8(std::string_view(bytes_).substr(0, closed)));
        bytes_.erase(0, closed);
    }
    void finish() override {
        if (fused_ && !from_byte_level(token_, bytes_)) bytes_ = token_;
        next->push(repair_utf8(bytes_));
        next->finish();
    }

  private:
    bool fused_;
    std::string bytes_, token_;
};

class JoinStage : public DecodeStage {
  public:
    void push(std::string token) override {
        if (std::exchange(any_, true)) token.insert(0, 1, ' ');
        next->push(std::move(token));
    }

  private:
    bool any_ = false;
};

class CleanUpStage : public DecodeStage {
  public:
    void push(std::string part) override {
        held_ += part;
        // Every replacement, also one that an earlier replacement makes possible, lies within a run of these
        // characters.
        constexpr std::string_view kTouched = " .?!,'ntmsver";
        const std::size_t last = held_.find_last_not_of(kTouched);
        if (last == std::string::npos) return;
        next->push(clean(held_.substr(0, last + 1)));
        held_.erase(0, last + 1);
    }
    void finish() override {
        next->push(clean(std::move(held_)));
        next->finish();
    }

  private:
    static std::string clean(std::string text) {
        static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
            {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
            {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
        for (const auto& [from, to] : kRules) {
            std::size_t at = text.find(from);
            if (at == std::string::npos) continue;
            std::string out;
            std::size_t done = 0;
            for (; at != std::string::npos; at = text.find(from, done)) {
                out.append(text, done, at - done);
                out += to;
                done = at + from.size();
            }
            text = out.append(text, done, std::string::npos);
        }
        return text;
    }
    std::string held_;
};

class Sink : public DecodeStage {
  public:
    explicit Sink(std::string& text) : text_(text) {}
    void push(std::string part) override { text_ += part; }
    void finish() override {}

  private:
    std::string& text_;
};

}  // namespace

std::unique_ptr<DecodeStage> make_byte_stage(bool fused) {
    return std::make_unique<ByteStage>(fused);
}
std::unique_ptr<DecodeStage> make_join_stage() {
    return std::make_unique<JoinStage>();
}
std::unique_ptr<DecodeStage> make_clean_up_stage() {
    return std::make_unique<CleanUpStage>();
}
std::unique_ptr<DecodeStage> make_sink(std::string& text) {
    return std::make_unique<Sink>(text);
}

DecodeChain::DecodeChain(const Decoder* decoder, bool clean_up) {
    bool fused = false;
    if (decoder) {
        decoder->add_stages(stages_, fused);
    } else {
        stages_.push_back(make_join_stage());
    }
    if (clean_up) stages_.push_back(make_clean_up_stage());
    stages_.push_back(make_sink(text_));
    for (std::size_t i = 0; i + 1 < stages_.size(); ++i) stages_[i]->next = stages_[i + 1].get();
}

DecodeChain::~DecodeChain() = default;

std::string DecodeChain::take() {
    return std::exchange(text_, {});
}

}  // namespace tinyllm

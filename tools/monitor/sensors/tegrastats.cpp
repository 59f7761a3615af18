// tegrastats as a running program: for a Jetson whose power rails are in no file that we may read.
#include "tools/monitor/tegrastats.h"

#include <algorithm>

#include "tools/monitor/program.h"

namespace tinyllm {
namespace {

using namespace monitor;

class TegrastatsProgram : public Source {
  public:
    /// The channels are those of its first line, waited for a second at most.
    explicit TegrastatsProgram(const std::string& path) : program_({path, "--interval", "100"}) {
        const double deadline = clock_seconds() + 1;
        while (channels_.empty() && clock_seconds() < deadline) {
            program_.wait(deadline - clock_seconds());
            if (!take_lines()) break;
            for (const auto& [channel, value] : latest_) channels_.push_back(channel);
        }
    }
    void read(double, std::span<std::optional<double>> values) override {
        if (!take_lines()) return;
        for (const auto& [channel, value] : latest_)
            for (std::size_t i = 0; i < channels_.size(); ++i)
                if (channels_[i].name == channel.name && channels_[i].quantity == channel.quantity)
                    values[i] = value;
    }

  private:
    /// False once the program has ended.
    bool take_lines() {
        if (ended_) return false;
        ended_ = !program_.read(pending_);
        for (std::size_t end; (end = pending_.find('\n')) != std::string::npos; pending_.erase(0, end + 1))
            latest_ = parse_tegrastats(std::string_view(pending_).substr(0, end));
        return !ended_;
    }

    Program program_;
    std::string pending_;
    std::vector<std::pair<Channel, double>> latest_;
    bool ended_ = false;
};

void find_tegrastats(pid_t, Found& found) {
    if (found.has(Quantity::power)) return;
    const std::string path = find_program("tegrastats");
    if (!path.empty()) found.add<TegrastatsProgram>(path);
}

}  // namespace

const monitor::SensorKind& sensor_tegrastats() {
    static const monitor::SensorKind kind{"tegrastats", find_tegrastats, true};
    return kind;
}

}  // namespace tinyllm

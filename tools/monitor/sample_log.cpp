#include "tools/monitor/sample_log.h"

#include <algorithm>

#include "engine/fail.h"
#include "tools/eval/machine.h"
#include "tools/monitor/tegrastats.h"

namespace tinyllm::monitor {

Json log_header(double interval, const std::vector<std::string>& command,
                const std::vector<std::string>& notes, const Json& facts) {
    Json header = {{"schema", "tinyllm.monitor/1"}, {"date", eval::utc_now()}, {"interval_s", interval}};
    header["command"] = command.empty() ? Json() : Json(command);
    header["notes"] = notes;
    header.update(facts);
    return header;
}

Json log_sample(double t, const std::vector<Channel>& channels,
                std::span<const std::optional<double>> values) {
    Json sample = {{"t", t}};
    const Json readings = readings_json(channels, values);
    for (const auto& [key, group] : readings.items())
        if (!group.is_null()) sample[key] = group;
    return sample;
}

Window replay_tegrastats(
    const std::string& text, const std::string& path, double interval,
    const std::function<void(double t, const std::vector<Channel>& channels,
                             std::span<const std::optional<double>> values)>& on_sample) {
    std::vector<std::vector<std::pair<Channel, double>>> lines;
    std::vector<Channel> channels;
    const auto place = [&](const Channel& channel) {
        return std::find_if(channels.begin(), channels.end(),
                            [&](const Channel& known) {
                                return known.name == channel.name && known.quantity == channel.quantity;
                            }) -
               channels.begin();
    };
    for (std::size_t start = 0; start < text.size();) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        auto readings = parse_tegrastats(std::string_view(text).substr(start, end - start));
        start = end + 1;
        if (readings.empty()) continue;
        for (const auto& [channel, value] : readings)
            if (place(channel) == static_cast<std::ptrdiff_t>(channels.size())) channels.push_back(channel);
        lines.push_back(std::move(readings));
    }
    if (lines.empty())
        fail(ErrorKind::corrupt, "{}: expected lines of tegrastats, found none with a reading", path);
    Window window(channels, interval);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        std::vector<std::optional<double>> values(channels.size());
        for (const auto& [channel, value] : lines[i])
            values[static_cast<std::size_t>(place(channel))] = value;
        const double t = static_cast<double>(i) * interval;
        window.add(t, values);
        on_sample(t, channels, values);
    }
    return window;
}

}  // namespace tinyllm::monitor

#include "tools/monitor/files.h"

#include <algorithm>

namespace tinyllm::monitor {
namespace {

std::vector<Channel> channels_of(const std::vector<FileChannel>& files) {
    std::vector<Channel> channels;
    for (const FileChannel& file : files) channels.push_back(file.channel);
    return channels;
}

}  // namespace

FileSource::FileSource(std::vector<FileChannel> files, double period) : Source(channels_of(files), period) {
    for (FileChannel& file : files)
        files_.push_back({SysfsFile(std::move(file.path)), file.scale, file.least, file.most});
}

void FileSource::read(double, std::span<std::optional<double>> values) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
        const auto number = files_[i].file.number();
        if (!number) continue;
        const double value = static_cast<double>(*number) * files_[i].scale;
        if (value >= files_[i].least && value <= files_[i].most) values[i] = value;
    }
}

EventCounters::EventCounters(std::vector<FileChannel> files, double period)
    : Source(channels_of(files), period), last_(files.size()) {
    for (FileChannel& file : files) files_.emplace_back(std::move(file.path));
    for (std::size_t i = 0; i < files_.size(); ++i) last_[i] = files_[i].number();
}

void EventCounters::read(double, std::span<std::optional<double>> values) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
        const auto count = files_[i].number();
        if (count) values[i] = last_[i] && *count > *last_[i] ? 1 : 0;
        if (count) last_[i] = count;
    }
}

std::string unique_name(const std::string& name, const std::vector<FileChannel>& channels) {
    std::string unique = name;
    for (int n = 2; std::any_of(channels.begin(), channels.end(),
                                [&](const FileChannel& other) { return other.channel.name == unique; });
         ++n)
        unique = name + " " + std::to_string(n);
    return unique;
}

}  // namespace tinyllm::monitor

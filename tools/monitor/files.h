// Sources that are nothing but files of numbers.
#pragma once

#include "tools/monitor/sensor.h"
#include "tools/sysfs.h"

namespace tinyllm::monitor {

/// One file, one channel: its number times `scale`; out of [least, most] it is no reading.
struct FileChannel {
    Channel channel;
    std::string path;
    double scale = 1, least = -1e18, most = 1e18;
};

class FileSource : public Source {
  public:
    explicit FileSource(std::vector<FileChannel> files, double period = 0);
    void read(double now, std::span<std::optional<double>> values) override;

  private:
    struct Opened {
        SysfsFile file;
        double scale, least, most;
    };
    std::vector<Opened> files_;
};

/// Files that count events: the channel is 1 when one has grown since the last reading.
class EventCounters : public Source {
  public:
    explicit EventCounters(std::vector<FileChannel> files, double period = 0);
    void read(double now, std::span<std::optional<double>> values) override;

  private:
    std::vector<SysfsFile> files_;
    std::vector<std::optional<std::int64_t>> last_;
};

/// `name`, or `name` with ` 2`, ` 3`, ... where `channels` has it already.
std::string unique_name(const std::string& name, const std::vector<FileChannel>& channels);

}  // namespace tinyllm::monitor

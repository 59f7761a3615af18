// NVIDIA GPUs other than Jetson's, by the management library that comes with their driver (NVML; NVIDIA's
// "NVML API Reference Guide" has the calls, types and constants). It is opened at run time: the declarations
// below are all of its interface that is used.
#include <dlfcn.h>
#include <unistd.h>

#include <memory>

#include "tools/monitor/sensor.h"
#include "tools/sysfs.h"

namespace tinyllm {
namespace {

using namespace monitor;

using NvmlDevice = void*;
struct NvmlMemory {
    unsigned long long total, free, used;  // bytes
};
struct NvmlUtilization {
    unsigned gpu, memory;  // percent
};
constexpr unsigned kNvmlClockSm = 1, kNvmlClockMemory = 2, kNvmlTemperatureGpu = 0;
constexpr struct {
    unsigned long long bit;
    const char* name;
} kNvmlThrottles[] = {{0x4, "power cap"},
                      {0x8, "hardware slowdown"},
                      {0x20, "heat"},
                      {0x40, "heat (hardware)"},
                      {0x80, "power brake"}};

/// Every call returns 0 for success.
struct Nvml {
    int (*init)() = nullptr;
    int (*shutdown)() = nullptr;
    int (*count)(unsigned*) = nullptr;
    int (*device)(unsigned, NvmlDevice*) = nullptr;
    int (*memory)(NvmlDevice, NvmlMemory*) = nullptr;
    int (*utilization)(NvmlDevice, NvmlUtilization*) = nullptr;
    int (*clock)(NvmlDevice, unsigned, unsigned*) = nullptr;
    int (*power)(NvmlDevice, unsigned*) = nullptr;             // mW
    int (*energy)(NvmlDevice, unsigned long long*) = nullptr;  // mJ since the driver was loaded; Volta on
    int (*temperature)(NvmlDevice, unsigned, unsigned*) = nullptr;
    int (*throttles)(NvmlDevice, unsigned long long*) = nullptr;
    void* library = nullptr;
    bool ready = false;

    explicit Nvml(const std::string& path) : library(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (library == nullptr) return;
        take(init, "nvmlInit_v2");
        take(shutdown, "nvmlShutdown");
        take(count, "nvmlDeviceGetCount_v2");
        take(device, "nvmlDeviceGetHandleByIndex_v2");
        take(memory, "nvmlDeviceGetMemoryInfo");
        take(utilization, "nvmlDeviceGetUtilizationRates");
        take(clock, "nvmlDeviceGetClockInfo");
        take(power, "nvmlDeviceGetPowerUsage");
        take(energy, "nvmlDeviceGetTotalEnergyConsumption");
        take(temperature, "nvmlDeviceGetTemperature");
        take(throttles, "nvmlDeviceGetCurrentClocksThrottleReasons");
        ready =
            init != nullptr && shutdown != nullptr && count != nullptr && device != nullptr && init() == 0;
    }
    ~Nvml() {
        if (ready) shutdown();
        if (library != nullptr) ::dlclose(library);
    }
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;

    template <typename F>
    void take(F& function, const char* name) {
        function = reinterpret_cast<F>(::dlsym(library, name));
    }
};

class NvmlGpu : public Source {
  public:
    NvmlGpu(std::shared_ptr<const Nvml> nvml, NvmlDevice device, const std::string& name)
        : nvml_(std::move(nvml)), device_(device) {
        unsigned milliwatts = 0;
        unsigned long long millijoules = 0;
        energy_ = nvml_->energy != nullptr && nvml_->energy(device_, &millijoules) == 0;
        const bool power = nvml_->power != nullptr && nvml_->power(device_, &milliwatts) == 0;
        if (energy_) add(name, Quantity::energy, Covers::part);
        if (power) add(name, Quantity::power, energy_ ? Covers::detail : Covers::part);
        add(name, Quantity::temperature);
        add(name, Quantity::clock);
        add(name + " memory", Quantity::clock);
        add(name, Quantity::load);
        add(name, Quantity::device_memory);
        if (nvml_->throttles != nullptr)
            for (const auto& throttle : kNvmlThrottles) add(name + " " + throttle.name, Quantity::throttle);
    }

    void read(double, std::span<std::optional<double>> values) override {
        std::size_t at = 0;
        unsigned value = 0;
        if (energy_) {
            unsigned long long millijoules = 0;
            if (nvml_->energy(device_, &millijoules) == 0)
                values[at] = static_cast<double>(millijoules) / 1e3;
            ++at;
        }
        if (channels_[at].quantity == Quantity::power) {
            if (nvml_->power(device_, &value) == 0) values[at] = value / 1e3;
            ++at;
        }
        if (nvml_->temperature != nullptr && nvml_->temperature(device_, kNvmlTemperatureGpu, &value) == 0)
            values[at] = value;
        ++at;
        for (const unsigned kind : {kNvmlClockSm, kNvmlClockMemory}) {
            if (nvml_->clock != nullptr && nvml_->clock(device_, kind, &value) == 0) values[at] = value;
            ++at;
        }
        NvmlUtilization use = {};
        if (nvml_->utilization != nullptr && nvml_->utilization(device_, &use) == 0 && use.gpu <= 100)
            values[at] = use.gpu / 100.0;
        ++at;
        NvmlMemory memory = {};
        if (nvml_->memory != nullptr && nvml_->memory(device_, &memory) == 0)
            values[at] = static_cast<double>(memory.used);
        ++at;
        unsigned long long reasons = 0;
        if (at == channels_.size() || nvml_->throttles(device_, &reasons) != 0) return;
        for (const auto& throttle : kNvmlThrottles) values[at++] = (reasons & throttle.bit) != 0 ? 1 : 0;
    }

  private:
    void add(const std::string& name, Quantity quantity, Covers covers = Covers::detail) {
        channels_.push_back({name, quantity, covers});
    }
    std::shared_ptr<const Nvml> nvml_;
    NvmlDevice device_;
    bool energy_ = false;
};

void find_nvml(pid_t, Found& found) {
    // Jetson has a library of that name, but its GPU is in sysfs.
    if (read_sysfs("/proc/device-tree/compatible").value_or("").find("nvidia,tegra") != std::string::npos)
        return;
    std::string path = "libnvidia-ml.so.1";
    if (!sysfs_root().empty()) {  // a tree that stands for another machine has its own, or none
        path = sysfs_root() + "/usr/lib/" + path;
        if (::access(path.c_str(), R_OK) != 0) return;
    }
    const auto nvml = std::make_shared<const Nvml>(path);
    unsigned n = 0;
    if (!nvml->ready || nvml->count(&n) != 0) {
        if (nvml->library != nullptr) found.notes.push_back("NVIDIA's management library finds no driver");
        return;
    }
    for (unsigned i = 0; i < n; ++i) {
        NvmlDevice device = nullptr;
        if (nvml->device(i, &device) == 0) found.add<NvmlGpu>(nvml, device, "GPU " + std::to_string(i));
    }
}

}  // namespace

const monitor::SensorKind& sensor_nvml() {
    static const monitor::SensorKind kind{"nvml", find_nvml};
    return kind;
}

}  // namespace tinyllm

// A library with NVML's names and types and two GPUs: one that counts energy, and an old one that tells
// little. FAKE_NVML_BROKEN: no driver behind it.
#include <cstdlib>

namespace {

int devices[2];
int calls = 0;

bool old(void* device) {
    return device == &devices[1];
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
    return std::getenv("FAKE_NVML_BROKEN") != nullptr ? 9 : 0;
}
int nvmlShutdown() {
    return 0;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = 3;  // the third cannot be had
    return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
    if (index >= 2) return 15;
    *device = &devices[index];
    return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, void* memory) {
    auto* values = static_cast<unsigned long long*>(memory);
    values[0] = 8ULL << 30;
    values[1] = 7ULL << 30;
    values[2] = old(device) ? 2ULL << 30 : 1ULL << 30;
    return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, void* rates) {
    if (old(device)) return 3;
    static_cast<unsigned*>(rates)[0] = 75;
    static_cast<unsigned*>(rates)[1] = 20;
    return 0;
}
int nvmlDeviceGetClockInfo(void* device, unsigned type, unsigned* mhz) {
    *mhz = type == 2 ? 5001 : 1410;
    return old(device) && type == 2 ? 3 : 0;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
    *milliwatts = old(device) ? 30000 : 120500;
    return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
    *millijoules = 5000000ULL + 1500ULL * static_cast<unsigned long long>(calls++);
    return old(device) ? 3 : 0;
}
int nvmlDeviceGetTemperature(void* device, unsigned sensor, unsigned* celsius) {
    *celsius = 64;
    return old(device) || sensor != 0 ? 3 : 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* device, unsigned long long* reasons) {
    *reasons = 0x1 | 0x40;  // idle, which is no throttling, and heat
    return old(device) ? 3 : 0;
}
}
